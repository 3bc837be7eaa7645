package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mptgo/cmd/internal/batch"
	"mptgo/cmd/internal/batch/queue"
	"mptgo/cmd/internal/cli"
)

// TestMain lets the tests start this binary as the server, as mpt, and as what answers requests
// alone: processes can be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("MPT_TEST_AS") {
	case "mpt-batchd":
		main()
		os.Exit(0)
	case "mpt":
		os.Exit(cli.Main(cli.Mpt(), os.Args[1:]))
	case "stub-worker":
		stubWorker(os.Args[1])
		os.Exit(0)
	case "alone":
		if err := batch.ServeAlone(context.Background(), &stub{alone: true}, os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// as returns this binary as another program.
func as(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "MPT_TEST_AS="+program)
	return cmd
}

// site is a server in a process of its own, and what the tests of one batch have in common.
type site struct {
	t     testing.TB
	dir   string
	port  int
	extra []string // arguments of the server
	cmd   *exec.Cmd
	mu    sync.Mutex
	notes []string
}

func newSite(t testing.TB, extra ...string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), port: freePort(t), extra: extra}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *site) url() string   { return fmt.Sprintf("nats://127.0.0.1:%d", s.port) }
func (s *site) store() string { return filepath.Join(s.dir, "store") }

// start starts the server and waits until it answers.
func (s *site) start() {
	s.t.Helper()
	s.cmd = as("mpt-batchd", append([]string{"--store", s.store(), "--listen", fmt.Sprintf("127.0.0.1:%d", s.port)}, s.extra...)...)
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for limit := time.Now().Add(60 * time.Second); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port)); err == nil {
			c.Close()
			return
		}
	}
	text, _ := os.ReadFile(filepath.Join(s.dir, "server.log"))
	s.t.Fatalf("the server does not answer: %s", text)
}

func (s *site) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// connect connects with short waits.
func (s *site) connect(url string, change ...func(*queue.Options)) *queue.Queue {
	s.t.Helper()
	o := queue.Options{
		URL: url, AckWait: 1500 * time.Millisecond, Wait: 2 * time.Second, Retry: 50 * time.Millisecond, Check: 500 * time.Millisecond,
		Note: func(format string, args ...any) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.notes = append(s.notes, fmt.Sprintf(format, args...))
		},
	}
	for _, f := range change {
		f(&o)
	}
	var q *queue.Queue
	var err error
	for limit := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if q, err = queue.Connect(o); err == nil || time.Now().After(limit) {
			break
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(q.Close)
	return q
}

// told reports whether somebody was told a text.
func (s *site) told(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.notes {
		if strings.Contains(n, text) {
			return true
		}
	}
	return false
}

var identity = batch.Identity{Model: strings.Repeat("ab", 32), Numerics: 1, Options: map[string]string{"--temp": "0.8", "--limit": "0"}}

// stub answers by what a request says. A request with the word poison ends its process.
type stub struct {
	delay time.Duration
	wrong bool                 // it computes wrong
	die   func(*batch.Request) // what poison does where others are answered, too
	alone bool
}

func (s *stub) Answer(ctx context.Context, r *batch.Request) (batch.Answer, error) {
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
			return batch.Answer{}, context.Cause(ctx)
		}
	}
	if strings.Contains(string(r.Body), "poison") {
		switch {
		case s.alone:
			os.Exit(7)
		case s.die == nil:
			return batch.Answer{}, &batch.FaultError{Message: "poison"}
		}
		s.die(r)
		<-ctx.Done()
		return batch.Answer{}, context.Cause(ctx)
	}
	body, err := json.Marshal(map[string]any{"url": r.URL, "id": r.ID, "created": r.Created, "wrong": s.wrong, "body": string(r.Body)})
	status := 200
	if strings.Contains(string(r.Body), "refuse") {
		status = 400
	}
	return batch.Answer{Status: status, Body: body}, err
}

