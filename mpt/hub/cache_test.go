package hub

import (
	"context"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/internal/fakehub"
)

// pythonCache lays out a repository as Python's huggingface_hub 1.x does, from the
// contents of the fake one.
func pythonCache(t *testing.T, h *fakehub.Hub, dir string, tree bool) (commit string) {
	t.Helper()
	repo := h.Repo(tiny)
	root := filepath.Join(dir, "models--mosaicml--mpt-tiny")
	put := func(path, text string) {
		t.Helper()
		os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o777)
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	put("refs/main", repo.Commit)
	put(".no_exist/"+repo.Commit+"/adapter_config.json", "")
	put("blobs/0123.incomplete", "half of something")
	list := ""
	for path, c := range repo.Files {
		b := make([]byte, c.Size())
		c.ReadAt(b, 0)
		hash := h.Hash(c)
		put("blobs/"+hash, string(b))
		link := filepath.Join(root, "snapshots", repo.Commit, path)
		os.MkdirAll(filepath.Dir(link), 0o777)
		if err := os.Symlink(strings.Repeat("../", strings.Count(path, "/")+2)+"blobs/"+hash, link); err != nil {
			t.Skip(err)
		}
		git := fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...)))
		entry := fmt.Sprintf(`"%s": {"size": %d, "blob_id": "%s"`, path, len(b), git)
		if len(hash) == 64 {
			entry += fmt.Sprintf(`, "lfs_sha256": "%s", "lfs_size": %d, "xet_hash": "%064d"`, hash, len(b), 7)
		}
		list += ",\n  " + entry + "}"
	}
	if tree {
		put("trees/"+repo.Commit+".json", "{\n \"format_version\": 1,\n \"files\": {"+list[1:]+"\n }\n}")
	}
	return repo.Commit
}

// What Python has downloaded is found, with no request or the few that it takes.
func TestPythonsCache(t *testing.T) {
	for _, tree := range []bool{true, false} {
		h := newHub(t)
		c := newClient(t, h)
		commit := pythonCache(t, h, c.Cache, tree)
		want := map[bool]int{true: 1, false: 2}[tree]
		rev, _, err := pull(c, tiny)
		if r := h.Requests(); err != nil || rev.Commit != commit || len(r) != want {
			t.Errorf("with a list of files %v: %v; requests %q, want %d", tree, err, r, want)
		}
		off := clientAt(h.URL, c.Cache)
		off.Offline = true
		if _, _, err := pull(off, tiny); err != nil || h.Sent() > 0 {
			t.Errorf("offline: %v, or bytes came", err)
		}
		if _, wrong, err := c.Verify(context.Background(), tiny, nil); err != nil || len(wrong) > 0 {
			t.Errorf("verify: %v %v", wrong, err)
		}
	}
}

// A list of files that is broken, or hostile, is asked for again.
func TestHostileTree(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, _, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "[]", "{", `{"format_version": 2, "files": {}}`, `{"format_version": 1, "files": {}}`,
		`{"format_version": 1, "files": {"../../evil": {"size": 1, "blob_id": "` + strings.Repeat("a", 40) + `"}}}`,
		`{"format_version": 1, "files": {"evil": {"size": 1, "blob_id": "../../../evil"}}}`,
		`{"format_version": 1, "files": {"evil": {"size": -1, "blob_id": "` + strings.Repeat("a", 40) + `"}}}`,
	} {
		os.WriteFile(c.treePath(rev), []byte(text), 0o666)
		files, err := c.Files(context.Background(), rev)
		if err != nil || len(files) != len(repoFiles(h)) {
			t.Errorf("%q: %d files, %v", text, len(files), err)
		}
	}
}

// refs that are no commits do not lead out of the cache.
func TestHostileRef(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	c.Offline = true
	path := filepath.Join(c.repoDir(tiny), "refs", "main")
	os.MkdirAll(filepath.Dir(path), 0o777)
	os.WriteFile(path, []byte("../../../../etc"), 0o666)
	if _, err := c.Resolve(context.Background(), tiny, "main"); err == nil {
		t.Error("no error")
	}
	for _, rev := range []string{"", "..", "../main", "/etc", "-x", "a//b", `a\b`, "C:x", strings.Repeat("a", 300)} {
		if _, err := c.Resolve(context.Background(), tiny, rev); err == nil || !strings.Contains(err.Error(), "revision") {
			t.Errorf("revision %q: %v", rev, err)
		}
	}
}

