package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// test is what is measured at a time.
type test struct {
	prompt, generate int // tokens
	depth            int // tokens before them
	sequences        int // in one batch
	load             bool
	lora             lora
}

// lora says which adapters the sequences of a test use.
type lora int

const (
	modelAdapters lora = iota // those of the model
	noAdapters
	ownAdapters // each one of them, by turns
)

// loadPrompt is the length of the prompt of the test of opening.
const loadPrompt = 5

// String returns the test's name, as llama-bench writes it.
func (t test) String() string {
	if t.load {
		return "load"
	}
	var parts []string
	if t.prompt > 0 {
		parts = append(parts, fmt.Sprintf("pp%d", t.prompt))
	}
	if t.generate > 0 {
		parts = append(parts, fmt.Sprintf("tg%d", t.generate))
	}
	name := strings.Join(parts, "+")
	if t.sequences > 1 {
		name += fmt.Sprintf(" x%d", t.sequences)
	}
	if t.lora == ownAdapters {
		name += " own lora"
	}
	if t.depth > 0 {
		name += fmt.Sprintf(" @ d%d", t.depth)
	}
	return name
}

// tokens returns how many tokens the test evaluates in the measured time.
func (t test) tokens() int { return t.sequences * (t.prompt + t.generate) }

// simple reports whether the test is of one kind, so that a profile of it can be read.
func (t test) simple() bool { return !t.load && (t.prompt == 0 || t.generate == 0) }

// plan makes the list of tests.
func plan(opt Options) ([]test, error) {
	if err := check(opt); err != nil {
		return nil, err
	}
	var tests []test
	for _, depth := range orDefault(opt.Depths, 0) {
		for _, n := range opt.Prompts {
			tests = append(tests, test{prompt: n, depth: depth, sequences: 1})
		}
		for _, sequences := range orDefault(opt.Sequences, 1) {
			for _, n := range opt.Generations {
				x := test{generate: n, depth: depth, sequences: sequences}
				tests = append(tests, x)
				if opt.OwnAdapters {
					x.lora = ownAdapters
					tests = append(tests, x)
				}
			}
		}
		for _, n := range opt.Pairs {
			tests = append(tests, test{prompt: n[0], generate: n[1], depth: depth, sequences: 1})
		}
	}
	if opt.Load {
		tests = append(tests, test{prompt: loadPrompt, sequences: 1, load: true})
	}
	for i := range tests {
		if opt.OwnAdapters && tests[i].lora == modelAdapters {
			tests[i].lora = noAdapters
		}
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("bench: nothing to measure: give a prompt length or a number of tokens to generate")
	}
	return tests, nil
}

// Validate returns the error, if any, that keeps [Run] from measuring what o
// asks for.
func (o Options) Validate() error {
	_, err := plan(o)
	return err
}

// maxTokens bounds what can be asked for, far above any model's context.
const maxTokens = 1 << 22

// check refuses numbers that make no sense.
func check(opt Options) error {
	if opt.OwnAdapters && slices.Max(orDefault(opt.Depths, 0)) > 0 {
		return errors.New("bench: a depth with adapters for each sequence: what was read without them does not fit")
	}
	var pairs []int
	for _, p := range opt.Pairs {
		pairs = append(pairs, p[:]...)
	}
	for _, c := range []struct {
		what     string
		list     []int
		from, to int
	}{
		{"a prompt of %d tokens", opt.Prompts, 1, maxTokens},
		{"%d tokens to generate", opt.Generations, 1, maxTokens},
		{"a pair with %d tokens", pairs, 1, maxTokens},
		{"a depth of %d tokens", opt.Depths, 0, maxTokens},
		{"%d sequences", opt.Sequences, 1, 1024},
		{"%d threads", opt.Threads, 0, 1024},
		{"%d repetitions", []int{opt.Repetitions}, 0, 1 << 20},
	} {
		for _, n := range c.list {
			if n < c.from || n > c.to {
				return fmt.Errorf("bench: "+c.what+": want %d to %d", n, c.from, c.to)
			}
		}
	}
	return nil
}

// orDefault returns list without repetitions or, if it is empty, v alone.
func orDefault(list []int, v int) []int {
	if len(list) == 0 {
		return []int{v}
	}
	var once []int
	for _, n := range list {
		if !slices.Contains(once, n) {
			once = append(once, n)
		}
	}
	return once
}
