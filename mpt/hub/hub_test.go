package hub

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
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

// Faults that pass, and those that a client can do something about.
func TestFaultsThatPass(t *testing.T) {
	for _, f := range []fakehub.Fault{
		{Kind: "drop", Times: 20, After: 30_000}, {Kind: "drop", Times: 3, After: 0}, {Kind: "stall", Times: 2, After: 10_000},
		{Kind: "slow", Times: 3, After: 9_000}, {Kind: "500", Times: 3}, {Kind: "data429", Times: 2}, {Kind: "data429", Times: 1, After: 1},
		{Kind: "short", Times: 1}, {Kind: "long", Times: -1}, {Kind: "badlen", Times: 1}, {Kind: "corrupt", Times: 1},
		{Kind: "badetag", Times: -1}, {Kind: "newetag", Times: 3}, {Kind: "wrongrange", Times: 1}, {Kind: "wrongrange", Times: -1},
		{Kind: "norange", Times: -1}, {Kind: "range416", Times: -1}, {Kind: "expired", Times: 1}, {Kind: "gzip", Times: -1},
		{Kind: "page", Times: 1}, {Kind: "503", Times: 3}, {Kind: "429", Times: 1, After: 0}, {Kind: "denied", Times: 2, Path: "model"},
		{Kind: "hang", Times: 1},
	} {
		t.Run(fmt.Sprintf("%s x%d after %d", f.Kind, f.Times, f.After), func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			h.Fail(f)
			c := newClient(t, h)
			c.Times = hasty(f.Kind)
			c.Token = fakehub.Token
			rev, _, err := pull(c, tiny)
			if err != nil {
				t.Fatal(err)
			}
			checkCache(t, c, h, rev, repoFiles(h), true)
			if h.Leaked() {
				t.Error("the other host has seen the token")
			}
		})
	}
}

