package console

import (
	"fmt"
	"time"
)

// Timing is what reading a prompt and writing an answer took.
type Timing struct {
	Seed        uint64
	Read, Wrote int // tokens
	Reading     time.Duration
	Writing     time.Duration
}

func (t Timing) String() string {
	return fmt.Sprintf("seed %d; read %s; wrote %s", t.Seed, speed(t.Read, t.Reading), speed(t.Wrote, t.Writing))
}

// speed says how fast n tokens were in a time d.
func speed(n int, d time.Duration) string {
	return fmt.Sprintf("%s, %.1f/s", Plural(n, "token", "tokens"), float64(n)/max(d.Seconds(), 1e-9))
}
