// Package fakehub is HuggingFace's hub in small, on the loopback, for tests: the site, and
// another host that large files are redirected to, with the faults that networks, mirrors
// and strangers have.
package fakehub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Token is the one that the hub knows.
const Token = "hf_secretsecretsecret"

// largeFrom is the size from which files are kept outside of git.
const largeFrom = 4 << 10

// Content is what is in a file.
type Content interface {
	io.ReaderAt
	Size() int64
}

// A Repo is a repository with one commit.
type Repo struct {
	Commit   string
	Files    map[string]Content
	Branches []string // beside main
	Entries  []string // more entries for the list of files, as JSON
	Gated    bool
	Private  bool
	Disabled bool
	NoHashes bool   // the list of files does not say them
	Moved    string // the name that the repository has now
	PageSize int    // entries in a page of the list; 0: all
}

// A Hub is a running one.
type Hub struct {
	URL string // of the site
	CDN string // of the host with the large files

	site, cdn *httptest.Server

	mu      sync.Mutex
	repos   map[string]*Repo
	blobs   map[string]Content // by SHA-256
	hashes  map[Content][2]string
	faults  []*Fault
	signed  map[string]bool // links that are valid
	log     []string
	sent    int64
	leaked  bool
	serial  int
	closing chan struct{}
	once    sync.Once
}

// Start starts a hub; Close ends it.
func Start() *Hub {
	h := &Hub{repos: map[string]*Repo{}, blobs: map[string]Content{}, hashes: map[Content][2]string{},
		signed:  map[string]bool{},
		closing: make(chan struct{})}
	h.site = httptest.NewServer(http.HandlerFunc(h.serveSite))
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveCDN))
	h.URL, h.CDN = h.site.URL, h.cdn.URL
	return h
}

// Close ends the hub, also what stalls.
func (h *Hub) Close() {
	h.once.Do(func() {
		close(h.closing)
		h.site.CloseClientConnections()
		h.cdn.CloseClientConnections()
		h.site.Close()
		h.cdn.Close()
	})
}

// Add adds a repository. Without a commit it gets one made of its name.
func (h *Hub) Add(name string, r *Repo) *Repo {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Commit == "" {
		r.Commit = fmt.Sprintf("%x", sha1.Sum([]byte(name)))
	}
	h.repos[name] = r
	for _, c := range r.Files {
		if _, ok := h.hashes[c]; !ok {
			h.hashes[c] = hashes(c)
		}
		h.blobs[h.hashes[c][1]] = c
	}
	return r
}

// hashes returns the hash by git and the SHA-256 of a content.
func hashes(c Content) [2]string {
	git, sha := sha1.New(), sha256.New()
	fmt.Fprintf(git, "blob %d\x00", c.Size())
	io.Copy(io.MultiWriter(git, sha), io.NewSectionReader(c, 0, c.Size()))
	return [2]string{hex.EncodeToString(git.Sum(nil)), hex.EncodeToString(sha.Sum(nil))}
}

// Hash returns the name that a content has in a cache.
func (h *Hub) Hash(c Content) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if large(c) {
		return h.hashes[c][1]
	}
	return h.hashes[c][0]
}

func large(c Content) bool { return c.Size() >= largeFrom }

// Requests returns what was asked since the last call, as "site METHOD PATH" and "cdn
// METHOD PATH".
func (h *Hub) Requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	log := h.log
	h.log = nil
	return log
}

// Sent returns the bytes of files that were sent.
func (h *Hub) Sent() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sent
}

// Leaked reports whether the other host has seen a token.
func (h *Hub) Leaked() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leaked
}

func (h *Hub) note(who string, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, who+" "+r.Method+" "+r.URL.Path)
	if who == "cdn" && r.Header.Get("Authorization") != "" {
		h.leaked = true
	}
}

// A Fault is something that goes wrong with answers.
type Fault struct {
	Kind  string // see the cases of serve.go
	Path  string // only of requests whose path contains it
	Times int    // so often; less than 0: always
	After int64  // bytes of a body that come before it
}

// Fail makes answers go wrong.
func (h *Hub) Fail(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, &f)
}

// Heal ends all faults.
func (h *Hub) Heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = nil
}

// fault takes a fault of one of the kinds that is due for a path.
func (h *Hub) fault(path string, kinds ...string) *Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.faults {
		if f.Times != 0 && strings.Contains(path, f.Path) && slices.Contains(kinds, f.Kind) {
			f.Times--
			return f
		}
	}
	return nil
}

// Bytes is a content in memory.
type Bytes struct{ *strings.Reader }

// Text returns a content.
func Text(s string) Content { return Bytes{strings.NewReader(s)} }

// Noise returns a content of n bytes that does not take memory; another seed makes
// another one.
func Noise(n int64, seed byte) Content { return noise{n, seed} }

type noise struct {
	size int64
	seed byte
}

func (n noise) Size() int64 { return n.size }

// pattern has a length that is not a power of two, so that no two megabytes are equal.
var pattern = func() []byte {
	b := make([]byte, 1<<20+4099)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}()

func (n noise) ReadAt(p []byte, off int64) (int, error) {
	got := 0
	for got < len(p) && off < n.size {
		from := pattern[(off+int64(n.seed)*7919)%int64(len(pattern)):]
		k := copy(p[got:], from[:min(int64(len(from)), n.size-off)])
		got, off = got+k, off+int64(k)
	}
	if got < len(p) {
		return got, io.EOF
	}
	return got, nil
}

// Repo returns a repository.
func (h *Hub) Repo(name string) *Repo {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.repos[name]
}
