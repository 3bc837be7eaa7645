package server

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// The page is built by npm from web, see scripts/page, and committed: Go needs nothing else.
//
//go:embed web/dist
var dist embed.FS

// pageFile is a file of the page.
type pageFile struct {
	plain, gzip []byte
	kind        string // its media type
	tag         string
	hashed      bool // its name changes with what it holds
}

// pageKinds are the media types of the page's files.
var pageKinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

// pagePolicy lets nothing come from outside, and nothing be executed but the page's own files:
// what a model writes is hostile.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageFiles returns the files of the page by their paths, without those of .gz twins.
var pageFiles = sync.OnceValue(func() map[string]*pageFile {
	files := map[string]*pageFile{}
	err := fs.WalkDir(dist, "web/dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) == ".gz" {
			return err
		}
		f := &pageFile{kind: pageKinds[path.Ext(name)], hashed: strings.HasPrefix(name, "web/dist/assets/")}
		if f.plain, err = dist.ReadFile(name); err != nil {
			return err
		}
		if f.gzip, err = dist.ReadFile(name + ".gz"); err != nil {
			return err
		}
		if f.kind == "" {
			return fmt.Errorf("%s: its media type is not known", name)
		}
		sum := sha256.Sum256(f.plain)
		f.tag = hex.EncodeToString(sum[:8])
		files[strings.TrimPrefix(name, "web/dist")] = f
		return nil
	})
	if err != nil {
		panic(err) // the program was built of broken files: a test sees it
	}
	files["/"] = files["/index.html"]
	return files
})

// servePage answers what is asked of the page, and reports whether it was. The page itself is
// for those who want HTML: programs get from its path what others have for them.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) bool {
	name, ok := strings.CutPrefix(r.URL.Path, s.c.Prefix)
	if !s.c.Page || !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	wanted := strings.Contains(r.Header.Get("Accept"), "text/html")
	if name == "" && wanted { // the page's files are named from where it lies
		http.Redirect(w, r, s.c.Prefix+"/", http.StatusTemporaryRedirect)
		return true
	}
	f := pageFiles()[name]
	if f == nil || name == "/" && !wanted {
		return false
	}
	f.answer(w, r)
	return true
}

func (f *pageFile) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", f.kind)
	h.Add("Vary", "Accept, Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if f.hashed {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body, tag := f.plain, `"`+f.tag+`"`
	if takesGzip(r) {
		body, tag = f.gzip, `"`+f.tag+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) // net/http leaves it out for HEAD; a client that has gone is no error of ours
}

// takesGzip reports whether a client takes answers that are compressed.
func takesGzip(r *http.Request) bool {
	for _, list := range r.Header.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(list, ",") {
			name, weight, _ := strings.Cut(strings.ReplaceAll(item, " ", ""), ";")
			if strings.EqualFold(name, "gzip") {
				q, err := strconv.ParseFloat(strings.TrimPrefix(weight, "q="), 64)
				return err != nil || q > 0
			}
		}
	}
	return false
}
