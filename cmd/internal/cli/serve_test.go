package cli

import (
	"bytes"
	"context"
	"encoding/json"
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
	"mptgo/internal/forge"
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

// What is off unless it is asked for.
func TestServeFeatures(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "slots")
	url, end := startServe(t, "--port", "0", "-c", "256", "--pooling", "mean", "--rate-limit", "3/h", "--slot-save-path", dir)
	for _, x := range []struct {
		path, body string
		status     int
	}{
		{"/v1/embeddings", `{"input":"a"}`, 200},
		{"/completion", `{"prompt":"Once upon a time","n_predict":1,"id_slot":0}`, 200},
		{"/slots/0?action=save", `{"filename":"a"}`, 200},
		{"/v1/embeddings", `{"input":"a"}`, 429},
	} {
		a, err := http.Post(url+x.path, "", strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(a.Body); a.StatusCode != x.status {
			t.Errorf("%s: %s %s", x.path, a.Status, b)
		}
		a.Body.Close()
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 || files[0].Name() != "a" {
		t.Errorf("%v, %v", files, err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// With --log-format json every line is an object, also those beside the log.
func TestServeLogLines(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var log lockedBuffer
	root := Mpt()
	root.SetArgs(cmdline.LongFlags(root, []string{"serve", "--port", "0", "-c", "64", "--log-format", "json", "--log-text"}))
	root.SetErr(&log)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(log.String(), "listening at"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(log.String())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(log.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil || v["msg"] == "" {
			t.Errorf("%v: %s", err, line)
		}
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
	mini, tune := filepath.Join(t.TempDir(), "mini.gguf"), filepath.Join(t.TempDir(), "tune.gguf")
	for path, file := range map[string]*forge.Mini{mini: forge.NewMini(), tune: forge.NewMiniAdapter()} {
		if err := os.WriteFile(path, file.File(t), 0o600); err != nil {
			t.Fatal(err)
		}
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
		{[]string{"--pooling", "max"}, "--pooling"},
		{[]string{"--rate-limit", "often"}, "--rate-limit"},
		{[]string{"--rate-limit-tokens", "5/w"}, "--rate-limit-tokens: \"5/w\": want tokens a minute"},
		{[]string{"--slot-save-path", empty}, "--slot-save-path"},
		{[]string{"--slot-save-path", "slots", "--cache-ram", "0"}, "--slot-save-path"},
		{[]string{"--api-prefix", "llm"}, "--api-prefix"},
		{[]string{"--port", "0", "-np", "100000"}, "parallel"},
		{[]string{"--port", "0", "-m", "none.gguf"}, "none.gguf"},
		{[]string{"--port", "0", "-m", "a=none.gguf", "-m", "b=none.gguf"}, "none.gguf"},
		{[]string{"--port", "0", "-m", "=none.gguf"}, "before the ="},
		{[]string{"--port", "0", "-m", "a="}, "name of the file is empty"},
		{[]string{"--port", "0", "-m", mini, "-m", mini}, "are called"},
		{[]string{"--port", "0", "-m", "a=" + mini, "--lora", "a=" + tune}, "are called"},
		{[]string{"--port", "0", "-m", "a=" + mini, "--lora", tune, "--lora", tune}, "are called"},
		{[]string{"--port", "0", "-m", "a=" + mini, "-m", "b=" + tune}, "adapter"},
		{[]string{"--port", "0", "--lora", tune}, "tune.gguf"},
		{[]string{"--port", "0", "-m", mini, "-hf", "a/b"}, "--hf-repo"},
		{[]string{"--models-max", "-1"}, "--models-max"},
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

// TestServeSeveral: a request names a model or an adapter of those that the flags name.
func TestServeSeveral(t *testing.T) {
	dir := t.TempDir()
	plain, named := filepath.Join(dir, "plain.gguf"), filepath.Join(dir, "b=c.gguf")
	for _, path := range []string{plain, named} {
		if err := os.WriteFile(path, forge.NewMini().File(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	adapter := filepath.Join(dir, "tune.gguf")
	tune := forge.NewMiniAdapter()
	for _, data := range tune.Data {
		for i := 3; i < len(data); i += 12 { // the sign of every third number: else a norm's rows sum up to 0
			data[i] ^= 0x80
		}
	}
	if err := os.WriteFile(adapter, tune.File(t), 0o600); err != nil {
		t.Fatal(err)
	}
	url, end := startServe(t, "--port", "0", "-c", "60", "-a", "first,1st", "-m", plain, "-m", named, "-m", "other="+plain,
		"--lora", adapter+":-1", "--lora", "same="+adapter, "--models-max", "2", "--lora-init-without-apply")
	ask := func(model string) (int, string) {
		t.Helper()
		a, err := http.Post(url+"/v1/completions", "", strings.NewReader(`{"prompt":"Once","max_tokens":8,"temperature":0,"model":"`+model+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		b, _ := io.ReadAll(a.Body)
		text := regexp.MustCompile(`"text":".*?"}`).FindString(string(b))
		return a.StatusCode, text
	}
	texts := map[string]string{}
	for _, name := range []string{"first", "1st", "b=c", "other", "tune", "same"} {
		status, text := ask(name)
		if texts[name] = text; status != 200 || text == "" {
			t.Errorf("%s: %d %q", name, status, text)
		}
	}
	if texts["first"] != texts["other"] || texts["1st"] != texts["b=c"] || texts["tune"] == texts["other"] || texts["tune"] == texts["same"] {
		t.Errorf("%q", texts)
	}
	if status, _ := ask("plain"); status != 404 {
		t.Errorf("a file's name: %d", status)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}
