package tune

import (
	"context"
	"fmt"
	"time"

	"mptgo/ggml/train"
)

// A trial begins with a few tokens, and ends with a micro-batch as the run has them, or with one that
// would take too long, or too much of the time of the run.
const (
	trialFirst, trialSecond = 16, 64
	trialLongest            = 30 * time.Second
	trialShare              = 20
)

// Pace is how long a token takes.
type Pace struct {
	Step     time.Duration // in a step
	Evaluate time.Duration // in an evaluation, which goes through the model one way only
}

// Trial computes the gradients of some tokens, changes nothing, and returns about how long a token will
// take in the run.
func (t *Trainer) Trial(ctx context.Context) (p Pace, err error) {
	try := func(n int, scale float64) (time.Duration, error) {
		begun := time.Now()
		err := ctx.Err()
		if err == nil {
			_, err = t.net.run(t.likely(n), scale/float64(n))
		}
		if err != nil {
			return 0, fmt.Errorf("tune: %w", err)
		}
		return time.Since(begun), nil
	}
	var most int
	p.Step, most, err = paceOf(t.usual(), t.TokensLeft(), func(n int) (time.Duration, error) { return try(n, 1) })
	if err != nil {
		return p, err
	}
	once, err := try(most, 0)
	p.Evaluate = min(once/time.Duration(most), p.Step)
	return p, err
}

// paceOf returns how long a token takes in micro-batches of whole tokens, of which left are to come, and how
// many tokens it has tried at the most. A micro-batch takes a time for itself, in which weights are decoded,
// and one for each token, which is longer where there are too many for the caches: two short texts say
// too little of it.
func paceOf(whole int, left int64, try func(n int) (time.Duration, error)) (each time.Duration, most int, err error) {
	most = min(trialFirst, whole)
	if _, err := try(most); err != nil { // the weights come from the disk
		return 0, 0, err
	}
	took, err := try(most)
	each = took / time.Duration(most)
	for err == nil && most < whole {
		n := min(max(2*most, trialSecond), whole)
		if foreseen := took / time.Duration(most) * time.Duration(n); n > trialSecond &&
			foreseen > min(trialLongest, each*time.Duration(left/trialShare)) {
			break
		}
		before, fewer := took, most
		if took, err = try(n); err != nil {
			break
		}
		most = n
		each = extended(before, fewer, took, most, whole)
	}
	return each, most, err
}

// extended returns what a token takes of the time that micro-batches of whole tokens take, if that goes on in
// a straight line from those of few and of many tokens.
func extended(a time.Duration, few int, b time.Duration, many, whole int) time.Duration {
	each := (b - a) / time.Duration(many-few)
	if each <= 0 || many == whole {
		return b / time.Duration(many)
	}
	once := max(0, a-each*time.Duration(few))
	return each + once/time.Duration(whole)
}

// rowTokens returns how many tokens a row has on average, usual how many a micro-batch has.
func (t *Trainer) rowTokens() int { return int(max(1, t.total/int64(t.rows.Len()))) }
func (t *Trainer) usual() int {
	if t.c.Unpacked {
		return t.rowTokens()
	}
	return int(min(int64(t.tokens), max(1, t.total/int64(max(1, t.StepsPerEpoch())))))
}

// likely returns a micro-batch of n tokens in rows as they are on average, with as many targets.
func (t *Trainer) likely(n int) micro {
	b := micro{tokens: make([]int32, n), labels: make([]int32, n)}
	for i := range int64(n - 1) {
		if i*t.goals/t.total == (i+1)*t.goals/t.total {
			b.labels[i] = noTarget
		}
	}
	for at := 0; at < n; at += t.rowTokens() {
		b.examples = append(b.examples, train.Example{From: at, N: min(t.rowTokens(), n-at)})
		b.numbers = append(b.numbers, uint32(len(b.numbers)))
	}
	return b
}

// TokensLeft returns how many tokens the steps to come have, about.
func (t *Trainer) TokensLeft() int64 {
	return int64(float64(t.total) / float64(t.StepsPerEpoch()) * float64(t.Steps()-t.Done()))
}
