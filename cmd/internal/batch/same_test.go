package batch

import (
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
	"mptgo/mpt/serve"
)

// asks are requests of all kinds, good and bad.
var asks = []struct{ url, body string }{
	{"/v1/completions", `{"prompt":"Once upon a time","max_tokens":6}`},
	{"/v1/completions", `{"prompt":"Once upon a time","max_tokens":6,"seed":7,"stream":true,"stream_options":{"include_usage":true}}`},
	{"/v1/completions", `{"prompt":["The cat","The dog"],"max_tokens":4,"n":2,"logprobs":2,"seed":-1}`},
	{"/v1/completions", `{"prompt":"Lily went","max_tokens":0,"echo":true,"logprobs":1}`},
	{"/v1/completions", `{"prompt":[5,6,7],"max_tokens":3,"temperature":0,"return_progress":true}`},
	{"/v1/completions", `{"prompt":"One day","max_tokens":20,"stop":[" a"],"temperature":0}`},
	{"/v1/completions", `{"prompt":"x","max_tokens":5,"n":16}`},
	{"/v1/completions", `{"prompt":"Answer:","max_tokens":12,"guided_choice":["yes","no"]}`},
	{"/v1/completions", `{"prompt":"{}","max_tokens":40,"json_schema":{"type":"object","properties":{"b":{"type":"boolean"},"a":{"type":"boolean"}},"required":["a","b"]}}`},
	{"/v1/chat/completions", `{"messages":[{"role":"user","content":"Hello"}],"max_tokens":6}`},
	{"/v1/chat/completions", `{"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"größe 👩‍🚀"}],"max_tokens":4,"logprobs":true,"top_logprobs":2,"cache_salt":"s"}`},
	{"/v1/chat/completions", `{"model":"mpt-stories","messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Once"}],"max_tokens":6,"priority":1}`},
	{"/v1/chat/completions", `{"messages":[]}`},
	{"/v1/chat/completions", `{"messages":[{"role":"user","content":"a"}],"tools":[{}]}`},
	{"/v1/completions", `{"prompt":"a","temperature":-1}`},
	{"/v1/completions", `{"prompt":"` + strings.Repeat("a cat and ", 600) + `"}`},
	{"/v1/completions", `{"prompt":"a","n":17}`},
	{"/v1/completions", `[]`},
	{"/v1/completions", `{"prompt":"a","grammar":"root ::="}`},
	{"/v1/embeddings", `{"input":"a"}`},
}

// asked are the lines for these, some of which have the beginning in common.
func asked(n int) string {
	var b strings.Builder
	for i := range n {
		a := asks[i%len(asks)]
		if i >= len(asks) {
			a.url, a.body = "/v1/completions", fmt.Sprintf(`{"prompt":"Once upon a time there was a little girl named Lily. She liked the number %d","max_tokens":%d}`, i, 1+i%7)
		}
		fmt.Fprintf(&b, `{"custom_id":"ask %d","method":"POST","url":%q,"body":%s}`+"\n", i, a.url, a.body)
	}
	return b.String()
}

