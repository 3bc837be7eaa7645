package bench

import (
	"cmp"
	"math"
	"slices"
	"time"

	"mptgo/mpt"
)

// Result is what a test of a model with a number of threads gave. Speeds are in
// tokens per second, over all sequences.
type Result struct {
	Model   string `json:"model"`
	Size    int64  `json:"size"` // of the file
	Type    string `json:"type"` // that most of the file is in
	Kernels string `json:"kernels"`
	Threads int    `json:"threads"` // as asked for: no more are started than there are CPUs

	Test      string `json:"test"` // "pp512", "tg64 @ d4096"
	Prompt    int    `json:"n_prompt"`
	Generate  int    `json:"n_gen"`
	Depth     int    `json:"depth"`
	Sequences int    `json:"sequences"`

	TokensPerSecond float64   `json:"tokens_per_second"` // mean
	StdDev          float64   `json:"stddev"`            // of a sample
	Median          float64   `json:"median"`
	Min             float64   `json:"min"`
	Max             float64   `json:"max"`
	Samples         []float64 `json:"samples"` // of every repetition

	// How fast the median run read weights, keys and values, if it generated
	// only, and multiplied with weights, if it read a prompt only.
	BytesPerSecond float64 `json:"bytes_per_second,omitempty"`
	MACsPerSecond  float64 `json:"macs_per_second,omitempty"`

	Load    *Load       `json:"load,omitempty"`
	Profile []Operation `json:"profile,omitempty"`

	overheads []float64 // of loads, in seconds
}

// Load is the median of what opening took, in seconds.
type Load struct {
	Seconds  float64 `json:"seconds"`  // from opening to the first token
	Overhead float64 `json:"overhead"` // without what a second evaluation takes
}

// Operation is what the operations of one kind took in a run of a test.
type Operation struct {
	Name           string  `json:"name"`
	Runs           int     `json:"runs"`
	Seconds        float64 `json:"seconds"`
	Share          float64 `json:"share"` // of the run, from 0 to 1
	BytesPerSecond float64 `json:"bytes_per_second"`
	MACsPerSecond  float64 `json:"macs_per_second"`
}

// describe returns a result without figures.
func describe(c *candidate, t test) Result {
	return Result{
		Model: c.Name, Size: c.m.File().Size(), Type: c.m.File().MainType().String(), Kernels: c.m.Tier(), Threads: cmp.Or(c.threads, c.m.Threads()),
		Test: t.String(), Prompt: t.prompt, Generate: t.generate, Depth: t.depth, Sequences: t.sequences,
	}
}

// add counts a run of the test.
func (c *cell) add(s sample) {
	c.Samples = append(c.Samples, float64(c.tokens())/s.took.Seconds())
	c.overheads = append(c.overheads, s.overhead.Seconds())
}

// summarise computes the figures from the samples.
func (c *cell) summarise(w mpt.Work) {
	c.TokensPerSecond, c.StdDev = meanStdDev(c.Samples)
	c.Median, c.Min, c.Max = median(c.Samples), slices.Min(c.Samples), slices.Max(c.Samples)
	n, tokens := float64(c.prompt+c.generate), float64(c.tokens())
	switch {
	case c.load:
		c.Result.Load = &Load{Seconds: tokens / c.Median, Overhead: median(c.overheads)}
	case c.prompt == 0:
		positions := float64(c.depth) + (n+1)/2 // that a token sees, on average
		weights := float64(w.Bytes+w.OutputBytes) / float64(c.sequences)
		c.BytesPerSecond = c.Median * (weights + positions*float64(w.PositionBytes))
	case c.generate == 0:
		c.MACsPerSecond = c.Median * (float64(w.MACs) + float64(w.OutputMACs)/n)
	}
}

// operations turns the costs of a run into rates and shares.
func operations(costs []mpt.Cost, took time.Duration) []Operation {
	ops := make([]Operation, len(costs))
	for i, c := range costs {
		seconds := max(c.Time.Seconds(), 1e-9)
		ops[i] = Operation{
			Name: c.Name, Runs: c.Runs, Seconds: c.Time.Seconds(), Share: c.Time.Seconds() / took.Seconds(),
			BytesPerSecond: float64(c.Bytes) / seconds, MACsPerSecond: float64(c.MACs) / seconds,
		}
	}
	return ops
}

// median returns the middle of x or, if there are two, their mean.
func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
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
