package mpt

// guessRate is how often guesses of a kind come true, about.
type guessRate struct{ hits, tries float64 }

// newGuessRate is the rate p, believed as much as so many guesses.
func newGuessRate(p, tries float64) guessRate { return guessRate{p * tries, tries} }

// learn counts a guess. The rate becomes that of the last memory guesses, about.
func (r *guessRate) learn(hit bool, memory float64) {
	if r.tries >= memory {
		r.hits, r.tries = r.hits*(1-1/memory), memory-1
	}
	r.tries++
	if hit {
		r.hits++
	}
}

// odds returns the probability that the next guess comes true.
func (r *guessRate) odds() float64 { return r.hits / r.tries }

// CommonPrefix returns how many tokens two texts begin with together.
func CommonPrefix(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
