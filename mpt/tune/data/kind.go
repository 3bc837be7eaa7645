package data

import (
	"fmt"
	"strings"
)

// The kinds of rows.
const (
	kindText           = "text"
	kindPrompt         = "prompt"
	kindChat           = "chat"
	kindShareGPT       = "sharegpt"
	kindAlpaca         = "alpaca"
	kindConversational = "conversational"
	kindTokens         = "tokens"
)

// kind is a way in which data sets write examples.
type kind struct {
	name string
	keys string // as errors name them
	fits func(r *record) bool
	// encode returns the tokens of a row, those that are no targets as their complements.
	encode func(b *builder, r *record) ([]int32, error)
}

// kinds are all of them. A row of two kinds is an error unless [Options.Kind] chooses.
func kinds() []kind {
	return []kind{
		{kindText, "text", func(r *record) bool { return r.has("text") }, (*builder).textRow},
		{kindPrompt, "prompt and response or completion, texts", isPrompt, (*builder).promptRow},
		{kindChat, "messages", func(r *record) bool { return r.has("messages") }, (*builder).chatRow},
		{kindShareGPT, "conversations", func(r *record) bool { return r.has("conversations") }, (*builder).shareGPTRow},
		{kindAlpaca, "instruction and output or response", isAlpaca, (*builder).alpacaRow},
		{kindConversational, "prompt and completion, lists of messages", isConversational, (*builder).conversationalRow},
		{kindTokens, "tokens, or input_ids with or without labels, or turns",
			func(r *record) bool { return r.first("tokens", "input_ids", "turns") != "" }, (*builder).tokenRow},
	}
}

// Kinds returns the names of the kinds of rows.
func Kinds() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

func isPrompt(r *record) bool {
	return r.has("prompt") && r.first("response", "completion") != "" && !isConversational(r)
}

func isAlpaca(r *record) bool { return r.has("instruction") && r.first("output", "response") != "" }

func isConversational(r *record) bool {
	_, list := r.fields["prompt"].([]any)
	return list && r.has("completion")
}

// kindOf recognises a row.
func (b *builder) kindOf(r *record) (*kind, error) {
	switch {
	case r.document:
		return b.named(kindText), nil
	case b.opt.TextField != "":
		return b.named(kindText), b.needs(r, b.opt.TextField)
	case b.opt.PromptField != "" || b.opt.ResponseField != "":
		return b.named(kindPrompt), b.needsPrompt(r)
	case b.opt.Kind != "":
		k := b.named(b.opt.Kind)
		if !k.fits(r) {
			return nil, r.fail("it has %s: rows of kind %s have %s", r.keys(), k.name, k.keys)
		}
		return k, nil
	}
	var found []*kind
	for i := range b.kinds {
		if b.kinds[i].fits(r) {
			found = append(found, &b.kinds[i])
		}
	}
	switch len(found) {
	case 0:
		return nil, r.fail("it has %s, which is no known kind of row. Known are:%s\nOther columns are named by --text-field, "+
			"or --prompt-field and --response-field", r.keys(), b.listKinds())
	case 1:
		return found[0], nil
	}
	return nil, r.fail("it has %s: that may be a row of kind %s or %s: choose one with --format",
		r.keys(), found[0].name, found[1].name)
}

func (b *builder) named(name string) *kind {
	for i := range b.kinds {
		if b.kinds[i].name == name {
			return &b.kinds[i]
		}
	}
	return nil // Options.check has refused it
}

func (b *builder) listKinds() string {
	var s strings.Builder
	for _, k := range b.kinds {
		fmt.Fprintf(&s, "\n  %s: %s", k.name, k.keys)
	}
	return s.String()
}

func (b *builder) needs(r *record, keys ...string) error {
	for _, k := range keys {
		if !r.has(k) && !b.seen[k] { // what was there before is null here
			return r.fail("it has %s, and no %q", r.keys(), k)
		}
		b.seen[k] = true
	}
	return nil
}

// promptFields returns the keys of a prompt and its response.
func (b *builder) promptFields(r *record) (prompt, response string) {
	prompt, response = b.opt.PromptField, b.opt.ResponseField
	if prompt == "" {
		prompt = "prompt"
	}
	if response == "" {
		if response = r.first("response", "completion"); response == "" {
			response = "response"
		}
	}
	return prompt, response
}

func (b *builder) needsPrompt(r *record) error {
	prompt, response := b.promptFields(r)
	return b.needs(r, prompt, response)
}

// begun is the first row of a file, which others have to be like.
type begun struct {
	at   place
	kind *kind
}

// alike returns the kind of a row if it is that of its file.
func (b *builder) alike(r *record) (*kind, error) {
	k, err := b.kindOf(r)
	if err != nil {
		return nil, err
	}
	if b.first.kind == nil {
		b.first = begun{r.at, k}
	}
	if b.first.kind != k {
		return nil, r.fail("a row of kind %s, and that at %s is of kind %s: the rows of a file are alike: make two files",
			k.name, b.first.at, b.first.kind.name)
	}
	return k, nil
}
