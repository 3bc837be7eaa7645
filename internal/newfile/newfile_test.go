package newfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// replace puts a text into the file that path stands for.
func replace(t *testing.T, path, text string) {
	t.Helper()
	target, err := Follow(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Create(path, target)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(text)
	if err := errors.Join(f.Close(), Rename(f.Name(), target)); err != nil {
		t.Fatal(err)
	}
}

func TestReplace(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs links and permissions")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.Mkdir(in("sub"), 0o777), os.Symlink("sub", in("folder")), os.Symlink("../real", in("sub/link")),
		os.Symlink("folder/link", in("chain")), os.Symlink("nothing", in("dangling")), os.Symlink("loop", in("loop")),
		os.WriteFile(in("real"), []byte("old"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, target := range map[string]string{"real": "real", "folder/link": "real", "chain": "real", "dangling": "nothing", "new": "new"} {
		replace(t, in(path), path)
		if b, err := os.ReadFile(in(target)); err != nil || string(b) != path {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	for _, link := range []string{"chain", "dangling", "sub/link"} {
		if info, err := os.Lstat(in(link)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more", link)
		}
	}
	if info, err := os.Stat(in("real")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := Follow(in("loop")); err == nil {
		t.Error("a loop of links leads somewhere")
	}
	for _, bad := range []string{"no/such", "sub", "loop", "real/x"} {
		if err := Writable(in(bad)); err == nil || !strings.Contains(err.Error(), in(bad)) || strings.Contains(err.Error(), ".tmp") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := Writable(in("real")); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(in(".*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLongNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{strings.Repeat("n", 241), strings.Repeat("n", 242), strings.Repeat("n", 255), strings.Repeat("漢", 85)} {
		path := filepath.Join(dir, name)
		replace(t, path, "text")
		if base := Unfinished(filepath.Base(Name(path))); base != Short(name) || !strings.HasPrefix(name, base) {
			t.Errorf("%s: an unfinished file of %q", name, base)
		}
	}
	if Unfinished("x") != "" || Unfinished(".x.tmp") != "" || Unfinished(".x.0123456g.tmp") != "" {
		t.Error("other names are taken for unfinished files")
	}
}
