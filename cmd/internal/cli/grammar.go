package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/mpt"
	"mptgo/mpt/grammar"
	"mptgo/mpt/tokenizer"
)

// grammarFlags say which form an answer has.
type grammarFlags struct {
	text, file string
	grammar    *grammar.Grammar
	vocabulary *grammar.Vocabulary
}

func (f *grammarFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.text, "grammar", "", "answer in the form of a grammar, `TEXT` in GBNF")
	fs.StringVar(&f.file, "grammar-file", "", "the same from a `FILE`")
}

// read compiles the grammar, if there is one.
func (f *grammarFlags) read(ctx context.Context) error {
	if f.text == "" && f.file == "" {
		return nil
	}
	text, flag := f.text, "--grammar"
	if f.file != "" {
		if f.text != "" {
			return errors.New("--grammar and --grammar-file: want one of the two")
		}
		b, err := readFile(ctx, f.file)
		if err != nil {
			return fmt.Errorf("--grammar-file: %w", err)
		}
		text, flag = string(b), "--grammar-file "+visible(f.file)
	}
	var err error
	if f.grammar, err = grammar.Parse(text); err != nil {
		return fmt.Errorf("%s: %s", flag, strings.TrimPrefix(err.Error(), "grammar: "))
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
