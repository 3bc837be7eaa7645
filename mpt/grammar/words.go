package grammar

import (
	"errors"
	"fmt"

	"mptgo/mpt/grammar/internal/dfa"
)

// ParsePattern returns the grammar of the texts that a regular expression of ECMAScript matches
// from their beginning to their end. It fails for what is not regular, such as look-ahead, and
// for patterns that need too many states.
func ParsePattern(pattern string) (*Grammar, error) {
	d, err := dfa.Whole(dfa.NewBudget(mostCompiling), pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	if d.Empty() {
		return nil, errors.New("pattern: no text matches it")
	}
	return ofWords(d, "pattern")
}

// Choice returns the grammar of some texts, at least one. It fails if they have more than some
// ten thousand characters.
func Choice(texts []string) (*Grammar, error) {
	if len(texts) == 0 {
		return nil, errors.New("choice: there is no text to choose")
	}
	d, err := dfa.Words(texts)
	if err != nil {
		return nil, fmt.Errorf("choice: %w", err)
	}
	return ofWords(d, "choice")
}

// ofWords returns the grammar of the words of an automaton.
func ofWords(d *dfa.DFA, what string) (*Grammar, error) {
	b := newBuilder()
	b.rule("root")
	first, err := b.automaton(d, b.plainText, func(int32) []symbol { return nil })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	b.g.rules[0].alts = [][]symbol{{{rule: first}}}
	return b.g, b.g.machine.init(b.g)
}
