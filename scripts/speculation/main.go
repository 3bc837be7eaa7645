// Command speculation measures what guesses of tokens bring: the same text with and without them,
// by turns, on the same model.
//
//	go run ./scripts/speculation -f TEXT [-m FILE] [-md FILE] [-t 2] [-n 128] [-pairs 5] [-clock]
//
// The tasks are: copy, in which a constraint has the model write its prompt again; again, in which
// the prompt is a text and its first half once more; and free, in which the model goes on as it
// likes, drawn at temperature 0.8. Every pair is run in both orders; the figure of a task is the
// median of the ratios of tokens per second. With -clock it times the steps of a model and its draft
// model, which may have random weights, and tells what they would bring if so many guesses came true.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

func main() {
	log.SetFlags(0)
	model := flag.String("m", "", "the model; none: the one that is built in")
	draft := flag.String("md", "", "a draft model; none: guesses by what the text says")
	file := flag.String("f", "", "a text to start from")
	threads := flag.Int("t", 2, "threads")
	n := flag.Int("n", 128, "tokens of an answer")
	pairs := flag.Int("pairs", 5, "pairs of runs")
	always := flag.Int("always", 0, "always try so many guesses")
	clocked := flag.Bool("clock", false, "time steps and guesses of both models, and tell what follows, instead of running answers")
	flag.Parse()
	spec := &mpt.Speculation{Max: *always, Always: *always > 0}
	if *clocked && *draft == "" {
		log.Fatal("speculation: -clock: name a draft model with -md")
	}
	if err := measure(*model, *draft, *file, *threads, *n, *pairs, *clocked, spec); err != nil {
		log.Fatal("speculation: ", err)
	}
}

// task is a prompt and how it goes on.
type task struct {
	name   string
	prompt []int32
	copied []int32 // what the answer has to be; nil: anything
	params sampling.Params
}

func measure(model, draft, file string, threads, n, pairs int, clocked bool, spec *mpt.Speculation) error {
	if pairs < 1 {
		return fmt.Errorf("-pairs %d: want at least 1", pairs)
	}
	if clocked && n < mostRows {
		return fmt.Errorf("-n %d: -clock times steps of %d rows, which need as many tokens", n, mostRows)
	}
	m, err := open(model, threads)
	if err != nil {
		return err
	}
	defer m.Close()
	var small *mpt.Model
	if draft != "" {
		small, err = open(draft, threads)
		if err != nil {
			return err
		}
		defer small.Close()
		spec.NoLookup = true
		if spec.Drafter, err = mpt.NewDrafter(m, small, mpt.DrafterOptions{}); err != nil {
			return err
		}
		defer spec.Drafter.Close()
		fmt.Printf("the draft model has %.2f of the bytes\n", float64(small.File().Size())/float64(m.File().Size()))
	}
	ids, err := text(m, file)
	if err != nil {
		return err
	}
	all, err := tasks(ids, n)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if clocked {
		return tell(m, small, spec, ids[:n], pairs)
	}
	for _, t := range all {
		if err := t.compare(m, n, pairs, spec); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// tasks makes the tasks of a text, for answers of n tokens.
func tasks(ids []int32, n int) ([]task, error) {
	if n < 1 || len(ids) < 2*n {
		return nil, fmt.Errorf("the text has %d tokens: answers of %d tokens (-n, 1 or more) need twice as many, or the figures "+
			"would be of other prompts", len(ids), n)
	}
	drawn := sampling.DefaultParams()
	half := append(slices.Clone(ids[:2*n]), ids[:n]...)
	return []task{
		{"copy", ids[:n], ids[:n], sampling.Params{}},
		{"again", half, nil, sampling.Params{}},
		{"again, drawn", half, nil, drawn},
		{"free", ids[:min(n, 64)], nil, drawn},
		{"free, greedy", ids[:min(n, 64)], nil, sampling.Params{}},
	}, nil
}

func open(path string, threads int) (*mpt.Model, error) {
	opts := []mpt.Option{mpt.Threads(threads), mpt.IgnoreMemory()}
	if path == "" {
		return builtin.Open(opts...)
	}
	return mpt.Open(path, opts...)
}

// text returns the tokens of a file, or of a text that is here.
func text(m *mpt.Model, file string) ([]int32, error) {
	if file == "" {
		return nil, errors.New("-f: name a text")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return m.Tokenizer().Encode(string(b[:min(len(b), 1<<16)]), tokenizer.EncodeOptions{}), nil
}

// run is one answer.
type run struct {
	speed             float64 // tokens per second
	ids               []int32
	drafted, accepted int
}

// compare runs a task with and without guesses by turns.
func (t *task) compare(m *mpt.Model, n, pairs int, spec *mpt.Speculation) error {
	var ratios []float64
	var with, without run
	for i := range pairs + 1 {
		var err error
		if i%2 == 0 {
			with, err = t.run(m, n, uint64(i/2), spec)
		}
		if err == nil {
			without, err = t.run(m, n, uint64(i/2), nil)
		}
		if err == nil && i%2 == 1 {
			with, err = t.run(m, n, uint64(i/2), spec)
		}
		if err != nil {
			return err
		}
		if !slices.Equal(with.ids, without.ids) {
			return errors.New("guesses changed the text")
		}
		if i > 0 { // the first warms up
			ratios = append(ratios, with.speed/without.speed)
		}
	}
	slices.Sort(ratios)
	fmt.Printf("%-13s %.2fx (%.2f to %.2f): %.1f tokens/s with, %.1f without; %d of %d guesses came true in %d tokens\n",
		t.name, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1], with.speed, without.speed,
		with.accepted, with.drafted, len(with.ids))
	if spec.Drafter != nil {
		fmt.Printf("%-13s agreement %.2f: of the last guesses, where all before them came true\n", "", spec.Drafter.Agreement())
	}
	return nil
}

func (t *task) run(m *mpt.Model, n int, seed uint64, spec *mpt.Speculation) (r run, err error) {
	ctx := context.Background()
	s, err := m.NewSession(mpt.ContextSize(len(t.prompt) + n + 1))
	if err != nil {
		return r, err
	}
	defer s.Close()
	if err := s.Eval(ctx, t.prompt); err != nil {
		return r, err
	}
	params := t.params
	params.Seed = seed
	chain, err := sampling.New(params, m.Tokenizer())
	if err != nil {
		return r, err
	}
	opt := mpt.GenerateOptions{Sampler: chain, MaxTokens: n, IgnoreEOS: true, Speculate: spec}
	if t.copied != nil {
		opt.Constraint = &copier{t.copied}
	}
	g, err := s.NewGeneration(opt)
	if err != nil {
		return r, err
	}
	begun := time.Now()
	for {
		tok, ok := g.Next(ctx)
		if !ok {
			break
		}
		if tok.ID >= 0 {
			r.ids = append(r.ids, tok.ID)
		}
	}
	r.speed = float64(len(r.ids)) / time.Since(begun).Seconds()
	r.drafted, r.accepted = g.Drafted()
	return r, g.Err()
}

// copier lets a text follow and nothing else.
type copier struct{ left []int32 }

func (c *copier) Allow(allowed []uint64) error {
	clear(allowed)
	allowed[c.left[0]/64] = 1 << (c.left[0] % 64)
	return nil
}

func (c *copier) Accept(int32) error {
	c.left = c.left[1:]
	return nil
}
