package hub

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/internal/fakehub"
)

// A token makes gated and private repositories available.
func TestToken(t *testing.T) {
	h := fakehub.Start()
	defer h.Close()
	one := map[string]fakehub.Content{"config.json": fakehub.Text("{}"), "model.safetensors": fakehub.Noise(9999, 1)}
	h.Add("a/gated", &fakehub.Repo{Files: one, Gated: true})
	h.Add("a/private", &fakehub.Repo{Files: one, Private: true})
	for _, name := range []string{"a/gated", "a/private"} {
		c := newClient(t, h)
		c.Token = fakehub.Token
		rev, _, err := pull(c, name)
		if err != nil {
			t.Fatal(err)
		}
		checkCache(t, c, h, rev, one, true)
	}
	if h.Leaked() {
		t.Error("the other host has seen the token")
	}
}

// A repository that was renamed is found by its old name.
func TestMoved(t *testing.T) {
	h := newHub(t)
	h.Add("mosaicml/old", &fakehub.Repo{Moved: tiny})
	c := newClient(t, h)
	c.Token = fakehub.Token
	rev, _, err := pull(c, "mosaicml/old")
	if err != nil {
		t.Fatal(err)
	}
	checkCache(t, c, h, rev, repoFiles(h), true)
}

// Lists of files in pages, without hashes, and with the same content twice.
func TestLists(t *testing.T) {
	h := fakehub.Start()
	defer h.Close()
	shared := fakehub.Noise(50_000, 3)
	files := map[string]fakehub.Content{"a.bin": shared, "b/c.bin": shared, "config.json": fakehub.Text("{}"), "d.txt": fakehub.Text("x")}
	for name, r := range map[string]*fakehub.Repo{
		"a/pages": {Files: files, PageSize: 1}, "a/nosha": {Files: files, NoHashes: true}, "a/twice": {Files: files},
	} {
		h.Add(name, r)
		before := h.Sent()
		c := newClient(t, h)
		rev, _, err := pull(c, name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkCache(t, c, h, rev, files, true)
		if n := h.Sent() - before; n != 50_003 {
			t.Errorf("%s: %d bytes were sent, want 50003: what is there twice comes once", name, n)
		}
	}
}

// A branch that moves between two requests: all files are of one commit.
func TestBranchMoves(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	ctx := context.Background()
	rev, err := c.Resolve(ctx, tiny, "main")
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.Files(ctx, rev)
	if err != nil {
		t.Fatal(err)
	}
	h.Add(tiny, &fakehub.Repo{Commit: strings.Repeat("9", 40), Files: map[string]fakehub.Content{"config.json": fakehub.Text("new")}})
	if _, err := c.Download(ctx, rev, files, nil); err == nil || !strings.Contains(err.Error(), "no such revision") {
		t.Errorf("error %v", err)
	}
	if _, _, err := pull(c, tiny); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(filepath.Join(c.Cache, "models--mosaicml--mpt-tiny", "refs", "main"))
	if err != nil || string(b) != strings.Repeat("9", 40) {
		t.Errorf("refs/main is %q (%v)", b, err)
	}
}