// input writes n lines, some with flaws, some that are refused.
func (s *site) input(n int, more ...string) string {
	s.t.Helper()
	var b strings.Builder
	for i := range n {
		switch {
		case i%50 == 17:
			b.WriteString("{}\n")
			continue
		case i%20 == 3:
			b.WriteString(requestLine(i, "refuse "+fmt.Sprint(i)))
		default:
			b.WriteString(requestLine(i, fmt.Sprintf("number %d of group %d", i, i%7)))
		}
	}
	for i, text := range more {
		b.WriteString(requestLine(n+i, text))
	}
	path := filepath.Join(s.dir, "in.jsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func requestLine(i int, prompt string) string {
	return fmt.Sprintf(`{"custom_id":"%d","method":"POST","url":"/v1/completions","body":{"prompt":%q}}`+"\n", i, prompt)
}

const created = 1700000000

// local returns what one machine writes.
func (s *site) local(in string) outcome {
	s.t.Helper()
	out := filepath.Join(s.t.TempDir(), "local.jsonl")
	j, err := batch.Open(s.t.Context(), batch.Options{Input: in, Output: out, Created: created, Parallel: 4, NoSync: true,
		Alone: func() *exec.Cmd { return as("alone") }})
	if err != nil {
		s.t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Run(s.t.Context(), identity, &stub{}); err != nil {
		s.t.Fatal(err)
	}
	return written(s.t, out)
}

// outcome is what a batch ends with.
type outcome struct{ answers, errors string }

func written(t testing.TB, out string) outcome {
	t.Helper()
	var o outcome
	for path, text := range map[string]*string{out: &o.answers, batch.ErrorsOf(out): &o.errors} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		*text = string(b)
	}
	return o
}

// submit submits an input once.
func (s *site) submit(ctx context.Context, q *queue.Queue, in string, ahead int) (string, error) {
	j, err := batch.Open(ctx, batch.Options{Input: in, Created: created, Dry: true})
	if err != nil {
		return "", err
	}
	defer j.Close()
	name, _, err := q.Submit(ctx, j, queue.SubmitOptions{Name: "b", Identity: identity, Ahead: ahead})
	return name, err
}

func (s *site) mustSubmit(q *queue.Queue, in string) {
	s.t.Helper()
	if _, err := s.submit(s.t.Context(), q, in, 0); err != nil {
		s.t.Fatal(err)
	}
}

// worker is one that works in the background.
type worker struct {
	q      *queue.Queue
	lines  *batch.Lines
	cancel context.CancelFunc
	ended  chan error
	counts queue.WorkCounts
}

// work starts a worker.
func (s *site) work(url, name string, w *stub, change ...func(*queue.WorkOptions)) *worker {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	x := &worker{q: s.connect(url), cancel: cancel, ended: make(chan error, 1)}
	x.lines = batch.NewLines(w, identity.Model, func() *exec.Cmd { return as("alone") })
	o := queue.WorkOptions{Identity: identity, Answerer: x.lines, Parallel: 8, Name: name, Grace: 5 * time.Second}
	for _, f := range change {
		f(&o)
	}
	go func() {
		var err error
		x.counts, err = x.q.Work(ctx, o)
		x.ended <- err
	}()
	s.t.Cleanup(func() { x.crash(); x.lines.Close() })
	return x
}

// stop ends a worker in order.
func (x *worker) stop() error {
	x.cancel()
	err := <-x.ended
	x.ended <- err
	return err
}

// crash cuts a worker off, as if its process were killed: nothing that it does is heard of.
func (x *worker) crash() {
	x.q.Close()
	x.cancel()
}

// patience is how long a batch may take: with many lines it takes long.
func patience() time.Duration {
	if os.Getenv("MPTGO_QUEUE_LINES") != "" {
		return time.Hour
	}
	return 5 * time.Minute
}

// collect writes the outputs of the batch.
func (s *site) collect(q *queue.Queue, in, out string, change ...func(*queue.CollectOptions, *batch.Options)) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience())
	defer cancel()
	r, err := q.Load(ctx, "b")
	if err != nil {
		return err
	}
	o := queue.CollectOptions{Name: "b"}
	opt := batch.Options{Input: in, Output: out, Created: r.Header.Created, Parallel: 1, NoSync: true}
	for _, f := range change {
		f(&o, &opt)
	}
	j, err := batch.Open(ctx, opt)
	if err != nil {
		return err
	}
	defer j.Close()
	_, err = q.Collect(ctx, j, r, o)
	if ctx.Err() != nil {
		return errors.Join(err, s.state(q))
	}
	return err
}

// state tells what the server has, for failures.
func (s *site) state(q *queue.Queue) error {
	st, err := q.Status(context.Background(), "b")
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("%+v, %w; told: %s", st, err, strings.Join(s.notes, "\n"))
}

// wantSame collects the batch and wants the bytes of one machine.
func (s *site) wantSame(q *queue.Queue, in string, want outcome, change ...func(*queue.CollectOptions, *batch.Options)) {
	s.t.Helper()
	out := filepath.Join(s.t.TempDir(), "out.jsonl")
	if err := s.collect(q, in, out, change...); err != nil {
		s.t.Fatal(err)
	}
	if got := written(s.t, out); got != want {
		s.t.Errorf("the outputs have %d and %d bytes and are not the %d and %d of one machine: %s", len(got.answers), len(got.errors),
			len(want.answers), len(want.errors), firstDifference(got, want))
	}
}

func firstDifference(got, want outcome) string {
	for _, p := range [][2]string{{got.answers, want.answers}, {got.errors, want.errors}} {
		a, b := strings.Split(p[0], "\n"), strings.Split(p[1], "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				return fmt.Sprintf("line %d: %s, want %s", i+1, a[i], b[i])
			}
		}
	}
	return "one is longer"
}
