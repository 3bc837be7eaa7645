package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mptgo/cmd/internal/cli/cmdline"
)

// TestServe starts the command, asks it, and ends it.
func TestServe(t *testing.T) {
	url, end := startServe(t, "--port", "0", "-c", "256", "-np", "2")
	a, err := http.Post(url+"/v1/completions", "", strings.NewReader(`{"prompt":"Once upon a time","max_tokens":4,"temperature":0}`))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if b, _ := io.ReadAll(a.Body); a.StatusCode != 200 || !strings.Contains(string(b), `", there was a"`) {
		t.Errorf("%s %s", a.Status, b)
	}
	if err := checkServer(context.Background(), url); err != nil {
		t.Error(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if err := checkServer(context.Background(), url); err == nil {
		t.Error("the server has ended and is ready")
	}
}

// startServe runs mpt serve until end is called, which returns its error.
func startServe(t *testing.T, args ...string) (url string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var log lockedBuffer
	root := Mpt()
	root.SetArgs(cmdline.LongFlags(root, append([]string{"serve"}, args...)))
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetErr(&log)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	listening := regexp.MustCompile(`listening at (\S+)`)
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		if m := listening.FindStringSubmatch(log.String()); m != nil {
			return m[1], func() error { cancel(); return <-done }
		}
		select {
		case err := <-done:
			t.Fatalf("serve: %v\n%s", err, log.String())
		default:
		}
	}
	t.Fatalf("the server does not begin: %s", log.String())
	return "", nil
}

// lockedBuffer is a buffer that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A unix socket is this user's alone, replaces one that nobody listens at, and is gone
// afterwards.
func TestServeSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // short: the names of sockets are limited
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "m.sock")
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Skip(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	_, end := startServe(t, "--host", name, "-c", "256")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	c := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", name)
	}}}
	a, err := c.Get("http://localhost/health")
	if err != nil || a.StatusCode != 200 {
		t.Errorf("%v, %v", a, err)
	}
	if _, err := listenSocket(name); err == nil {
		t.Error("a second server listens at the same socket")
	}
	c.CloseIdleConnections()
	if err := end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("the socket is left")
	}
}

func TestServeRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	empty := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(empty, []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"--port", port}, "in use"},
		{[]string{"--port", "70000"}, "--port 70000"},
		{[]string{"--api-key-file", empty}, "no key"},
		{[]string{"--api-key-file", empty + "x"}, "--api-key-file"},
		{[]string{"--log-format", "xml"}, "--log-format"},
		{[]string{"--ssl-cert-file", "a.pem"}, "--ssl-key-file"},
		{[]string{"--ssl-cert-file", "a.pem", "--ssl-key-file", "b.pem", "--port", "0"}, "a.pem"},
		{[]string{"--max-queue", "-1"}, "--max-queue"},
		{[]string{"--step-ms", "0"}, "--step-ms"},
		{[]string{"--cache-ram", "-2"}, "--cache-ram"},
		{[]string{"--sse-ping-interval", "0"}, "--sse-ping-interval"},
		{[]string{"--drain", "-1"}, "--drain"},
		{[]string{"--api-prefix", "llm"}, "--api-prefix"},
		{[]string{"--port", "0", "-np", "100000"}, "parallel"},
		{[]string{"--port", "0", "-m", "none.gguf"}, "none.gguf"},
		{[]string{"--port", "0", "--chat-template", "none"}, "--chat-template"},
		{[]string{"--check", "http://127.0.0.1:1"}, "--check"},
	} {
		root := Mpt()
		root.SetArgs(cmdline.LongFlags(root, append([]string{"serve"}, x.args...)))
		root.SilenceErrors, root.SilenceUsage = true, true
		root.SetErr(io.Discard)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := root.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v: %v, want something about %s", x.args, err, x.want)
		}
		cancel()
	}
}
