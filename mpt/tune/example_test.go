package tune_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/tune"
	"mptgo/mpt/tune/data"
)

// Train a LoRA adapter, write it and use it.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	rows := filepath.Join(dir, "rows.jsonl")
	if err := os.WriteFile(rows, []byte(`{"prompt": "What does the cat say?", "response": " Ahoy!"}`+"\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	m, err := builtin.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	set, err := data.Open([]string{rows}, data.Options{Tokenizer: m.Tokenizer(), Context: 64, TempDir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()

	optimizer, err := tune.Defaults(tune.AdamW)
	if err != nil {
		log.Fatal(err)
	}
	optimizer.LR = 0.01
	t, err := tune.New(m, set, set.Length(0), tune.Config{
		LoRA: tune.LoRA{Rank: 2, Alpha: 4}, Optimizer: optimizer, Schedule: tune.Schedule{Name: "constant"}, Batch: 1, MaxSteps: 3,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	var first, last tune.Result
	for t.Done() < t.Steps() {
		if last, err = t.Step(context.Background()); err != nil {
			log.Fatal(err)
		}
		if last.Step == 1 {
			first = last
		}
	}
	fmt.Println("the loss has become smaller:", last.Loss < first.Loss)

	if err := t.WriteAdapter(dir, tune.BaseName(m)); err != nil {
		log.Fatal(err)
	}
	a, err := m.LoadAdapter(dir)
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.SetAdapters(mpt.AdapterUse{Adapter: a, Scale: 1}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Matrices() > 0)
	// Output:
	// the loss has become smaller: true
	// true
}
