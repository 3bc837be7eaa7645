// Package bench measures how fast a model runs: prompt processing ("pp512":
// a prompt of 512 tokens) and text generation ("tg64": 64 tokens one after the
// other), as llama-bench names them.
package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"mptgo/mpt"
)

// Options says what to measure.
type Options struct {
	Prompts     []int // prompt lengths
	Generations []int // numbers of generated tokens
	Repetitions int   // of every test; 0 means 5
	Progress    func(test string, repetition int)
}

// Result is what one test gave.
type Result struct {
	Test            string    `json:"test"` // "pp512", "tg64"
	TokensPerSecond float64   `json:"tokens_per_second"`
	StdDev          float64   `json:"stddev"`
	Samples         []float64 `json:"samples"` // tokens per second of every repetition
}

// test is one row of a benchmark.
type test struct {
	name   string
	tokens int
	run    func(ctx context.Context, s *mpt.Session, ids []int32) error
}

// Run measures m. The repetitions of the tests are interleaved, so that a
// change of the machine's speed touches all of them alike, and follow one round
// that is not counted. The tokens are random, the same in every run.
func Run(ctx context.Context, m *mpt.Model, opt Options) ([]Result, error) {
	tests, err := plan(opt)
	if err != nil {
		return nil, err
	}
	reps := opt.Repetitions
	if reps == 0 {
		reps = 5
	}
	results := make([]Result, len(tests))
	for rep := -1; rep < reps; rep++ {
		for i, t := range tests {
			if opt.Progress != nil {
				opt.Progress(t.name, rep)
			}
			speed, err := t.measure(ctx, m)
			if err != nil {
				return nil, fmt.Errorf("bench: %s: %w", t.name, err)
			}
			if rep >= 0 {
				results[i].Samples = append(results[i].Samples, speed)
			}
		}
	}
	for i, t := range tests {
		results[i].Test = t.name
		results[i].TokensPerSecond, results[i].StdDev = meanStdDev(results[i].Samples)
	}
	return results, nil
}

// plan makes the list of tests.
func plan(opt Options) ([]test, error) {
	var tests []test
	for _, n := range opt.Prompts {
		tests = append(tests, test{fmt.Sprintf("pp%d", n), n, prompt})
	}
	for _, n := range opt.Generations {
		tests = append(tests, test{fmt.Sprintf("tg%d", n), n, generate})
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("bench: nothing to measure: give a prompt length or a number of tokens to generate")
	}
	for _, t := range tests {
		if t.tokens < 1 {
			return nil, fmt.Errorf("bench: %s: want at least one token", t.name)
		}
	}
	if opt.Repetitions < 0 {
		return nil, fmt.Errorf("bench: %d repetitions", opt.Repetitions)
	}
	return tests, nil
}

// measure runs t once in a session of its own and returns tokens per second.
func (t test) measure(ctx context.Context, m *mpt.Model) (float64, error) {
	s, err := m.NewSession(mpt.ContextSize(t.tokens + 1))
	if err != nil {
		return 0, err
	}
	defer s.Close()
	ids := randomTokens(t.tokens, m.Tokenizer().Size())
	start := time.Now()
	if err := t.run(ctx, s, ids); err != nil {
		return 0, err
	}
	return float64(t.tokens) / time.Since(start).Seconds(), nil
}

// prompt evaluates all tokens together.
func prompt(ctx context.Context, s *mpt.Session, ids []int32) error { return s.Eval(ctx, ids) }

// generate evaluates one token after the other.
func generate(ctx context.Context, s *mpt.Session, ids []int32) error {
	for i := range ids {
		if err := s.Eval(ctx, ids[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// randomTokens returns n tokens of a vocabulary of the given size.
func randomTokens(n, vocab int) []int32 {
	r := rand.New(rand.NewPCG(1, 2))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = r.Int32N(int32(vocab))
	}
	return ids
}

// meanStdDev returns the mean and the sample standard deviation of x.
func meanStdDev(x []float64) (mean, stddev float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		stddev += (v - mean) * (v - mean)
	}
	if len(x) > 1 {
		stddev = math.Sqrt(stddev / float64(len(x)-1))
	}
	return mean, stddev
}
