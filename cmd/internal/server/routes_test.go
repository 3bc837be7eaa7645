package server

import (
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// What holds for all paths holds for every row of the table: keys, the prefix, /v1, slashes at the
// end, CORS, and the counts of requests.
func TestRoutes(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.Keys = []string{"k"}; c.Prefix = "/llm" })
	for _, r := range routes {
		path := strings.ReplaceAll(r.path, "{id...}", "x")
		open := r.path == "/health" || r.path == "/"
		if status, b, _ := send(t, r.method, h.URL+"/llm"+path, []byte("{}")); (status == 401) == open {
			t.Errorf("%s %s without a key: %d %s", r.method, path, status, b)
		}
		for _, form := range []string{"/llm/v1" + path, "/llm" + path, "/llm" + path + "/"} {
			if form == "/llm/v1/" {
				continue // is not the root
			}
			status, b, _ := send(t, r.method, h.URL+form, []byte("["), "X-Api-Key", "k")
			if status == 405 || status == 404 && strings.Contains(string(b), "there is nothing at") {
				t.Errorf("%s %s: %d %s", r.method, form, status, b)
			}
		}
		if r.method == "GET" {
			if status, b, _ := send(t, "HEAD", h.URL+"/llm"+path, nil, "X-Api-Key", "k"); status == 405 || len(b) > 0 {
				t.Errorf("HEAD %s: %d %s", path, status, b)
			}
		}
		status, _, head := send(t, "OPTIONS", h.URL+"/llm"+path, nil, "Origin", "http://localhost:3000", "Access-Control-Request-Headers", "x-api-key")
		if status != 204 || head.Get("Access-Control-Allow-Headers") != "x-api-key" ||
			!strings.Contains(head.Get("Access-Control-Allow-Methods"), r.method) {
			t.Errorf("OPTIONS %s for %s: %d %v", path, r.method, status, head)
		}
	}
	_, b, _ := send(t, "GET", h.URL+"/llm/metrics", nil, "X-Api-Key", "k")
	for _, r := range routes {
		if !strings.Contains(string(b), `mpt_http_requests_total{path="`+r.path+`"`) {
			t.Errorf("%s is not counted", r.path)
		}
	}
}
