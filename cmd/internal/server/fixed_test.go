package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// fixed answers a request with what is fixed of it.
func (s *Server) fixed(x *Fixed, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://localhost"+path, strings.NewReader(body))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r.WithContext(x.In(r.Context())))
	return w
}

// An answer of which all is fixed is the same bytes every time, has the names and the time that
// are told, and comes in one piece.
func TestFixed(t *testing.T) {
	s, _ := start(t, serve.Options{}, func(c *Config) { c.Fixed = true })
	x := &Fixed{ID: "some", Created: 42}
	for path, body := range map[string]string{
		"/v1/completions":      `{"prompt":"Once upon a time","max_tokens":6,"stream":true}`,
		"/v1/chat/completions": `{"messages":[{"role":"user","content":"Hello"}],"max_tokens":6,"stream":true,"return_progress":true}`,
	} {
		first, again := s.fixed(x, path, body), s.fixed(x, path, body)
		if first.Code != http.StatusOK || first.Body.String() != again.Body.String() {
			t.Errorf("%s: %d, %s\nthen %s", path, first.Code, first.Body, again.Body)
		}
		b := object(t, first.Body.Bytes())
		if id, _ := b["id"].(string); !strings.HasSuffix(id, "-some") || b["created"] != 42.0 || b["timings"] != nil {
			t.Errorf("%s: %v", path, b)
		}
		if u := b["usage"].(map[string]any); u["prompt_tokens_details"] != nil || u["completion_tokens"] == nil {
			t.Errorf("%s: the usage %v", path, u)
		}
	}
	x.MaxTokens = 2
	b := object(t, s.fixed(x, "/v1/completions", `{"prompt":"Once","max_tokens":6}`).Body.Bytes())
	if at(b, "usage.completion_tokens") != 2.0 || at(b, "choices.0.finish_reason") != "length" {
		t.Errorf("limited: %v", b)
	}
	if w := s.fixed(x, "/v1/completions", `{"prompt":"Once","model":"other"}`); w.Code != 404 {
		t.Errorf("another model: %d, %s", w.Code, w.Body)
	}
	x.AnyModel = true
	b = object(t, s.fixed(x, "/v1/completions", `{"prompt":"Once","model":"other"}`).Body.Bytes())
	if b["model"] != "mpt-stories" {
		t.Errorf("any model: %v", b)
	}
}

// With Plan nothing is evaluated, and what would be refused is.
func TestPlan(t *testing.T) {
	s, _ := start(t, serve.Options{ContextSize: 64})
	var all []serve.Request
	x := &Fixed{Plan: func(r serve.Request) { all = append(all, r) }}
	w := s.fixed(x, "/v1/completions", `{"prompt":["Once","upon a time"],"max_tokens":6}`)
	if w.Code != http.StatusOK || w.Body.Len() > 0 || len(all) != 2 || all[1].MaxTokens != 6 || len(all[0].Prompt) == 0 {
		t.Errorf("%d %q, %d requests", w.Code, w.Body, len(all))
	}
	w = s.fixed(x, "/v1/completions", `{"prompt":["a","`+strings.Repeat("a cat ", 100)+`"]}`)
	if at(object(t, w.Body.Bytes()), "error.code") != "context_length_exceeded" || len(all) != 2 {
		t.Errorf("%d %q, %d requests", w.Code, w.Body, len(all))
	}
	if n := s.first().Engine.Stats().Steps; n != 0 {
		t.Errorf("%d steps", n)
	}
}
