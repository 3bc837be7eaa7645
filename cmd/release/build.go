package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"mptgo/cmd/internal/cli"
)

// bin returns the folder with the binaries of a platform; slim ones have no model in them.
func (r *release) bin(t target, slim bool) string {
	name := t.String()
	if slim {
		name += "_slim"
	}
	return filepath.Join(r.work, "bin", name)
}

// buildAll builds the commands for every platform, with the built-in model and without.
func (r *release) buildAll() error {
	for _, t := range r.targets {
		for _, slim := range []bool{false, true} {
			if err := r.build(t, slim); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *release) build(t target, slim bool) error {
	args := []string{"build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X mptgo/cmd/internal/cli/version.release=" + r.version}
	if slim {
		args = append(args, "-tags", "nobuiltin")
	}
	dir := r.bin(t, slim)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.Command("go", append(args, "-o", dir+string(filepath.Separator), "./cmd/mpt", "./cmd/mpt-quantize")...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch,
		"GOAMD64=v1", "GOARM64=v8.0", "GORISCV64=rva20u64", "GOEXPERIMENT=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build for %v: %w\n%s", t, err, out)
	}
	return nil
}

// pages writes man pages and completions, of the commands' own help.
func (r *release) pages() error {
	for _, dir := range []string{"man", "completions"} {
		if err := os.MkdirAll(filepath.Join(r.work, dir), 0o755); err != nil {
			return err
		}
	}
	for _, root := range []*cobra.Command{cli.Mpt(), cli.Quantize()} {
		if err := manPages(root, r.version, r.time, filepath.Join(r.work, "man")); err != nil {
			return err
		}
		if err := completions(root, filepath.Join(r.work, "completions")); err != nil {
			return err
		}
	}
	return nil
}

// manPages writes a page for a command and one for each of its subcommands.
func manPages(root *cobra.Command, version string, date time.Time, dir string) error {
	root.DisableAutoGenTag = true
	return doc.GenManTree(root, &doc.GenManHeader{
		Section: "1", Date: &date, Source: "mpt " + version, Manual: "User Commands",
	}, dir)
}

// completions writes the completions of a command for the four shells, under the names by
// which bash, zsh and fish find them.
func completions(root *cobra.Command, dir string) error {
	name := filepath.Join(dir, root.Name())
	for _, write := range []func() error{
		func() error { return root.GenBashCompletionFileV2(name+".bash", true) },
		func() error { return root.GenZshCompletionFile(filepath.Join(dir, "_"+root.Name())) },
		func() error { return root.GenFishCompletionFile(name+".fish", true) },
		func() error { return root.GenPowerShellCompletionFileWithDesc(name + ".ps1") },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}
