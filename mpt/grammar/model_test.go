package grammar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/grammar"
	"mptgo/mpt/serve"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// modelCase is a schema of testdata/schemas.json.
type modelCase struct {
	Name   string
	Schema json.RawMessage
}

// sample is what the model has written for a schema.
type sample struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Over bool   `json:"over"` // it came to its end
}

// What the built-in model writes at temperature 1, many texts at a time, obeys each schema.
// MPTGO_SCHEMA_SAMPLES says how many texts of each, MPTGO_SCHEMA_SEED the seed of the first,
// MPTGO_SCHEMA_OUT where they are written: scripts/schemas has another validator look at them.
func TestModelSamples(t *testing.T) {
	n, first := setting(t, "MPTGO_SCHEMA_SAMPLES", 1), setting(t, "MPTGO_SCHEMA_SEED", 0)
	b, err := os.ReadFile("testdata/schemas.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []modelCase
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	e, err := serve.New(m, serve.Options{Parallel: 16, MaxQueue: 32})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var mu sync.Mutex
	var out bytes.Buffer
	whole, written := 0, json.NewEncoder(&out)
	v := grammar.VocabularyOf(m.Tokenizer())
	for _, x := range cases {
		g, err := grammar.ParseSchema(string(x.Schema))
		if err != nil {
			t.Fatal(x.Name, err)
		}
		valid, err := grammar.Oracle(string(x.Schema))
		if err != nil {
			t.Fatal(x.Name, err)
		}
		var wg sync.WaitGroup
		for worker := range 16 {
			wg.Go(func() {
				for seed := worker; seed < n; seed += 16 {
					s := write(t, m, e, g, v, uint64(first+seed))
					s.Name = x.Name
					mu.Lock()
					if written.Encode(s); s.Over {
						whole++
						if err := valid(s.Text); err != nil {
							t.Errorf("%s: %s: %v", x.Name, s.Text, err)
						}
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	t.Logf("%d schemas, %d texts, %d of them whole", len(cases), n*len(cases), whole)
	if whole < n*len(cases)/2 {
		t.Error("most texts came to no end")
	}
	if path := os.Getenv("MPTGO_SCHEMA_OUT"); path != "" {
		if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// setting returns a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(name, err)
	}
	return n
}

// write has the model write a text in the form of a grammar.
func write(t *testing.T, m *mpt.Model, e *serve.Engine, g *grammar.Grammar, v *grammar.Vocabulary, seed uint64) (s sample) {
	t.Helper()
	p := sampling.DefaultParams()
	p.Temp, p.TopK, p.TopP, p.MinP, p.Seed = 1, 0, 1, 0, seed
	stream, err := e.Submit(context.Background(), serve.Request{
		Prompt:    m.Tokenizer().Encode(fmt.Sprintf("Once upon a time, %d", seed%7), tokenizer.EncodeOptions{AddSpecial: true}),
		MaxTokens: 160, Logprobs: -1, Params: p,
		NewConstraint: func() mpt.Constraint { return g.Matcher(v, m.Tokenizer().EOGs()) },
	})
	if err != nil {
		t.Error(err)
		return s
	}
	for ev, ok := stream.Next(); ok; ev, ok = stream.Next() {
		s.Text += ev.Token.Text
		if ev.Err != nil {
			t.Errorf("%s: %v", s.Text, ev.Err)
		}
		s.Over = s.Over || ev.Why == mpt.EndedToken
	}
	return s
}
