package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/mpt"
	"mptgo/mpt/grammar"
	"mptgo/mpt/tokenizer"
)

// grammarFlags say which form an answer has.
type grammarFlags struct {
	flags      *pflag.FlagSet
	forms      []form
	grammar    *grammar.Grammar
	vocabulary *grammar.Vocabulary
}

// form is a flag that says it, with the text or the file that was given.
type form struct {
	flag  string
	file  bool
	parse func(text string) (*grammar.Grammar, error)
	value *string
}

func (f *grammarFlags) add(cmd *cobra.Command) {
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

// read compiles the grammar or the schema, if there is one.
func (f *grammarFlags) read(ctx context.Context) error {
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
		b, err := readFile(ctx, text)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		text, where = string(b), where+" "+visible(text)
	}
	var err error
	if f.grammar, err = x.parse(text); err != nil {
		return fmt.Errorf("%s: %s", where, visible(strings.TrimPrefix(err.Error(), "grammar: ")))
	}
	return nil
}

// constraint returns what keeps one answer in form, or nil. Beside the vocabulary's own, some
// tokens end an answer.
func (f *grammarFlags) constraint(t *tokenizer.Tokenizer, ends []int32) mpt.Constraint {
	if f == nil || f.grammar == nil {
		return nil
	}
	if f.vocabulary == nil {
		f.vocabulary = grammar.VocabularyOf(t)
	}
	return f.grammar.Matcher(f.vocabulary, append(slices.Clone(t.EOGs()), ends...))
}

// json says which form the next answers have: any object, a schema, or what they like.
func (r *repl) json(ctx context.Context, arg string) error {
	f := &grammarFlags{}
	if r.grammar != nil {
		f.vocabulary = r.grammar.vocabulary
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
		b, err := readFile(ctx, arg)
		if err != nil {
			return err
		}
		text = string(b)
	}
	var err error
	if f.grammar, err = grammar.ParseSchema(text); err != nil {
		return err
	}
	r.grammar = f
	r.note("answers are JSON")
	return nil
}
