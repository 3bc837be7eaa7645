package data

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// Options says how rows become tokens. Tokenizer and Context are needed; other zero values are
// the defaults.
type Options struct {
	Tokenizer  *tokenizer.Tokenizer
	Vocabulary int // rows of the model's embedding: ids from there on are refused; 0: those of the tokenizer
	Context    int // the longest row in tokens, at least 2

	Kind          string // one of [Kinds] for rows that could be of two; "": recognised by keys
	TextField     string // the key of texts in place of "text"
	PromptField   string // the key of prompts in place of "prompt"
	ResponseField string // the key of responses in place of "response" or "completion"

	// Format writes conversations; nil is ChatML. Chosen says that a person chose it: then it
	// writes rows with instructions, too, in place of llm-foundry's text for them.
	Format *chat.Format
	Chosen bool
	// PlainMarkers allows formats whose markers are no tokens of the vocabulary: they become
	// ordinary text of several tokens.
	PlainMarkers bool

	TargetPrompts   string // what of prompts is learned: "none" (default), "all", "length>=N" (tokens)
	TargetResponses string // which responses of a conversation are learned: "last" (default), "all"

	// Long says what becomes of a row beyond Context: "truncate", "drop", "error", or "split"
	// into several. The default is split for text files, truncate for all others.
	Long   string
	Strict bool // rows that would be dropped are errors

	maxRow int64 // bytes of a row, for tests

	Stdin   io.Reader // what the path "-" reads; nil: os.Stdin
	TempDir string    // where the tokens are kept; "": the system's folder for temporary files
}

// The values of Options.Long.
const (
	longTruncate = "truncate"
	longDrop     = "drop"
	longError    = "error"
	longSplit    = "split"
)

// masks are TargetPrompts and TargetResponses, parsed.
type masks struct {
	minPrompt    int // prompts of so many tokens are targets; -1: none
	allResponses bool
}

// check refuses options that mean nothing.
func (o *Options) check() error {
	switch {
	case o.Tokenizer == nil:
		return errors.New("data: a tokenizer is missing")
	case o.Tokenizer.EOS() < 0:
		return errors.New("data: the vocabulary has no end-of-text token, which ends every example")
	case o.Context < 2:
		return fmt.Errorf("data: a context of %d tokens: at least 2 are needed, one to predict the other", o.Context)
	case o.Kind != "" && !slices.Contains(Kinds(), o.Kind):
		return fmt.Errorf("data: there is no kind of rows %q: known are %s", o.Kind, strings.Join(Kinds(), ", "))
	case !slices.Contains([]string{"", longTruncate, longDrop, longError, longSplit}, o.Long):
		return fmt.Errorf("data: long rows: %q: want truncate, drop, error or split", o.Long)
	case o.TextField != "" && (o.PromptField != "" || o.ResponseField != ""):
		return errors.New("data: a field for texts and fields for prompts and responses: a row is one or the other")
	case o.TextField != "" && o.Kind != "" && o.Kind != kindText:
		return fmt.Errorf("data: a field for texts, but rows of kind %s", o.Kind)
	case (o.PromptField != "" || o.ResponseField != "") && o.Kind != "" && o.Kind != kindPrompt:
		return fmt.Errorf("data: fields for prompts and responses, but rows of kind %s", o.Kind)
	}
	_, err := o.masks()
	return err
}

func (o *Options) masks() (masks, error) {
	m := masks{minPrompt: -1}
	switch p := o.TargetPrompts; {
	case p == "" || p == "none":
	case p == "all":
		m.minPrompt = 0
	default:
		digits, ok := strings.CutPrefix(p, "length>=")
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n < 0 {
			return m, fmt.Errorf("data: target prompts %q: want none, all or length>=N with a number of tokens", p)
		}
		m.minPrompt = n
	}
	switch o.TargetResponses {
	case "", "last":
	case "all":
		m.allResponses = true
	default:
		return m, fmt.Errorf("data: target responses %q: want last or all", o.TargetResponses)
	}
	return m, nil
}

// rowLimit returns how many bytes a row may have.
func (o *Options) rowLimit() int64 {
	if o.maxRow > 0 {
		return o.maxRow
	}
	return maxRow
}

// vocabulary returns the number of ids that are allowed.
func (o *Options) vocabulary() int {
	if o.Vocabulary > 0 {
		return o.Vocabulary
	}
	return o.Tokenizer.Size()
}

// FormatFor returns the format for conversations with a model. Choice is the name of a format or of one
// of the model's templates, a template in Jinja, or a file with one; "" is the model's own, else ChatML.
func FormatFor(m *chat.Model, choice string) (*chat.Format, error) {
	if choice != "" {
		return chosenFormat(m, choice)
	}
	f, err := m.Detect()
	if err == nil && f.Name == "raw" {
		return chat.Named("chatml")
	}
	return f, err
}

func chosenFormat(m *chat.Model, choice string) (*chat.Format, error) {
	named, err := chat.Named(choice)
	if err == nil {
		return named, nil
	}
	if text, ok := m.Templates[choice]; ok {
		return m.Jinja(text)
	}
	if strings.Contains(choice, "{{") || strings.Contains(choice, "{%") {
		return m.Jinja(choice)
	}
	text, fileErr := os.ReadFile(choice)
	if fileErr != nil {
		return nil, fmt.Errorf("%w; nor is it a file (%w) or a template in Jinja", err, fileErr)
	}
	return m.Jinja(string(text))
}
