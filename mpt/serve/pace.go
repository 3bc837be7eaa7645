package serve

import (
	"math/bits"
	"time"
)

// leastRows is how many rows of prompts a step has, at least, if any wait: fewer would cost
// much of the speed at which prompts are read.
const leastRows = 32

// pace learns how long steps of some rows take. What it says decides about the size of
// steps, and so about time alone: no size changes a bit.
//
// The rows of prompts beside answers grow step by step, to at most twice as many as before:
// what was learned from other prompts, at other depths, may be far off for the next one.
type pace struct {
	last   int         // rows of prompts in the step before, if answers were in it
	perRow [16]float64 // seconds, by the length of the number of rows in bits; 0: not known
}

// newer is the weight of a new observation.
const newer = 0.5

func (p *pace) observe(prompt, decode int, took time.Duration) {
	rows := prompt + decode
	p.last = prompt
	if decode == 0 {
		p.last = 0
	}
	c := &p.perRow[min(bits.Len(uint(rows)), len(p.perRow)-1)]
	now := took.Seconds() / float64(rows)
	if *c == 0 {
		*c = now
	}
	*c += newer * (now - *c)
}

// expect returns how long a step of some rows will take. A row of a larger step costs no
// more than one of a smaller.
func (p *pace) expect(rows int) time.Duration {
	for c := min(bits.Len(uint(rows)), len(p.perRow)-1); c > 0; c-- {
		if p.perRow[c] > 0 {
			return time.Duration(p.perRow[c] * float64(rows) * float64(time.Second))
		}
	}
	return time.Hour
}

// room returns how many rows of prompts fit beside some others into a step of at most so
// long, at least leastRows.
func (p *pace) room(others, most int, limit time.Duration) int {
	n := leastRows
	for n+leastRows <= min(most, max(2*p.last, leastRows)) && p.expect(others+n+leastRows) <= limit {
		n += leastRows
	}
	return min(n, most)
}

// load is how much work waits.
type load struct {
	tokens int     // of all requests, about
	rate   float64 // tokens a second, of prompts and answers
}

func (l *load) observe(rows int, took time.Duration) {
	now := float64(rows) / max(took.Seconds(), 1e-9)
	if l.rate == 0 {
		l.rate = now
	}
	l.rate += newer * (now - l.rate)
}

// wait estimates how long it takes until there is room in the queue.
func (l *load) wait() time.Duration {
	if l.rate == 0 {
		return time.Second
	}
	seconds := float64(l.tokens) / l.rate
	return time.Duration(min(max(seconds, 1), 60) * float64(time.Second)).Round(time.Second)
}
