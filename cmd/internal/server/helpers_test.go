package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
	"mptgo/mpt/talk"
	"mptgo/sampling"
)

// start serves the built-in model until the end of the test.
func start(t testing.TB, opt serve.Options, change ...func(*Config)) (*Server, *httptest.Server) {
	t.Helper()
	return startWith(t, opt, nil, change...)
}

// startWith serves it with adapters.
func startWith(t testing.TB, opt serve.Options, with []adapterFile, change ...func(*Config)) (*Server, *httptest.Server) {
	t.Helper()
	var load []mpt.Option
	var adapters []Adapter
	for _, a := range with {
		load = append(load, mpt.LoRA(a.path, a.now))
		adapters = append(adapters, a.Adapter)
	}
	m, err := builtin.Open(load...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c := DefaultConfig()
	c.Loopback = true
	for _, f := range change {
		f(&c)
	}
	s := New(c)
	opt.Observer = s.Observer("mpt-stories")
	if opt.ContextSize == 0 {
		opt.ContextSize = 512
	}
	e, err := serve.New(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	format, err := talk.Model(m).Detect()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(Model{Engine: e, Names: []string{"mpt-stories", "alias"}, Format: format, Adapters: adapters}); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return s, h
}

// post sends a body and returns status, body and headers.
func post(t testing.TB, url, body string, headers ...string) (int, []byte, http.Header) {
	t.Helper()
	return send(t, "POST", url, []byte(body), headers...)
}

func send(t testing.TB, method, url string, body []byte, headers ...string) (int, []byte, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, b, a.Header
}

// object reads a JSON object.
func object(t testing.TB, b []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return v
}

// at returns what lies at a path such as "choices.0.text".
func at(v any, path string) any {
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// events returns the data of a stream of events, and fails for lines of other forms.
func events(t testing.TB, b []byte) (list []string) {
	t.Helper()
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := s.Text()
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			list = append(list, data)
		} else if line != "" && !strings.HasPrefix(line, ": ") {
			t.Fatalf("a line %q", line)
		}
	}
	return list
}

// stable drops what differs between two equal answers: names, times and the cache's part.
func stable(t testing.TB, b []byte) string {
	v := object(t, b)
	for _, name := range []string{"id", "created", "timings"} {
		delete(v, name)
	}
	if u, ok := v["usage"].(map[string]any); ok {
		delete(u, "prompt_tokens_details")
	}
	out, _ := json.Marshal(v)
	return string(out)
}

func waitFor(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after ten seconds: %s", what)
		}
	}
}

func logprob(logits []float32, id int32) float64 {
	return float64(logits[id]) - sampling.LogSum(logits)
}

// first returns the first model, if it is loaded.
func (s *Server) first() *served {
	e := s.models.list()[0]
	_, m := s.models.now(e)
	if m != nil {
		s.models.release(e)
	}
	return m
}
