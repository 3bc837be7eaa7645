// Command release makes everything that a release consists of: archives for every platform,
// packages for Debian and Fedora, a container image, bills of materials, completions, man
// pages and checksums. The same commit gives the same bytes, in whatever folder.
//
// It is a module of its own, so that its libraries are not those of mpt. Run it by
// scripts/release.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// target is a platform that binaries are built for.
type target struct{ os, arch string }

func (t target) String() string { return t.os + "_" + t.arch }

// targets are the platforms of a release.
var targets = []target{
	{"linux", "amd64"}, {"linux", "arm64"}, {"linux", "riscv64"}, {"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"}, {"freebsd", "amd64"},
}

// release is what is being made.
type release struct {
	root    string    // of the source
	out     string    // where files go
	work    string    // where binaries and pages lie in the meantime
	version string    // without a v
	time    time.Time // of the commit: that of every file
	targets []target
}

func main() {
	r := &release{targets: targets}
	only := flag.String("only", "", "make these `PLATFORMS` only, such as linux_amd64,linux_arm64")
	epoch := flag.Int64("epoch", 0, "the time of all files, in `SECONDS` since 1970")
	flag.StringVar(&r.root, "root", "../..", "the `FOLDER` of the source")
	flag.StringVar(&r.out, "out", "", "put everything into `FOLDER`, which must not exist")
	flag.StringVar(&r.version, "version", "", "the `VERSION`, such as 1.2.3")
	flag.Parse()
	r.time = time.Unix(*epoch, 0).UTC()
	err := r.choose(*only)
	if err == nil {
		err = r.make()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// choose limits the platforms to some.
func (r *release) choose(only string) error {
	if only == "" {
		return nil
	}
	r.targets = nil
	for name := range strings.SplitSeq(only, ",") {
		n := len(r.targets)
		for _, t := range targets {
			if t.String() == name {
				r.targets = append(r.targets, t)
			}
		}
		if len(r.targets) == n {
			return fmt.Errorf("-only %s: not a platform of a release: want some of %v", name, targets)
		}
	}
	return nil
}

// make makes all of it in a folder beside the output, which appears when all is there.
func (r *release) make() (err error) {
	if r.out == "" || r.version == "" || r.time.Unix() <= 0 {
		return fmt.Errorf("-out, -version and -epoch are needed")
	}
	if _, err := os.Stat(r.out); err == nil {
		return fmt.Errorf("%s exists: choose another folder, or remove it", r.out)
	}
	if r.work, err = os.MkdirTemp("", "mpt-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	final := r.out
	if r.out, err = os.MkdirTemp(filepath.Dir(final), "."+filepath.Base(final)+"-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.out)
	if err := os.Chmod(r.out, 0o755); err != nil {
		return err
	}
	for _, step := range []func() error{r.buildAll, r.pages, r.archives, r.packages, r.image, r.materials, r.sums} {
		if err := step(); err != nil {
			return err
		}
	}
	return os.Rename(r.out, final)
}

// source returns the name of a file of the source.
func (r *release) source(name string) string { return filepath.Join(r.root, filepath.FromSlash(name)) }
