package tune

import (
	"fmt"
	"time"

	"mptgo/ggml/train"
)

// Trial computes the gradients of two short texts, changes nothing, and returns about how long a token will
// take in the steps of the run: a micro-batch takes a time for itself, in which the weights are decoded, and
// one for each of its tokens.
func (t *Trainer) Trial() (time.Duration, error) {
	const short, long = 16, 64
	many := min(long, t.longest)
	few := min(short, (many+1)/2)
	if _, err := t.try(few); err != nil { // the weights come from the disk
		return 0, err
	}
	a, err := t.try(few)
	if err != nil {
		return 0, err
	}
	b, err := t.try(many)
	if err != nil {
		return 0, err
	}
	whole := float64(min(int64(t.tokens), max(1, t.total*int64(t.c.Batch)/int64(t.rows.Len()))))
	each := float64(b-a) / float64(max(1, many-few))
	if each <= 0 {
		return b / time.Duration(many), nil
	}
	once := max(0, float64(a)-each*float64(few))
	return time.Duration(each + once/whole), nil
}

// try computes the gradients of a text of n tokens, which the next step clears.
func (t *Trainer) try(n int) (time.Duration, error) {
	b := micro{make([]int32, n), []train.Example{{N: n}}, []uint32{0}, make([]int32, n)}
	begun := time.Now()
	if _, err := t.net.run(b, 1/float64(n)); err != nil {
		return 0, fmt.Errorf("tune: %w", err)
	}
	return time.Since(begun), nil
}

// TokensLeft returns how many tokens the steps to come have, about.
func (t *Trainer) TokensLeft() int64 {
	return int64(float64(t.total) / float64(t.StepsPerEpoch()) * float64(t.Steps()-t.Done()))
}