func TestManage(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	if repos, err := c.List(); err != nil || len(repos) > 0 {
		t.Fatal(repos, err)
	}
	old, _, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	shared := repoFiles(h)["mid.bin"]
	h.Add(tiny, &fakehub.Repo{Commit: strings.Repeat("9", 40), Branches: []string{"dev"},
		Files: map[string]fakehub.Content{"mid.bin": shared, "new.bin": fakehub.Noise(50_000, 9)}})
	now, _, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	repos, err := c.List()
	if err != nil || len(repos) != 1 || len(repos[0].Revisions) != 2 {
		t.Fatal(repos, err)
	}
	for _, v := range repos[0].Revisions {
		if want := map[string]int{old.Commit: 6, now.Commit: 2}[v.Commit]; v.Files != want || (len(v.Names) == 1) != (v.Commit == now.Commit) {
			t.Errorf("%+v", v)
		}
	}
	// Prune removes the commit that main has left, and what is unfinished.
	part := filepath.Join(c.repoDir(tiny), "blobs", "0123.mptgo.part")
	os.WriteFile(part, nil, 0o666)
	made := c.Made(old, "x.gguf")
	os.MkdirAll(filepath.Dir(made), 0o777)
	os.WriteFile(made, nil, 0o666)
	if n, err := c.Prune(); err != nil || n < 1_000_000 {
		t.Errorf("%d bytes, %v", n, err)
	}
	for path, want := range map[string]bool{part: false, made: false, c.Dir(old): false, c.treePath(old): false, c.Dir(now): true,
		c.blob(tiny, h.Hash(shared)): true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	right, wrong, err := c.Verify(context.Background(), tiny, nil)
	if err != nil || right != 2 || len(wrong) > 0 {
		t.Errorf("%d right, wrong %v, %v", right, wrong, err)
	}
	testDamage(t, c, h, now)
	if _, err := c.Remove(tiny, "v9"); err == nil {
		t.Error("a revision that is not there is removed")
	}
	if n, err := c.Remove(tiny, "main"); err != nil || n < 100_000 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := c.Remove(tiny, ""); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Cache, "models--*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// testDamage has verify find what is wrong with a blob and with a link.
func testDamage(t *testing.T, c *Client, h *fakehub.Hub, rev *Revision) {
	t.Helper()
	blob := c.blob(tiny, h.Hash(repoFiles(h)["new.bin"]))
	f, err := os.OpenFile(blob, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{1, 2, 3}, 30_000)
	f.Close()
	link := filepath.Join(c.Dir(rev), "gone.bin")
	if err := os.Symlink("../../blobs/gone", link); err != nil {
		t.Skip(err)
	}
	_, wrong, err := c.Verify(context.Background(), tiny, nil)
	if err != nil || len(wrong) != 2 || wrong[0].Path != blob || wrong[1].Path != link {
		t.Errorf("wrong: %v, %v", wrong, err)
	}
	os.Remove(link)
}

// What somebody downloads is neither removed nor pruned.
func TestManageLocked(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	if _, _, err := pull(c, tiny); err != nil {
		t.Fatal(err)
	}
	release, err := c.lock(context.Background(), tiny, "abc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Remove(tiny, ""); err == nil || !strings.Contains(err.Error(), "another process downloads it") {
		t.Errorf("error %v", err)
	}
	said := ""
	c.Logf = func(f string, args ...any) { said += fmt.Sprintf(f, args...) }
	if _, err := c.Prune(); err != nil || said == "" {
		t.Errorf("%v, said %q", err, said)
	}
	release()
	if _, err := c.Remove(tiny, ""); err != nil {
		t.Error(err)
	}
}

func TestPlace(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, files, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "here")
	for range 2 {
		if err := c.Place(rev, files, dir, false); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(t.TempDir(), "other")
	os.MkdirAll(filepath.Join(other, "config.json"), 0o777)
	if err := c.Place(rev, files, other, true); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	}
	path := filepath.Join(dir, "sub", "dir", "notes.md")
	os.WriteFile(path, []byte("# nOtes\n"), 0o666)
	if err := c.Place(rev, files, dir, false); err == nil || !strings.Contains(err.Error(), "with another content") {
		t.Errorf("error %v", err)
	}
	if err := c.Place(rev, files, dir, true); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "# notes\n" {
		t.Errorf("%q %v", b, err)
	}
}
