package cli

import (
	"fmt"
	"time"
)

// timing is what reading a prompt and writing an answer took.
type timing struct {
	seed        uint64
	read, wrote int // tokens
	reading     time.Duration
	writing     time.Duration

	drafted, accepted int // guesses of tokens, those that came true
}

func (t timing) String() string {
	text := fmt.Sprintf("seed %d; read %s; wrote %s", t.seed, speed(t.read, t.reading), speed(t.wrote, t.writing))
	if t.drafted > 0 {
		text += fmt.Sprintf("; %d of %s came true", t.accepted, plural(t.drafted, "guess", "guesses"))
	}
	return text
}

// speed says how fast n tokens were in a time d.
func speed(n int, d time.Duration) string {
	return fmt.Sprintf("%s, %.1f/s", plural(n, "token", "tokens"), float64(n)/max(d.Seconds(), 1e-9))
}
