package data

import (
	"errors"
	"fmt"

	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// dropError says why a row is left out. Reason is one of few, which are counted.
type dropError struct{ reason, detail string }

func (e *dropError) Error() string {
	if e.detail == "" {
		return e.reason
	}
	return e.reason + ": " + e.detail
}

func drop(reason, detail string) error { return &dropError{reason, detail} }

// turn is a prompt with the response to it, in tokens.
type turn struct{ prompt, response []int32 }

// encode appends the tokens of a text with control tokens that are spelled out in it, as
// llm-foundry does. More says that tokens stand before it already.
func (b *builder) encode(dst []int32, text string, more bool) []int32 {
	opt := tokenizer.EncodeOptions{ParseSpecial: true, AddSpecial: !more, Continue: more}
	return b.opt.Tokenizer.AppendEncode(dst, text, opt)
}

// label makes one row of turns. Tokens that are no targets are complements.
func (b *builder) label(turns []turn) []int32 {
	last := len(turns) - 1
	var row []int32
	for i, t := range turns {
		row = appendMarked(row, t.prompt, b.masks.minPrompt >= 0 && len(t.prompt) >= b.masks.minPrompt)
		row = appendMarked(row, t.response, i == last || b.masks.allResponses)
	}
	if r := turns[last].response; len(r) == 0 || r[len(r)-1] != b.eos {
		row = append(row, b.eos)
	}
	return row
}

func appendMarked(row, tokens []int32, target bool) []int32 {
	for _, id := range tokens {
		if !target {
			id = ^id
		}
		row = append(row, id)
	}
	return row
}

func (b *builder) textRow(r *record) ([]int32, error) {
	key := b.opt.TextField
	if key == "" || r.document {
		key = kindText
	}
	text, err := r.text(key)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, drop("empty text", "")
	}
	return b.label([]turn{{response: b.encode(nil, text, false)}}), nil
}

func (b *builder) promptRow(r *record) ([]int32, error) {
	promptKey, responseKey := b.promptFields(r)
	prompt, err := r.text(promptKey)
	if err != nil {
		return nil, err
	}
	response, err := r.text(responseKey)
	if err != nil {
		return nil, err
	}
	return b.pair(prompt, response)
}

// pair encodes a prompt and a response, each by itself.
func (b *builder) pair(prompt, response string) ([]int32, error) {
	switch {
	case prompt == "":
		return nil, drop("empty prompt", "")
	case response == "":
		return nil, drop("empty response", "")
	}
	return b.label([]turn{{b.encode(nil, prompt, false), b.encode(nil, response, true)}}), nil
}

// alpacaPrompt is how llm-foundry writes an instruction.
const alpacaPrompt = "Below is an instruction that describes a task. Write a response that appropriately completes the request." +
	"\n\n### Instruction:\n%s\n\n### Response:\n"

// alpacaRow reads an instruction, with what it is about under "input" or, in Dolly's data, "context".
func (b *builder) alpacaRow(r *record) ([]int32, error) {
	var texts [3]string
	for i, key := range []string{"instruction", r.first("input", "context"), r.first("output", "response")} {
		var err error
		if texts[i], err = r.text(key); err != nil {
			return nil, err
		}
	}
	instruction, output := texts[0], texts[2]
	switch {
	case instruction == "":
		return nil, drop("empty prompt", "")
	case output == "":
		return nil, drop("empty response", "")
	}
	if texts[1] != "" {
		instruction += "\n" + texts[1]
	}
	if b.opt.Chosen && b.opt.Format != nil {
		return b.conversation(r, []chat.Message{{Role: chat.User, Content: instruction}, {Role: chat.Assistant, Content: output}})
	}
	return b.pair(fmt.Sprintf(alpacaPrompt, instruction), output)
}

// tokenRow reads rows that are tokens already.
func (b *builder) tokenRow(r *record) ([]int32, error) {
	switch key := r.first("turns", "input_ids", "tokens"); {
	case key == "turns":
		return b.tokenTurns(r)
	case key == "input_ids" && r.has("labels"):
		return b.tokenLabels(r)
	default:
		return b.ids(r, key, r.fields[key])
	}
}

