package mpt

import "sync"

// stepCosts learns how long steps of few rows take, of which all want logits: those in which
// sequences go on, perhaps with guesses. What it says decides about the number of guesses, and so
// about time alone.
//
// One row costs the time to read all weights. Others cost next to nothing until computing takes
// longer than reading; where that begins depends on the machine, on what else it does, on the type
// of the weights and on the length of the context.
type stepCosts struct {
	mu    sync.Mutex
	count int // observations
	known [costRows + 1]stepCost
}

// stepCost is what is known of a number of rows.
type stepCost struct {
	seconds float64 // 0: nothing
	at      int     // the observation that was the last
}

const (
	// costRows is the largest number of rows of which the cost is known. No machine has so much
	// to spare that guesses would pay beside more.
	costRows = 64
	// freshFor is for how many steps a cost is believed: contexts grow, other programs come and go.
	freshFor = 512
	// baseFor is the same for the cost without guesses, which is to be measured in between.
	baseFor = 128
	// costWeight is that of a new observation.
	costWeight = 0.25
	// leastGain is by which part of the speed guesses have to pay. What is expected of them is
	// a little uncertain.
	leastGain = 0.04
	// firstRow is the cost of a second row, in parts of the first, as long as nothing is known.
	firstRow = 0.1
)

// observe learns from a step of some rows. One that was interrupted by something else takes longer
// than it should: it counts as twice what is known at the most, or as so many single rows.
func (c *stepCosts) observe(rows int, seconds float64) {
	if rows > costRows {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	x := &c.known[rows]
	if one := c.known[1].seconds; rows > 1 && one > 0 {
		seconds = min(seconds, one*float64(rows))
	}
	if x.seconds == 0 || !c.fresh(rows) {
		x.seconds = seconds
	} else {
		x.seconds += costWeight * (min(seconds, 2*x.seconds) - x.seconds)
	}
	x.at = c.count
}

func (c *stepCosts) fresh(rows int) bool {
	x := c.known[rows]
	return x.seconds > 0 && c.count-x.at <= freshFor
}

// expect returns how long a step is expected to take, in seconds: as was observed, else on the
// line between the neighbours that were. It returns 0 if nothing is known of fewer rows.
func (c *stepCosts) expect(rows int) float64 {
	if rows > costRows {
		return 0
	}
	below, above := rows, rows
	for below > 0 && !c.fresh(below) {
		below--
	}
	for above <= costRows && !c.fresh(above) {
		above++
	}
	if below == 0 {
		return 0
	}
	low := c.known[below].seconds
	switch {
	case below == rows:
		return low
	case above <= costRows:
		high := max(c.known[above].seconds, low)
		return low + (high-low)*float64(rows-below)/float64(above-below)
	}
	return low + float64(rows-below)*c.slope(below)
}

// slope returns what a row more than the most that are known is expected to cost.
func (c *stepCosts) slope(most int) float64 {
	guess := c.known[most].seconds * min(firstRow, 0.5/float64(most))
	for n := range most {
		if n > 0 && c.fresh(n) {
			return max((c.known[most].seconds-c.known[n].seconds)/float64(most-n), guess/4)
		}
	}
	return guess
}

// seconds returns how long a step of some rows is expected to take, 0 if nothing says so.
func (c *stepCosts) seconds(rows int) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expect(rows)
}

// worth returns how many guesses are worth their time in a step of some other rows, each of which
// brings a token: odds are the probabilities that they come true, the best first; extra is the time
// in seconds that each takes beside its row.
func (c *stepCosts) worth(rows int, odds []float64, extra float64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rows < 1 || rows > costRows || c.known[rows].seconds == 0 || c.count-c.known[rows].at > baseFor {
		return 0
	}
	tokens, best := float64(rows), 0
	most := tokens / c.known[rows].seconds * (1 + leastGain)
	for i, p := range odds {
		seconds := c.expect(rows + i + 1)
		if seconds == 0 {
			break
		}
		tokens += p
		if speed := tokens / (seconds + float64(i+1)*extra); speed > most {
			best, most = i+1, speed
		}
	}
	return best
}
