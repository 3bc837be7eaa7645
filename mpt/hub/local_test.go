package hub

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"mptgo/internal/fakehub"
)

func TestOffline(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, files, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	h.Requests()
	off := clientAt(h.URL, c.Cache)
	off.Offline = true
	if _, _, err := pull(off, tiny); err != nil {
		t.Error(err)
	}
	os.Remove(off.snapshotPath(rev, files[1]))
	if _, _, err := pull(off, tiny); err == nil || !strings.Contains(err.Error(), files[1].Path) {
		t.Errorf("error %v: it does not name the missing file", err)
	}
	if _, _, err := pull(off, "a/other"); err == nil || !strings.Contains(err.Error(), "not in the cache") {
		t.Errorf("error %v", err)
	}
	if r := h.Requests(); len(r) > 0 {
		t.Errorf("requests %q without network", r)
	}
}

// Without a network the cache is used, and a line says so.
func TestNetworkDown(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	if _, _, err := pull(c, tiny); err != nil {
		t.Fatal(err)
	}
	h.Close()
	said := ""
	c = clientAt(h.URL, c.Cache)
	c.Logf = func(f string, args ...any) { said += fmt.Sprintf(f, args...) }
	if _, _, err := pull(c, tiny); err != nil || !strings.Contains(said, "from the cache") {
		t.Errorf("error %v, said %q", err, said)
	}
	c = newClient(t, h)
	if _, _, err := pull(c, tiny); err == nil {
		t.Error("an empty cache and no network are enough")
	}
}

// A cache that cannot be written to serves what it holds.
func TestReadOnlyCache(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, files, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		// Root writes everywhere: a file in the place of folders does the same.
		c = clientAt(h.URL, filepath.Join(t.TempDir(), "file"))
		os.WriteFile(c.Cache, nil, 0o600)
	} else {
		for _, dir := range []string{"refs", "trees", "blobs", "snapshots/" + rev.Commit} {
			os.Chmod(filepath.Join(c.repoDir(tiny), dir), 0o500)
		}
		if _, err := c.Download(context.Background(), rev, files, nil); err != nil {
			t.Error(err)
		}
		os.Chmod(c.repoDir(tiny), 0o500)
		h.Add("a/b", &fakehub.Repo{Files: repoFiles(h)})
		os.Chmod(c.Cache, 0o500)
		defer os.Chmod(c.Cache, 0o700)
		repo := "a/b"
		_, _, err = pull(c, repo)
	}
	if err == nil {
		_, _, err = pull(c, tiny)
	}
	if err == nil || !strings.Contains(err.Error(), "the cache cannot be written to") {
		t.Errorf("error %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	defer func() { free = freeBytes }()
	free = func(string) (int64, bool) { return 1_000_000, true }
	_, _, err := pull(c, tiny)
	refused(t, c, err, "not enough space on the disk: 1.1 MB are needed, 1.0 MB are free")
}

// Two clients at once: one fetches, the other waits and finds it.
func TestTwoAtOnce(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, _, err := pull(clientAt(h.URL, c.Cache), tiny); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	want := int64(0)
	for _, f := range repoFiles(h) {
		want += f.Size()
	}
	if n := h.Sent(); n != want {
		t.Errorf("%d bytes were sent, want %d: each file comes once", n, want)
	}
}

// Where symbolic links cannot be made, files lie in the snapshots.
func TestNoSymlinks(t *testing.T) {
	symlink = func(string, string) error { return fmt.Errorf("no links here") }
	defer func() { symlink = os.Symlink }()
	h := newHub(t)
	c := newClient(t, h)
	rev, _, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range repoFiles(h) {
		info, err := os.Lstat(filepath.Join(c.Dir(rev), path))
		if err != nil || !info.Mode().IsRegular() || info.Size() != content.Size() {
			t.Errorf("%s: %v", path, err)
		}
	}
	h.Requests()
	if _, _, err := pull(c, tiny); err != nil || len(h.Requests()) != 1 {
		t.Errorf("the second time: %v, or more than one request", err)
	}
}

// What is in the cache with another size than it should have is fetched again.
func TestBrokenBlob(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, files, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == "model.safetensors" })
	if err := os.Truncate(c.blob(tiny, files[i].Hash), 1000); err != nil {
		t.Fatal(err)
	}
	if _, _, err := pull(c, tiny); err != nil {
		t.Fatal(err)
	}
	checkCache(t, c, h, rev, repoFiles(h), true)
}
