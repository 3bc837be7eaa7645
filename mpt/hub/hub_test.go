package hub

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mptgo/internal/fakehub"
)

const tiny = "mosaicml/mpt-tiny"

// quick are the times of tests.
var quick = Times{Connect: 5 * time.Second, Header: 10 * time.Second, Stall: 10 * time.Second, Retry: time.Millisecond,
	RetryMost: 2 * time.Millisecond, RateLimit: 5 * time.Second, Save: time.Hour, Lock: time.Millisecond, Progress: time.Millisecond}

// hasty returns times for a fault: where nothing comes, little patience, else so much
// that a busy machine is none.
func hasty(kind string) Times {
	times := quick
	if kind == "stall" || kind == "hang" {
		times.Header, times.Stall = 300*time.Millisecond, 300*time.Millisecond
	}
	return times
}

// newHub starts a hub with one repository: small files, one large file that is fetched
// in one piece, and one that is fetched in segments of 64 KiB.
func newHub(t testing.TB) *fakehub.Hub {
	h := fakehub.Start()
	t.Cleanup(h.Close)
	h.Add(tiny, &fakehub.Repo{Files: map[string]fakehub.Content{
		"config.json":       fakehub.Text(`{"model_type": "mpt"}`),
		"tokenizer.json":    fakehub.Text("{}\n"),
		"empty.txt":         fakehub.Text(""),
		"sub/dir/notes.md":  fakehub.Text("# notes\n"),
		"model.safetensors": fakehub.Noise(1_000_003, 1),
		"mid.bin":           fakehub.Noise(100_001, 2),
	}})
	return h
}

// newClient returns a client of a hub with a cache of its own, in a folder with a space.
func newClient(t testing.TB, h *fakehub.Hub) *Client {
	return clientAt(h.URL, filepath.Join(t.TempDir(), "my cache", "hub"))
}

func clientAt(endpoint, cache string) *Client {
	return &Client{Endpoint: endpoint, Cache: cache, Times: quick, UserAgent: "test",
		manyFrom: 256 << 10, segmentBytes: 64 << 10, saveBytes: 32 << 10, Connections: 4}
}

// pull downloads all files of a repository.
func pull(c *Client, name string) (*Revision, []File, error) {
	ctx := context.Background()
	rev, err := c.Resolve(ctx, name, "main")
	if err != nil {
		return nil, nil, err
	}
	files, err := c.Files(ctx, rev)
	if err != nil {
		return rev, nil, err
	}
	_, err = c.Download(ctx, rev, files, nil)
	return rev, files, err
}

// checkCache fails the test if the cache holds a blob that is not what its name says, or,
// if whole, if a file of the repository is missing.
func checkCache(t *testing.T, c *Client, h *fakehub.Hub, rev *Revision, files map[string]fakehub.Content, whole bool) {
	t.Helper()
	blobs, _ := filepath.Glob(filepath.Join(c.Cache, "models--*", "blobs", "*"))
	for _, b := range blobs {
		if strings.Contains(filepath.Base(b), ".mptgo.") {
			continue
		}
		if err := verifyBlob(b); err != nil {
			t.Errorf("a wrong blob is in the cache: %v", err)
		}
	}
	if !whole {
		return
	}
	for path, content := range files {
		want, _ := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
		got, err := os.ReadFile(filepath.Join(c.Dir(rev), path))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %d bytes, want %d (%v)", path, len(got), len(want), err)
		}
		if runtime.GOOS == "windows" {
			continue
		}
		link, err := os.Readlink(filepath.Join(c.Dir(rev), path))
		if up := strings.Repeat("../", strings.Count(path, "/")+2) + "blobs/" + h.Hash(content); err != nil || link != up {
			t.Errorf("%s: the link is %q, want %q (%v)", path, link, up, err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(c.Cache, "models--*", "blobs", "*.mptgo.*"))
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func repoFiles(h *fakehub.Hub) map[string]fakehub.Content {
	return h.Repo(tiny).Files
}

func TestPull(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	c.Token = fakehub.Token
	rev, files, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	checkCache(t, c, h, rev, repoFiles(h), true)
	ref, err := os.ReadFile(filepath.Join(c.Cache, "models--mosaicml--mpt-tiny", "refs", "main"))
	if err != nil || string(ref) != rev.Commit {
		t.Errorf("refs/main is %q (%v)", ref, err)
	}
	if h.Leaked() {
		t.Error("the other host has seen the token")
	}
	h.Requests()
	if _, err := c.Download(context.Background(), rev, files, nil); err != nil || len(h.Requests()) > 0 {
		t.Errorf("a commit that is there: %v, or requests", err)
	}
	if _, _, err := pull(c, tiny); err != nil {
		t.Error(err)
	}
	if r := h.Requests(); len(r) != 1 {
		t.Errorf("a branch that is there: %q, want one request", r)
	}
}

// A commit that is there needs no request, by a client that has never asked.
func TestPullCommitAgain(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, _, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	h.Requests()
	c = clientAt(h.URL, c.Cache)
	ctx := context.Background()
	again, err := c.Resolve(ctx, tiny, rev.Commit)
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.Files(ctx, again)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(ctx, again, files, nil); err != nil {
		t.Fatal(err)
	}
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("requests: %q", r)
	}
}

// refused checks an error: it says what it should, in one line, without secrets, and the
// branch has not become known.
func refused(t *testing.T, c *Client, err error, say string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), say) {
		t.Fatalf("error %v, want one with %q", err, say)
	}
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), fakehub.Token) || strings.Contains(err.Error(), "Signature") {
		t.Errorf("error %q has several lines, or a secret", err)
	}
	if refs, _ := filepath.Glob(filepath.Join(c.Cache, "*", "refs", "*")); len(refs) > 0 {
		t.Errorf("%v exist", refs)
	}
}

// The progress ends at all of it and does not overlap.
func TestProgress(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, err := c.Resolve(context.Background(), tiny, "main")
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.Files(context.Background(), rev)
	if err != nil {
		t.Fatal(err)
	}
	var last Progress
	if _, err := c.Download(context.Background(), rev, files, func(p Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.Done != last.Total || last.Files != 6 || last.TotalFiles != 6 || last.Total == 0 {
		t.Errorf("the last progress is %+v", last)
	}
}
