package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mptgo/cmd/internal/server"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
	"mptgo/mpt/talk"
	"mptgo/sampling"
)

// local answers with the built-in model until the end of the test.
func local(t testing.TB, opt serve.Options, opts ...mpt.Option) (*Local, *serve.Engine) {
	t.Helper()
	m, err := builtin.Open(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c := server.DefaultConfig()
	c.Defaults, c.Fixed = sampling.DefaultParams(), true
	s := server.New(c)
	if opt.ContextSize == 0 {
		opt.ContextSize = 512
	}
	if opt.Parallel == 0 {
		opt.Parallel = 16
	}
	opt.Observer, opt.Ordered = s.Observer("mpt-stories"), true
	e, err := serve.New(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	format, err := talk.Model(m).Detect()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(server.Model{Engine: e, Names: []string{"mpt-stories"}, Format: format}); err != nil {
		t.Fatal(err)
	}
	return &Local{Handler: s}, e
}

// stub is a worker without a model: its answers tell the request.
type stub struct {
	before func(ctx context.Context, r *Request) error // may be nil

	mu    sync.Mutex
	asked map[string]int // by custom id
}

func (s *stub) Answer(ctx context.Context, r *Request) (Answer, error) {
	s.mu.Lock()
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[r.CustomID]++
	s.mu.Unlock()
	if s.before != nil {
		if err := s.before(ctx, r); err != nil {
			return Answer{}, err
		}
	}
	body, err := json.Marshal(map[string]any{"url": r.URL, "id": r.ID, "created": r.Created, "body": string(r.Body)})
	status := 200
	if strings.Contains(string(r.Body), "refuse") {
		status = 400
	}
	return Answer{status, body}, err
}

// times returns how often a request was asked.
func (s *stub) times(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[id]
}

var identity = Identity{Model: "0123456789abcdef", Numerics: 1, Options: map[string]string{"--temp": "0.8"}}

// place makes a folder with an input, and the options of a job there.
func options(t testing.TB, input string) Options {
	t.Helper()
	dir := t.TempDir()
	opt := Options{
		Input: filepath.Join(dir, "in.jsonl"), Output: filepath.Join(dir, "out.jsonl"),
		Models: []string{"mpt-stories"}, Created: 1700000000, Parallel: 4, NoSync: true,
	}
	write(t, opt.Input, input)
	return opt
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// run does a job once.
func run(ctx context.Context, opt Options, w Worker) (c Counts, err error) {
	j, err := Open(ctx, opt)
	if err != nil {
		return c, err
	}
	defer j.Close()
	return j.Run(ctx, identity, w)
}

// outcome is what a job has written.
type outcome struct{ answers, errors string }

// done does a job and returns what it has written.
func done(t testing.TB, opt Options, w Worker) outcome {
	t.Helper()
	if _, err := run(t.Context(), opt, w); err != nil {
		t.Fatal(err)
	}
	return written(t, opt)
}

// written returns what lies there, and fails if anything else is left.
func written(t testing.TB, opt Options) outcome {
	t.Helper()
	errs := opt.Errors
	if errs == "" {
		errs = ErrorsOf(opt.Output)
	}
	list, _ := os.ReadDir(filepath.Dir(opt.Output))
	for _, e := range list {
		if n := e.Name(); strings.HasSuffix(n, ".journal") || strings.HasSuffix(n, ".tmp") {
			t.Errorf("%s is left", n)
		}
	}
	return outcome{readFile(t, opt.Output), readFile(t, errs)}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lineOf returns a line for a completion.
func lineOf(id, body string) string {
	return fmt.Sprintf(`{"custom_id":%q,"method":"POST","url":"/v1/completions","body":%s}`+"\n", id, body)
}

// many returns n lines.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		body := fmt.Sprintf(`{"prompt":"number %d"}`, i)
		if i%5 == 3 {
			body = `{"prompt":"refuse"}`
		}
		b.WriteString(lineOf(fmt.Sprint("id ", i), body))
	}
	return b.String()
}