// tokenTurns reads llm-foundry's tokenised conversations: labels are the tokens of the responses.
func (b *builder) tokenTurns(r *record) ([]int32, error) {
	list, err := r.list("turns")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, drop("no turns", "")
	}
	turns := make([]turn, len(list))
	for i, v := range list {
		object, ok := v.(map[string]any)
		if !ok {
			return nil, r.fail("turn %d is %s: want input_ids and labels", i+1, describe(v))
		}
		if turns[i].prompt, err = b.ids(r, fmt.Sprintf("turn %d: input_ids", i+1), object["input_ids"]); err != nil {
			return nil, err
		}
		if turns[i].response, err = b.ids(r, fmt.Sprintf("turn %d: labels", i+1), object["labels"]); err != nil {
			return nil, err
		}
	}
	if len(turns[len(turns)-1].response) == 0 {
		return nil, drop("empty response", "")
	}
	return b.label(turns), nil
}

// tokenLabels reads either transformers' labels, of which each is its token or -100, or those of
// llm-foundry, which are the tokens of a response.
func (b *builder) tokenLabels(r *record) ([]int32, error) {
	tokens, err := b.ids(r, "input_ids", r.fields["input_ids"])
	if err != nil {
		return nil, err
	}
	labels, err := numbers(r.fields["labels"])
	if err != nil {
		return nil, r.fail("labels: %w", err)
	}
	if row, ok := marked(tokens, labels); ok {
		return row, nil
	}
	response, err := b.ids(r, "labels", r.fields["labels"])
	if err != nil {
		return nil, fmt.Errorf("%w (labels are as long as input_ids, and each is its token or -100; or the tokens of a response)", err)
	}
	if len(response) == 0 {
		return nil, drop("empty response", "")
	}
	return b.label([]turn{{tokens, response}}), nil
}

// marked returns tokens of which those are targets that are their labels.
func marked(tokens []int32, labels []int64) (row []int32, ok bool) {
	if len(tokens) != len(labels) {
		return nil, false
	}
	for i, id := range tokens {
		switch labels[i] {
		case int64(id):
			row = append(row, id)
		case noTarget:
			row = append(row, ^id)
		default:
			return nil, false
		}
	}
	return row, true
}

// ids returns token ids under a name that errors have.
func (b *builder) ids(r *record, name string, v any) ([]int32, error) {
	list, err := numbers(v)
	if err != nil {
		return nil, r.fail("%s: %w", name, err)
	}
	ids := make([]int32, len(list))
	for i, n := range list {
		if n < 0 || n >= int64(b.opt.vocabulary()) {
			return nil, r.fail("%s: token %d is %d, and the model knows 0 to %d: these tokens were made for another vocabulary",
				name, i, n, b.opt.vocabulary()-1)
		}
		ids[i] = int32(n)
		b.maxID = max(b.maxID, ids[i])
	}
	return ids, nil
}

// numbers returns a list of integers, also one that is text of JSON, or bytes of int64 as
// llm-foundry writes them.
func numbers(v any) ([]int64, error) {
	switch x := v.(type) {
	case []int64:
		return x, nil
	case []byte:
		list, err := integers("int64", x)
		if err != nil {
			err = fmt.Errorf("%w: bytes are read as int64", err)
		}
		return list, err
	case string:
		parsed, err := parseJSON([]byte(x))
		if err != nil {
			return nil, fmt.Errorf("a text, and as a list of numbers it is %w", err)
		}
		if _, again := parsed.(string); again {
			return nil, errors.New("a text: want a list of numbers")
		}
		return numbers(parsed)
	case []any:
		list := make([]int64, len(x))
		for i, e := range x {
			n, ok := e.(int64)
			if !ok {
				return nil, fmt.Errorf("item %d is %s: want a number", i, describe(e))
			}
			list[i] = n
		}
		return list, nil
	}
	return nil, fmt.Errorf("it is %s: want a list of numbers", describe(v))
}