// The outputs are the same bytes, whatever the number of threads and of requests at the same
// time, with a cache or without, with little memory, and in parts.
func TestSameBytes(t *testing.T) {
	n := 40
	if testing.Short() {
		n = len(asks)
	}
	input := mixed() + "\n" + asked(n)
	var want outcome
	for i, c := range []struct {
		threads, parallel int
		cache             int64
	}{{1, 1, -1}, {2, 4, 0}, {2, 16, 0}, {1, 16, 1 << 20}} {
		if testing.Short() && i == 1 {
			continue
		}
		w, _ := local(t, serve.Options{CacheBytes: c.cache}, mpt.Threads(c.threads))
		w.MaxTokens = 40 // some have no limit of their own
		opt := options(t, input)
		opt.Parallel = c.parallel
		got := done(t, opt, w)
		if i == 0 {
			want = got
			continue
		}
		if got != want {
			t.Fatalf("%+v: %s\nwant %s", c, difference(got, want), difference(want, got))
		}
	}
	w, _ := local(t, serve.Options{})
	w.MaxTokens = 40
	opt := options(t, input)
	for i := range 3 {
		o := opt
		o.Shard = Shard{i, 3}
		if _, err := run(t.Context(), o, w); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Merge(t.Context(), opt.Output, "", true); err != nil {
		t.Fatal(err)
	}
	if got := written(t, opt); got != want {
		t.Errorf("merged: %s\nwant %s", difference(got, want), difference(want, got))
	}
}

// difference returns the first line of a that b does not have.
func difference(a, b outcome) string {
	for l := range strings.Lines(a.answers + a.errors) {
		if !strings.Contains(b.answers+b.errors, l) {
			return l
		}
	}
	return ""
}

// The body of every answer is what the server answers to the same request, but for its id, its
// time, what says how long it took, and what was found in the cache.
func TestAsServed(t *testing.T) {
	w, _ := local(t, serve.Options{})
	h := httptest.NewServer(w.Handler)
	defer h.Close()
	opt := options(t, asked(len(asks)))
	opt.Parallel = 16
	got := done(t, opt, w)
	all := map[string]response{}
	for l := range strings.Lines(got.answers + got.errors) {
		var x line
		if err := json.Unmarshal([]byte(l), &x); err != nil || x.Response == nil {
			t.Fatalf("%v: %s", err, l)
		}
		all[*x.CustomID] = *x.Response
	}
	for i, a := range asks {
		r := all[fmt.Sprint("ask ", i)]
		body := strings.ReplaceAll(strings.ReplaceAll(a.body, `"stream":true`, `"stream":false`), `"return_progress":true`, `"seed":0`)
		status, want := post(t, h.URL+a.url, body)
		if r.Status != status {
			t.Errorf("%s: %d, and served %d", a.body, r.Status, status)
		}
		if status == http.StatusOK && !strings.Contains(body, `"seed":7`) {
			// The server draws a seed where none is asked for. Here it is 0, too.
			if !strings.Contains(string(want), `"seed":0`) {
				t.Errorf("%s: %s", body, want)
			}
		}
		if x, y := stable(t, r.Body), stable(t, want); x != y {
			t.Errorf("%s:\n%s\nand served\n%s", a.body, x, y)
		}
		for _, name := range []string{"timings", "prompt_tokens_details"} {
			if strings.Contains(string(r.Body), name) {
				t.Errorf("%s: %s is in the answer: %s", a.body, name, r.Body)
			}
		}
		if status == http.StatusOK && !strings.Contains(string(r.Body), `"created":1700000000`) {
			t.Errorf("%s: another time: %s", a.body, r.Body)
		}
	}
}

func post(t *testing.T, url, body string) (int, []byte) {
	t.Helper()
	a, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, b
}

// stable drops what the two may not have in common.
func stable(t *testing.T, b []byte) string {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	for _, name := range []string{"id", "created", "timings"} {
		delete(v, name)
	}
	if u, ok := v["usage"].(map[string]any); ok {
		delete(u, "prompt_tokens_details")
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// Limits of time and of tokens.
func TestRequestLimits(t *testing.T) {
	w, _ := local(t, serve.Options{})
	input := lineOf("a", `{"prompt":"Once","max_tokens":300,"ignore_eos":true}`) + lineOf("b", `{"prompt":"Once","max_tokens":2}`)
	w.MaxTokens = 3
	got := done(t, options(t, input), w)
	if !strings.Contains(got.answers, `"completion_tokens":3,`) || !strings.Contains(got.answers, `"completion_tokens":2,`) ||
		strings.Count(got.answers, `"finish_reason":"length"`) != 2 {
		t.Errorf("%q", got)
	}
	w.MaxTokens, w.Timeout = 0, time.Nanosecond
	input = strings.Replace(input, `"max_tokens":2}`, `"max_tokens":300,"ignore_eos":true}`, 1) // no answer is there first
	got = done(t, options(t, input), w)
	if strings.Count(got.errors, `"response":null,"error":{"code":"request_timeout","message":"line `) != 2 {
		t.Errorf("%q", got)
	}
}

// With AnyModel the model answers under its own name.
func TestAnyModel(t *testing.T) {
	w, _ := local(t, serve.Options{})
	opt := options(t, lineOf("a", `{"model":"gpt-4o","prompt":"Once","max_tokens":2}`)+lineOf("b", `{"model":7,"prompt":"Once"}`))
	opt.Models, w.AnyModel = nil, true
	got := done(t, opt, w)
	if !strings.Contains(got.answers, `"model":"mpt-stories"`) || strings.Contains(got.answers, "gpt") ||
		!strings.Contains(got.errors, "model: want a string") {
		t.Errorf("%q", got)
	}
}

// A thousand prompts that begin alike are evaluated as if there were one beginning, and the
// plan has foretold how many tokens that takes.
func TestSharedPrefix(t *testing.T) {
	n, shared := 1000, 500
	if testing.Short() {
		n, shared = 100, 200
	}
	w, e := local(t, serve.Options{ContextSize: 600})
	ids := make([]string, shared)
	for i := range ids {
		ids[i] = fmt.Sprint(100 + i%400)
	}
	var b strings.Builder
	for i := range n {
		own := make([]string, 20)
		for k := range own {
			own[k] = fmt.Sprint(1000 + (i*7+k*i*13)%1000)
		}
		own[0], own[1] = fmt.Sprint(1000+i/40), fmt.Sprint(1000+i%40)
		b.WriteString(lineOf(fmt.Sprint(i), `{"max_tokens":1,"prompt":[`+strings.Join(append(ids[:shared:shared], own...), ",")+`]}`))
	}
	opt := options(t, b.String())
	opt.Parallel = 16
	j, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p, err := j.Plan(t.Context(), w, 600)
	if err != nil {
		t.Fatal(err)
	}
	before := e.Stats().PromptTokens
	if before != 0 || p.Requests != n || p.PromptTokens != int64(n*(shared+20)) || p.AnswerTokens != int64(n) {
		t.Errorf("%d tokens evaluated for the plan %+v", before, p)
	}
	c, err := j.Run(t.Context(), identity, w)
	if err != nil || c.Failed > 0 {
		t.Fatal(c, err)
	}
	took := e.Stats().PromptTokens
	t.Logf("%d tokens of prompts, %d distinct, %d evaluated: %.4f", p.PromptTokens, p.DistinctTokens, took, float64(took)/float64(p.DistinctTokens))
	if p.DistinctTokens > int64(shared+20*n) || p.DistinctTokens < int64(shared+18*n) || took < p.DistinctTokens || float64(took) > 1.05*float64(p.DistinctTokens) {
		t.Errorf("%d tokens are distinct, and %d were evaluated", p.DistinctTokens, took)
	}
}

// What the server answers is a result or not: that depends on whose fault it is.
func TestStatuses(t *testing.T) {
	for status, want := range map[int]string{
		200: "", 400: "", 404: "", 413: "", 501: "", 500: "the engine failed: why", 429: "line 1: status 429: why", 503: "line 1: status 503: why",
	} {
		l := &Local{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, `{"error":{"message":"why"}}`)
		})}
		a, err := l.Answer(t.Context(), &Request{Line: 1, URL: "/v1/completions"})
		if err != nil && err.Error() != want || err == nil && (want != "" || a.Status != status) {
			t.Errorf("%d: %v, %v", status, a, err)
		}
	}
}
