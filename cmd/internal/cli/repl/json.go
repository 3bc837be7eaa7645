package repl

import (
	"context"
	"strings"

	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/mpt/grammar"
)

// json says which form the next answers have: any object, a schema, or what they like.
func (r *repl) json(ctx context.Context, arg string) error {
	f := &flags.Grammar{}
	if r.grammar != nil {
		f.Vocabulary = r.grammar.Vocabulary
	}
	text := arg
	switch {
	case arg == "-":
		r.grammar = f
		r.note("answers have any form")
		return nil
	case arg == "":
		text = grammar.JSONObject
	case arg != "true" && arg != "false" && !strings.HasPrefix(arg, "{"):
		b, err := fileio.ReadFile(ctx, arg)
		if err != nil {
			return err
		}
		text = string(b)
	}
	var err error
	if f.Grammar, err = grammar.ParseSchema(text); err != nil {
		return err
	}
	r.grammar = f
	r.note("answers are JSON")
	return nil
}
