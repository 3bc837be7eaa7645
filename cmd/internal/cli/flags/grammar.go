package flags

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/mpt"
	"mptgo/mpt/grammar"
	"mptgo/mpt/tokenizer"
)

// Grammar say which form an answer has.
type Grammar struct {
	flags      *pflag.FlagSet
	forms      []form
	Grammar    *grammar.Grammar
	Vocabulary *grammar.Vocabulary
}

// form is a flag that says it, with the text or the file that was given.
type form struct {
	flag  string
	file  bool
	parse func(text string) (*grammar.Grammar, error)
	value *string
}

// Add adds the flags.
func (f *Grammar) Add(cmd *cobra.Command) {
	fs := cmd.Flags()
	f.flags = fs
	add := func(flag, letter, help string, file bool, parse func(string) (*grammar.Grammar, error)) {
		f.forms = append(f.forms, form{flag, file, parse, fs.StringP(flag, letter, "", help)})
	}
	add("grammar", "", "answer in the form of a grammar, `TEXT` in GBNF", false, grammar.Parse)
	add("grammar-file", "", "the same from a `FILE`", true, grammar.Parse)
	add("json-schema", "j", "answer in JSON that obeys a `SCHEMA`; {} is any value", false, grammar.ParseSchema)
	add("json-schema-file", "", "the same from a `FILE`", true, grammar.ParseSchema)
}

// Read compiles the grammar or the schema, if there is one.
func (f *Grammar) Read(ctx context.Context) error {
	var given []form
	for _, x := range f.forms {
		if f.flags.Changed(x.flag) {
			given = append(given, x)
		}
	}
	switch len(given) {
	case 0:
		return nil
	case 1:
	default:
		return fmt.Errorf("--%s and --%s: want one of the two", given[0].flag, given[1].flag)
	}
	x := given[0]
	text, where := *x.value, "--"+x.flag
	if x.file {
		b, err := fileio.ReadFile(ctx, text)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		text, where = string(b), where+" "+console.Visible(text)
	}
	var err error
	if f.Grammar, err = x.parse(text); err != nil {
		return fmt.Errorf("%s: %s", where, console.Visible(strings.TrimPrefix(err.Error(), "grammar: ")))
	}
	return nil
}

// Constraint returns what keeps one answer in form, or nil. Beside the vocabulary's own, some
// tokens end an answer.
func (f *Grammar) Constraint(t *tokenizer.Tokenizer, ends []int32) mpt.Constraint {
	if f == nil || f.Grammar == nil {
		return nil
	}
	if f.Vocabulary == nil {
		f.Vocabulary = grammar.VocabularyOf(t)
	}
	return f.Grammar.Matcher(f.Vocabulary, append(slices.Clone(t.EOGs()), ends...))
}
