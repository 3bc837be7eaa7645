package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/serve"
)

func TestDisconnect(t *testing.T) {
	s, h := start(t, serve.Options{Parallel: 2, ContextSize: 2000})
	slots := func() int { return len(s.first().Engine.Stats().Slots) }
	n := int64(0)
	for path, body := range map[string]string{
		"/v1/completions": `{"prompt":"Once"`, "/completion": `{"prompt":"Once"`, "/v1/chat/completions": `{` + question,
		"/api/chat": `{` + question, "/api/generate": `{"prompt":"Once"`, "/v1/messages": `{` + question + `,"max_tokens":1900`,
		"/v1/responses": `{"input":"Once"`,
	} {
		for _, stream := range []string{"true", "false"} {
			ctx, cancel := context.WithCancel(context.Background())
			body := body + `,"ignore_eos":true,"stream":` + stream + `}`
			r, _ := http.NewRequestWithContext(ctx, "POST", h.URL+path, strings.NewReader(body))
			go http.DefaultClient.Do(r)
			waitFor(t, "nothing runs of "+path, func() bool { return slots() == 1 })
			cancel()
			waitFor(t, "the request goes on: "+path, func() bool { return slots() == 0 })
			n++
		}
	}
	waitFor(t, "they are not counted", func() bool { return s.first().Engine.Stats().Requests[mpt.EndedCancelled] == n })
}

func TestRawConnections(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.BodyTimeout = 200 * time.Millisecond; c.Ping = 5 * time.Millisecond })
	addr := h.Listener.Addr().String()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	var idle []net.Conn
	for range 200 {
		idle = append(idle, dial())
	}
	body := `{"prompt":"Once","max_tokens":2,"seed":1}`
	head := "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

	slow := dial() // a byte at a time is no silence
	fmt.Fprintf(slow, "%sContent-Length: %d\r\n\r\n", head, len(body))
	for i := range body {
		io.WriteString(slow, body[i:i+1])
		time.Sleep(time.Millisecond)
	}
	expect(t, slow, "HTTP/1.1 200")

	silent := dial() // but this is
	fmt.Fprintf(silent, "%sContent-Length: %d\r\n\r\n%s", head, len(body)+1, body)
	expect(t, silent, "HTTP/1.1 400")

	gone := dial()
	fmt.Fprintf(gone, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body[:10])
	gone.Close()

	piped := dial()
	for range 3 {
		fmt.Fprintf(piped, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	r := bufio.NewReader(piped)
	for i := range 3 {
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("pipelined answer %d: %v", i, err)
		}
		io.Copy(io.Discard, a.Body)
		if a.StatusCode != 200 {
			t.Errorf("pipelined answer %d: %s", i, a.Status)
		}
	}
	for name, text := range map[string]string{
		"no host":        "GET /health HTTP/1.1\r\n\r\n",
		"two lengths":    head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"nonsense":       "hello\r\n\r\n",
		"a bad chunk":    head + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"an old version": "GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n",
	} {
		c := dial()
		io.WriteString(c, text)
		line, _ := bufio.NewReader(c).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 400") && !strings.HasPrefix(line, "HTTP/1.1 505") {
			t.Errorf("%s: %q", name, line)
		}
	}
	chunked := dial()
	fmt.Fprintf(chunked, "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, len(body), body)
	expect(t, chunked, "HTTP/1.1 200")
	for _, c := range idle { // all of them still work
		io.WriteString(c, "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
	}
	for _, c := range idle {
		expect(t, c, "HTTP/1.0 200")
	}
}

func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	line, err := bufio.NewReader(c).ReadString('\n')
	if !strings.HasPrefix(line, want) {
		t.Errorf("%q, %v, want %s", line, err, want)
	}
}

func TestQueueFull(t *testing.T) {
	s, h := start(t, serve.Options{Parallel: 1, MaxQueue: 1, ContextSize: 2000})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for range 2 {
		r, _ := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/completions", strings.NewReader(`{"prompt":"Once","ignore_eos":true,"max_tokens":1900}`))
		go http.DefaultClient.Do(r)
		waitFor(t, "nothing runs", func() bool { return len(s.first().Engine.Stats().Slots) == 1 })
	}
	waitFor(t, "nothing waits", func() bool { return s.first().Engine.Stats().Waiting == 1 })
	status, b, head := post(t, h.URL+"/v1/completions", `{"prompt":"Once","max_tokens":1,"stream":true}`)
	if status != 429 || head.Get("Retry-After") == "" || at(object(t, b), "error.code") != "queue_full" {
		t.Errorf("%d %v %s", status, head, b)
	}
	if status, _, _ := send(t, "GET", h.URL+"/health", nil); status != 200 {
		t.Errorf("health is %d", status)
	}
}

func TestStreamThenRequest(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.WriteWait = 300 * time.Millisecond; c.BodyTimeout = 300 * time.Millisecond })
	c, err := net.Dial("tcp", h.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	for _, body := range []string{
		`{"prompt":"Once","max_tokens":3,"stream":true}`, `{"messages":[{"role":"user","content":"a"}],"max_tokens":3,"stream":true}`,
		`{"prompt":"Once","n_predict":3,"stream":true}`, `{"prompt":"Once","ignore_eos":true,"max_tokens":800}`, // longer than BodyTimeout
	} {
		path := "/v1/completions"
		if strings.Contains(body, "messages") {
			path = "/v1/chat/completions"
		} else if strings.Contains(body, "n_predict") {
			path = "/completion"
		}
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if _, err := io.Copy(io.Discard, a.Body); err != nil || a.StatusCode != 200 {
			t.Errorf("%s: %s, %v", body, a.Status, err)
		}
		time.Sleep(400 * time.Millisecond)
	}
}

func TestPing(t *testing.T) {
	s, h := start(t, serve.Options{Parallel: 1, ContextSize: 2000}, func(c *Config) { c.Ping = 2 * time.Millisecond })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/completions", strings.NewReader(`{"prompt":"Once","ignore_eos":true,"max_tokens":1900}`))
	go http.DefaultClient.Do(r)
	waitFor(t, "nothing runs", func() bool { return len(s.first().Engine.Stats().Slots) == 1 })
	r, _ = http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/completions", strings.NewReader(`{"prompt":"Once","max_tokens":1,"stream":true}`))
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if line, err := bufio.NewReader(a.Body).ReadString('\n'); line != ": ping\n" {
		t.Errorf("%q, %v", line, err)
	}
}
