package dfa

import "errors"

// ErrTooLarge says that an automaton would have too many states.
var ErrTooLarge = errors.New("it needs too many states: make it simpler or shorter")

// ErrTooMuch says that all that was asked for takes too long.
var ErrTooMuch = errors.New("it takes too long: make it simpler or shorter")

// Budget is how much work may be done, in looks at edges, instructions and the like: a hundred
// million are some seconds. It is counted, not timed, so that what is refused is refused on
// every machine.
type Budget struct{ left int }

// NewBudget returns a budget of n looks.
func NewBudget(n int) *Budget { return &Budget{n} }

// Spend takes n looks. It fails with [ErrTooMuch].
func (b *Budget) Spend(n int) error {
	if b.left -= n; b.left < 0 {
		return ErrTooMuch
	}
	return nil
}
