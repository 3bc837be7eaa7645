package serve

import (
	"math/bits"
	"time"
)

// rowStep divides the rows of prompts beside answers, and is how many there are at least if
// any wait: fewer would cost much of the speed at which prompts are read.
const rowStep = 16

// pace learns how long steps take. What it says decides about the size of steps, and so about
// time alone: no size changes a bit.
//
// The rows of prompts beside answers grow to at most twice as many as in the step before: what
// was learned from other prompts, at other depths, may be far off for the next one.
type pace struct {
	last   int         // rows of prompts in the step before, if answers were in it
	beside float64     // seconds that a row of a prompt adds to a step of answers; 0: not known
	perRow [16]float64 // seconds, of other steps, by the length of the number of rows in bits
}

// newer is the weight of a new observation.
const newer = 0.5

func (p *pace) observe(prompt, decode int, took time.Duration) {
	if prompt > 0 && decode > 0 {
		p.last = prompt
		more := max(took-p.expect(decode), took/4) // what is known of answers may be long ago
		learn(&p.beside, more.Seconds()/float64(prompt))
		return
	}
	p.last = 0
	rows := prompt + decode
	learn(&p.perRow[class(rows)], took.Seconds()/float64(rows))
}

func learn(known *float64, now float64) {
	if *known == 0 {
		*known = now
	}
	*known += newer * (now - *known)
}

func class(rows int) int { return min(bits.Len(uint(rows)), 15) }

// expect returns how long a step of some rows will take. A row of a larger step costs no
// more than one of a smaller.
func (p *pace) expect(rows int) time.Duration {
	for c := class(rows); c > 0; c-- {
		if p.perRow[c] > 0 {
			return time.Duration(p.perRow[c] * float64(rows) * float64(time.Second))
		}
	}
	return time.Hour
}

// room returns how many rows of prompts fit beside some others into a step of at most so
// long, at least rowStep.
func (p *pace) room(others, most int, limit time.Duration) int {
	n := rowStep
	if left := (limit - p.expect(others)).Seconds(); p.beside > 0 && left > 0 {
		n = int(min(left/p.beside, float64(2*p.last)))
	}
	return min(max(n-n%rowStep, rowStep), most)
}

// load is how much work waits.
type load struct {
	tokens int     // of all requests, about
	rate   float64 // tokens a second, of prompts and answers
}

func (l *load) observe(rows int, took time.Duration) {
	learn(&l.rate, float64(rows)/max(took.Seconds(), 1e-9))
}

// wait estimates how long it takes until there is room in the queue.
func (l *load) wait() time.Duration {
	if l.rate == 0 {
		return time.Second
	}
	seconds := float64(l.tokens) / l.rate
	return time.Duration(min(max(seconds, 1), 60) * float64(time.Second)).Round(time.Second)
}