// Faults that do not pass end in one sentence, and leave nothing wrong.
func TestFaultsThatStay(t *testing.T) {
	for _, x := range []struct {
		fault fakehub.Fault
		say   string
	}{
		{fakehub.Fault{Kind: "corrupt", Path: "model"}, "its hash is "},
		{fakehub.Fault{Kind: "short", Path: "mid"}, "bytes are sent, not 100001"},
		{fakehub.Fault{Kind: "badlen", Path: "mid"}, "bytes are sent, not 100001"},
		{fakehub.Fault{Kind: "page", Path: "config"}, "bytes are sent, not"},
		{fakehub.Fault{Kind: "500"}, "answers 500 Internal Server Error (tried 6 times)"},
		{fakehub.Fault{Kind: "drop"}, "the connection broke off"},
		{fakehub.Fault{Kind: "stall"}, "nothing came for too long"},
		{fakehub.Fault{Kind: "denied", Path: "model"}, "the link is refused"},
		{fakehub.Fault{Kind: "data429", After: 100}, "it wants to be asked again in 1m40s"},
		{fakehub.Fault{Kind: "html"}, "does the network ask for a login?"},
		{fakehub.Fault{Kind: "badjson"}, "not the JSON that a hub sends"},
		{fakehub.Fault{Kind: "bigjson"}, "an answer of more than 16777216 bytes"},
		{fakehub.Fault{Kind: "loop"}, "more than 5 redirects"},
		{fakehub.Fault{Kind: "offhost"}, "leads to another site"},
		{fakehub.Fault{Kind: "503"}, "answers 503 Service Unavailable (tried 6 times)"},
		{fakehub.Fault{Kind: "hang"}, "timeout awaiting response headers (tried 6 times)"},
	} {
		t.Run(x.fault.Kind, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			x.fault.Times = -1
			h.Fail(x.fault)
			c := newClient(t, h)
			c.Times = hasty(x.fault.Kind)
			c.Token, c.TokenFrom = fakehub.Token, "HF_TOKEN"
			_, _, err := pull(c, tiny)
			refused(t, c, err, x.say)
			checkCache(t, c, h, nil, nil, false)
			h.Heal()
			c = clientAt(h.URL, c.Cache)
			rev, _, err := pull(c, tiny)
			if err != nil {
				t.Fatalf("later: %v", err)
			}
			checkCache(t, c, h, rev, repoFiles(h), true)
		})
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

// Repositories that cannot be had, each with its sentence.
func TestDenied(t *testing.T) {
	one := map[string]fakehub.Content{"config.json": fakehub.Text("{}")}
	for name, x := range map[string]struct {
		repo  *fakehub.Repo
		rev   string
		token string
		say   string
	}{
		"gated":    {&fakehub.Repo{Files: one, Gated: true}, "main", "", "the repository is gated: accept the terms at "},
		"private":  {&fakehub.Repo{Files: one, Private: true}, "main", "", "no such repository, or it is private"},
		"disabled": {&fakehub.Repo{Files: one, Disabled: true}, "main", "", "the repository is disabled"},
		"badtoken": {&fakehub.Repo{Files: one}, "main", "hf_wrong", "the token is not valid: "},
		"missing":  {nil, "main", "", "no such repository"},
		"norev":    {&fakehub.Repo{Files: one}, "v2", "", `no such revision: "v2"`},
		"nocommit": {&fakehub.Repo{Files: one}, strings.Repeat("ab", 20), "", "no such revision"},
	} {
		t.Run(name, func(t *testing.T) {
			h := fakehub.Start()
			defer h.Close()
			if x.repo != nil {
				h.Add("a/b", x.repo)
			}
			c := newClient(t, h)
			c.Token, c.TokenFrom = x.token, "the file token"
			rev, err := c.Resolve(context.Background(), "a/b", x.rev)
			var files []File
			if err == nil {
				files, err = c.Files(context.Background(), rev)
			}
			if err == nil {
				_, err = c.Download(context.Background(), rev, files, nil)
			}
			refused(t, c, err, x.say)
			if left, _ := filepath.Glob(filepath.Join(c.Cache, "*", "snapshots", "*", "*")); len(left) > 0 {
				t.Errorf("%v are in the cache", left)
			}
		})
	}
}

// A file that the repository does not have.
func TestNoFile(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, _, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Download(context.Background(), rev, []File{{Path: "other.json", Size: -1}}, nil)
	if err == nil || !strings.Contains(err.Error(), `no such file: "other.json"`) {
		t.Error(err)
	}
}

// Repositories that are hostile, or that need another protocol, are refused as a whole.
func TestRefused(t *testing.T) {
	sha := strings.Repeat("ab", 32)
	for say, entry := range map[string]string{
		"it leads elsewhere":       `{"type":"file","path":"../x","size":1}`,
		"not a safe path":          `{"type":"file","path":"/etc/x","size":1}`,
		"a malformed hash":         `{"type":"file","path":"x","size":1,"oid":"../../../x"}`,
		"has a malformed hash":     `{"type":"file","path":"x","size":1,"lfs":{"oid":"` + strings.Repeat("a", 40) + `","size":1}}`,
		"a size of -5":             `{"type":"file","path":"x","size":-5}`,
		"has a size of 9000000000": `{"type":"file","path":"x","size":9000000000000000000}`,
		"is there twice":           `{"type":"file","path":"config.json","size":77}`,
		"are one file where case":  `{"type":"file","path":"Config.JSON","size":1,"oid":"` + strings.Repeat("a", 40) + `"}`,
		"and the folder of":        `{"type":"file","path":"config.json/x","size":1,"oid":"` + strings.Repeat("a", 40) + `"}`,
		"Xet protocol alone":       `{"type":"file","path":"x.bin","size":60000000000,"xetHash":"` + sha + `","lfs":{"oid":"` + sha + `","size":60000000000}}`,
		"not enough space":         `{"type":"file","path":"x.bin","size":200000000000000,"lfs":{"oid":"` + sha + `","size":200000000000000}}`,
		"reserves the name":        `{"type":"file","path":"aux.bin","size":1}`,
		"not the JSON that a hub ": `{"type":"file","path":7}`,
	} {
		h := fakehub.Start()
		h.Add("t/evil", &fakehub.Repo{Files: map[string]fakehub.Content{"config.json": fakehub.Text("{}")}, Entries: []string{entry}})
		c := newClient(t, h)
		_, _, err := pull(c, "t/evil")
		refused(t, c, err, say)
		if left, _ := filepath.Glob(filepath.Join(c.Cache, "*", "snapshots", "*", "*")); len(left) > 0 {
			t.Errorf("%s: %v are in the cache", say, left)
		}
		h.Close()
	}
}

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
