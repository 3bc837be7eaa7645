package mpt

import "sync"

// lookup guesses what comes by what followed before: it looks for the longest end of a text that
// has occurred in it already ("prompt lookup"; Saxena 2023). For every length of such an end it
// learns how often the next token was the same again, and that of every token that comes, whether
// a guess was evaluated or not: so it knows what guesses are worth before they cost anything.
type lookup struct {
	text   []int32
	at     int // the token of text that is expected to come again; 0: none
	length int // of the end that stands before it, too
	rates  matchRates
	shared *sharedRates // of all texts of the model; nil: none
}

// matchRates are how often ends of every class of lengths went on alike.
type matchRates [matchClasses]guessRate

// sharedRates are those of all texts of a model, which a new one begins with.
type sharedRates struct {
	mu    sync.Mutex
	rates matchRates
}

const (
	// leastMatch is the length of the shortest end that is looked for.
	leastMatch = 2
	// longMatch is a length that is long enough.
	longMatch = 32
	// matchMemory and sharedMemory are of about how many tokens a rate is.
	matchMemory, sharedMemory = 32, 256
)

// matchClasses are lengths of 2, 3, 4, 5 to 7, 8 to 11, 12 and more.
const matchClasses = 6

func matchClass(length int) int {
	switch {
	case length < 5:
		return length - leastMatch
	case length < 8:
		return 3
	case length < 12:
		return 4
	}
	return 5
}

// firstTries is how many guesses count as much as what is expected of a new text.
const firstTries = 4

// newLookup returns one that expects what other texts of the model did, or else what is common.
func newLookup(shared *sharedRates) *lookup {
	l := &lookup{shared: shared}
	for i, p := range [matchClasses]float64{0.25, 0.4, 0.5, 0.6, 0.7, 0.8} {
		l.rates[i] = newGuessRate(p, firstTries)
	}
	if shared == nil {
		return l
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.rates[0].tries == 0 {
		shared.rates = l.rates
	}
	for i, r := range shared.rates {
		l.rates[i] = newGuessRate(r.odds(), firstTries)
	}
	return l
}

// learn counts a guess behind a match of the present length.
func (l *lookup) learn(hit bool) {
	class := matchClass(l.length)
	l.rates[class].learn(hit, matchMemory)
	if l.shared != nil {
		l.shared.mu.Lock()
		defer l.shared.mu.Unlock()
		l.shared.rates[class].learn(hit, sharedMemory)
	}
}

// follow tells of the text: the tokens of a session and one more, which has been chosen.
func (l *lookup) follow(tokens []int32, id int32) {
	n := len(l.text)
	if n != len(tokens) || n > 0 && l.text[n-1] != tokens[n-1] {
		// The first time, or the session was changed.
		l.text = append(append(l.text[:0], tokens...), id)
		l.search()
		return
	}
	l.text = append(l.text, id)
	if l.at == 0 {
		l.search()
		return
	}
	hit := l.text[l.at] == id
	l.learn(hit)
	if !hit {
		l.search()
		return
	}
	l.at++
	l.length = min(l.length+1, longMatch)
}

// search finds the longest end of the text that occurs in it before, of equal ones the last.
func (l *lookup) search() {
	l.at, l.length = 0, 0
	last := len(l.text) - 1
	for i := last - 1; i >= leastMatch-1; i-- {
		if l.text[i] != l.text[last] || l.text[i-1] != l.text[last-1] {
			continue
		}
		n := leastMatch
		for n < longMatch && i-n >= 0 && l.text[i-n] == l.text[last-n] {
			n++
		}
		if n > l.length {
			l.at, l.length = i+1, n
		}
		if n == longMatch {
			return
		}
	}
}

// guess appends at most n tokens that are expected to come, with the odds that each does: that it
// and all before it come true. A text that repeats itself goes on doing so.
func (l *lookup) guess(ids []int32, odds []float64, n int) ([]int32, []float64) {
	if l.at == 0 {
		return ids, odds
	}
	p := 1.0
	for i := range n {
		if p *= l.rates[matchClass(min(l.length+i, longMatch))].odds(); p < leastOdds {
			break
		}
		at := l.at + i
		if at < len(l.text) {
			ids = append(ids, l.text[at])
		} else {
			ids = append(ids, ids[len(ids)-(len(l.text)-l.at)])
		}
		odds = append(odds, p)
	}
	return ids, odds
}

// leastOdds are those of a guess that no machine would pay for.
const leastOdds = 0.05
