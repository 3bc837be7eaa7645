package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"mptgo/mpt/serve"
)

// Each key has so many requests, which come back as time goes by. What has the model do nothing
// is not counted.
func TestRateLimit(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.Keys, c.Rate = []string{"one", "two"}, Rate{3, time.Hour} })
	ask := func(path, key string) (int, []byte, http.Header) {
		return post(t, h.URL+path, `{"prompt":"Once","max_tokens":1}`, "Authorization", "Bearer "+key)
	}
	for i := range 3 {
		if status, b, _ := ask("/tokenize", "one"); status != 200 {
			t.Fatalf("%s", b)
		}
		status, b, head := ask("/v1/completions", "one")
		if status != 200 || head.Get("x-ratelimit-limit-requests") != "3" || head.Get("x-ratelimit-remaining-requests") != fmt.Sprint(2-i) {
			t.Errorf("request %d: %d %s %v", i, status, b, head)
		}
		reset, err := time.ParseDuration(head.Get("x-ratelimit-reset-requests"))
		if most := time.Duration(i+1) * 20 * time.Minute; err != nil || reset > most || reset < most-time.Minute {
			t.Errorf("request %d: all are back in %v, %v", i, reset, err)
		}
	}
	status, b, head := ask("/v1/completions", "one")
	checkError(t, "too many", "/v1/completions", status, 429, "rate_limit_exceeded", "", b, head)
	if after, err := strconv.Atoi(head.Get("Retry-After")); err != nil || after < 19*60 || after > 20*60 || !strings.Contains(string(b), "3 requests an hour") {
		t.Errorf("again after %d, %v: %s", after, err, b)
	}
	if ms, err := strconv.Atoi(head.Get("Retry-After-Ms")); err != nil || ms < 19*60_000 || ms > 20*60_000 {
		t.Errorf("again after %d ms, %v", ms, err)
	}
	for path, form := range map[string]string{"/api/chat": `{"error":"more than`, "/v1/messages": `"type":"rate_limit_error"`} {
		if status, b, _ := ask(path, "one"); status != 429 || !strings.Contains(string(b), form) {
			t.Errorf("%s: %d %s", path, status, b)
		}
	}
	if status, b, _ := ask("/v1/completions", "two"); status != 200 {
		t.Errorf("another key: %d %s", status, b)
	}
	if status, _, head := send(t, "GET", h.URL+"/v1/models", nil, "Authorization", "Bearer one"); status != 200 || head.Get("x-ratelimit-limit-requests") != "" {
		t.Errorf("models: %d %v", status, head)
	}
}

// A key has so many tokens, of prompts and of all that was written: every choice counts, also those that
// best_of does not answer with, and what nobody waited for. Who owes tokens waits until they are back.
func TestTokenLimit(t *testing.T) {
	s, h := start(t, serve.Options{ContextSize: 512}, func(c *Config) {
		c.Keys, c.TokenRate = []string{"one", "two"}, Rate{100, time.Hour}
	})
	ask := func(body, key string) (int, []byte, http.Header) {
		return post(t, h.URL+"/v1/completions", body, "Authorization", "Bearer "+key)
	}
	const many = `{"prompt":[[5,6,7]],"max_tokens":20,"ignore_eos":true,"n":1,"best_of":4}`
	status, b, head := ask(many, "one")
	if status != 200 || head.Get("x-ratelimit-limit-tokens") != "100" || head.Get("x-ratelimit-remaining-tokens") != "100" {
		t.Fatalf("%d %s %v", status, b, head)
	}
	if status, b, head = ask(many, "one"); status != 200 || head.Get("x-ratelimit-remaining-tokens") != "17" {
		t.Errorf("after 3 + 4*20 tokens: %d %s %v", status, b, head)
	}
	status, b, head = ask(many, "one")
	checkError(t, "too many", "/v1/completions", status, 429, "rate_limit_exceeded", "", b, head)
	after, err := strconv.Atoi(head.Get("Retry-After")) // 67 are owed, one has to be there
	if err != nil || after < 67*36 || after > 67*36+36 || !strings.Contains(string(b), "100 tokens an hour") {
		t.Errorf("again after %d, %v: %s", after, err, b)
	}
	if head.Get("x-ratelimit-remaining-tokens") != "0" {
		t.Errorf("%v", head)
	}

	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/completions",
		strings.NewReader(`{"prompt":[[5,6,7]],"max_tokens":400,"ignore_eos":true,"stream":true}`))
	r.Header.Set("Authorization", "Bearer two")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(answer.Body, make([]byte, 1000))
	cancel()
	answer.Body.Close()
	waitFor(t, "what nobody waited for does not count", func() bool { return s.tokens.bucket("key 2", time.Now()).Tokens() < 97 })
}

