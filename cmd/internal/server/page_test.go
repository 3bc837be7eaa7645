package server

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

const wantsHTML = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"

// Every file of the page comes with the headers that keep hostile texts harmless, plain and
// compressed, the hashed ones for ever.
func TestPageFiles(t *testing.T) {
	_, h := start(t, serve.Options{})
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
		"font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	for name, f := range pageFiles() {
		for _, coding := range []string{"identity", "gzip", "br, gzip;q=0", "deflate, gzip;q=0.5"} {
			status, b, head := send(t, "GET", h.URL+name, nil, "Accept", wantsHTML, "Accept-Encoding", coding)
			if zipped := coding == "gzip" || strings.HasPrefix(coding, "deflate"); zipped != (head.Get("Content-Encoding") == "gzip") {
				t.Errorf("%s with %s: Content-Encoding %q", name, coding, head.Get("Content-Encoding"))
			} else if zipped {
				b = unzip(t, b)
			}
			if status != 200 || !bytes.Equal(b, f.plain) {
				t.Errorf("%s with %s: %d, %d bytes, want %d", name, coding, status, len(b), len(f.plain))
			}
			for key, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "no-referrer", "Content-Type": f.kind} {
				if got := head.Get(key); got != want {
					t.Errorf("%s: %s is %q, want %q", name, key, got, want)
				}
			}
			if hashed := strings.HasPrefix(name, "/assets/"); hashed != strings.Contains(head.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: Cache-Control %q", name, head.Get("Cache-Control"))
			}
			status, b, _ = send(t, "GET", h.URL+name, nil, "Accept", wantsHTML, "Accept-Encoding", coding, "If-None-Match", head.Get("ETag"))
			if status != 304 || len(b) > 0 {
				t.Errorf("%s again: %d, %d bytes", name, status, len(b))
			}
		}
		if status, b, _ := send(t, "HEAD", h.URL+name, nil, "Accept", wantsHTML); status != 200 || len(b) > 0 {
			t.Errorf("HEAD %s: %d, %d bytes", name, status, len(b))
		}
		if status, _, _ := send(t, "POST", h.URL+name, []byte("{}"), "Accept", wantsHTML); status != 404 && status != 405 {
			t.Errorf("POST %s: %d", name, status)
		}
	}
}

func unzip(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// The page is small, and is all there: what its files name is embedded, relative to where it
// lies, and nothing in it is inline or comes from elsewhere.
func TestPageIsWhole(t *testing.T) {
	total, files := 0, pageFiles()
	for name, f := range files {
		if name != "/" {
			total += len(f.gzip)
		}
		if !bytes.Equal(unzip(t, f.gzip), f.plain) {
			t.Errorf("%s: its .gz twin holds something else: run scripts/page", name)
		}
	}
	if total > 150_000 {
		t.Errorf("the page has %d bytes, compressed: more than 150,000", total)
	}
	html := string(files["/"].plain)
	named := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(html, -1)
	if len(named) < 3 {
		t.Errorf("the page names %d files", len(named))
	}
	for _, m := range named {
		if path, ok := strings.CutPrefix(m[1], "."); !ok || files[path] == nil {
			t.Errorf("the page names %s, which is not there", m[1])
		}
	}
	if m := regexp.MustCompile(`(?i)<style|style=|<script[^>]*>[^<]|\son\w+=`).FindString(html); m != "" {
		t.Errorf("the page has %q inline", m)
	}
	for _, name := range []string{"preact", "signals", "marked", "dompurify", "highlight.js"} {
		if !regexp.MustCompile(`(?m)^==== \S*` + regexp.QuoteMeta(name) + `\S* [\d.]+: `).Match(files["/LICENSES.txt"].plain) {
			t.Errorf("LICENSES.txt has nothing about %s", name)
		}
	}
}

// Programs do not get the page, and the page does not stand in the way of the API.
func TestPageIsForBrowsers(t *testing.T) {
	_, h := start(t, serve.Options{})
	for _, accept := range []string{"*/*", "application/json", ""} {
		if _, b, head := send(t, "GET", h.URL+"/", nil, "Accept", accept); bytes.Contains(b, []byte("<!doctype")) {
			t.Errorf("Accept %q gives the page: %v", accept, head)
		}
	}
	for _, path := range []string{"/v1/models", "/health", "/props"} {
		if status, b, _ := send(t, "GET", h.URL+path, nil, "Accept", wantsHTML); status != 200 || b[0] != '{' {
			t.Errorf("%s: %d %.20s", path, status, b)
		}
	}
	for _, path := range []string{"/assets/", "/assets/none.js", "/web/dist/index.html", "/v1", "/index.html.gz", "/assets/../index.html/"} {
		if status, _, _ := send(t, "GET", h.URL+path, nil, "Accept", wantsHTML); status != 404 {
			t.Errorf("%s: %d, want 404", path, status)
		}
	}
	if status, _, _ := send(t, "GET", h.URL+"/", nil, "Accept", wantsHTML, "Host", "evil.example"); status != 403 {
		t.Errorf("a foreign host gives %d", status)
	}
}

func TestPageSwitchedOff(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.Page = false })
	for name := range pageFiles() {
		status, b, _ := send(t, "GET", h.URL+name, nil, "Accept", wantsHTML)
		if name == "/" && strings.Contains(string(b), "switched off") {
			continue
		}
		if status != 404 {
			t.Errorf("%s: %d %.40s", name, status, b)
		}
	}
}

// Under a prefix and with a key the page itself is open, what it asks for is not.
func TestPageWithPrefixAndKey(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.Prefix, c.Keys = "/llm", []string{"secret"} })
	for name := range pageFiles() {
		if status, _, _ := send(t, "GET", h.URL+"/llm"+name, nil, "Accept", wantsHTML); status != 200 {
			t.Errorf("%s: %d", name, status)
		}
		if status, _, _ := send(t, "GET", h.URL+name, nil, "Accept", wantsHTML); status != 404 {
			t.Errorf("%s without the prefix: %d", name, status)
		}
	}
	for _, path := range []string{"/v1/models", "/props", "/slots", "/metrics"} {
		if status, _, _ := send(t, "GET", h.URL+"/llm"+path, nil); status != 401 {
			t.Errorf("%s without a key: %d", path, status)
		}
		if status, _, _ := send(t, "GET", h.URL+"/llm"+path, nil, "Authorization", "Bearer secret"); status != 200 {
			t.Errorf("%s with the key: %d", path, status)
		}
	}
	r, _ := http.NewRequest("GET", h.URL+"/llm", nil)
	r.Header.Set("Accept", wantsHTML)
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != 307 || a.Header.Get("Location") != "/llm/" {
		t.Errorf("the prefix without a slash: %d %v", a.StatusCode, a.Header)
	}
}

// The page is there while the model is loaded: it tells so itself.
func TestPageWhileLoading(t *testing.T) {
	s := New(DefaultConfig())
	r, _ := http.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", wantsHTML)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 200 || !bytes.HasPrefix(w.Body.Bytes(), []byte("<!doctype html>")) {
		t.Errorf("%d %.60s", w.Code, w.Body)
	}
}
