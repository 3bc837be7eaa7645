package finetune

import (
	"fmt"
	"time"
)

// speed is that of the last steps.
type speed struct {
	steps []pace
}

// pace is what a step took.
type pace struct {
	time            time.Duration
	tokens, targets int
}

// paces is how many steps count.
const paces = 20

func (s *speed) add(d time.Duration, tokens, targets int) {
	if s.steps = append(s.steps, pace{d, tokens, targets}); len(s.steps) > paces {
		s.steps = s.steps[1:]
	}
}

// sum returns what the last steps took together.
func (s *speed) sum() (all pace) {
	for _, p := range s.steps {
		all.time += p.time
		all.tokens += p.tokens
		all.targets += p.targets
	}
	return all
}

// tokens and targets return how many there were in a second.
func (s *speed) tokens() float64 {
	p := s.sum()
	return float64(p.tokens) / max(1e-9, p.time.Seconds())
}
func (s *speed) targets() float64 {
	p := s.sum()
	return float64(p.targets) / max(1e-9, p.time.Seconds())
}

// left returns how long some steps will take.
func (s *speed) left(steps int) time.Duration {
	return s.sum().time / time.Duration(max(1, len(s.steps))) * time.Duration(steps)
}

// duration returns a time for people.
func duration(d time.Duration) string {
	switch m := int(d.Round(time.Minute).Minutes()); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case m < 60:
		return fmt.Sprintf("%d min", m)
	default:
		return fmt.Sprintf("%d h %d min", m/60, m%60)
	}
}

// size returns bytes for people.
func size(n int64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// count returns a number for people.
func count(n int64) string {
	if n < 1e6 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%.1f million", float64(n)/1e6)
}