// What ends before its turn comes has taken nothing, whatever its prompt is.
func TestNothingSpent(t *testing.T) {
	s, h := start(t, serve.Options{ContextSize: 2000, Parallel: 1})
	e := s.first().Engine
	leave := hold(t, s, h.URL)
	ctx, cancel := context.WithCancel(t.Context())
	r := serve.Request{Prompt: []int32{5, 6, 7}, MaxTokens: 2, IgnoreEOS: true}
	x, err := e.Submit(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "nothing waits", func() bool { return e.Stats().Waiting == 1 })
	cancel()
	if _, ok := x.Next(); ok || x.Err() == nil || spent(x) != 0 {
		t.Errorf("%v: %+v, counted as %d tokens", x.Err(), x.Usage(), spent(x))
	}
	leave()
	if x, err = e.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for ok := true; ok; {
		_, ok = x.Next()
	}
	if x.Err() != nil || spent(x) != 5 {
		t.Errorf("%v: %+v, counted as %d tokens", x.Err(), x.Usage(), spent(x))
	}
}

// Who owes more than time can be told of is not told to come back at once.
func TestOwedForLong(t *testing.T) {
	l := &throttle{rate: Rate{1, 24 * time.Hour}, unit: inTokens}
	l.spend("", 1_000_000)
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
	r = r.WithContext(context.WithValue(r.Context(), aboutKey{}, &about{}))
	err := l.check(w, r, time.Now())
	if err == nil || err.Status != 429 {
		t.Fatal(err)
	}
	if after, _ := strconv.Atoi(err.Head["Retry-After"]); after < 1e9 {
		t.Errorf("again after %d seconds: %s", after, err.Message)
	}
	if reset := w.Header().Get("X-Ratelimit-Reset-Tokens"); strings.HasPrefix(reset, "-") {
		t.Error(reset)
	}
}

func TestRateComesBack(t *testing.T) {
	l := &throttle{rate: Rate{2, time.Second}, unit: inRequests}
	now := time.Now()
	b := l.bucket("k", now)
	for i, want := range []bool{true, true, false} {
		if got := b.AllowN(now, 1); got != want {
			t.Errorf("request %d: %v", i, got)
		}
	}
	if b = l.bucket("k", now); b.AllowN(now.Add(490*time.Millisecond), 1) || !b.AllowN(now.Add(510*time.Millisecond), 1) {
		t.Error("one comes back in half a second")
	}
	if x, y := subscriber("2001:db8::1"), subscriber("2001:db8::ffff:2"); x != y || x == subscriber("2001:db8:0:1::1") {
		t.Errorf("%s and %s", x, y)
	}
	if subscriber("10.0.0.1") == subscriber("10.0.0.2") || subscriber("key 1") != "key 1" {
		t.Error("addresses of version 4, and keys, stand for themselves")
	}
	for i := range 2 * mostBuckets {
		l.bucket(fmt.Sprint("key ", i), now)
	}
	if len(l.by) > mostBuckets {
		t.Errorf("%d keys are remembered", len(l.by))
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{"60": {60, time.Minute}, "5/s": {5, time.Second}, "60/m": {60, time.Minute}, "1000/h": {1000, time.Hour},
		"1/d": {1, 24 * time.Hour}} {
		if got, err := ParseRate(text, "requests"); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "x", "5/", "5/w", "/s", "5/s/s", "1.5", "9999999999999", "5 /s"} {
		if got, err := ParseRate(text, "requests"); err == nil || !strings.Contains(err.Error(), "requests a minute") {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}
