package talk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/jsonschema-go/jsonschema"

	"mptgo/mpt"
	"mptgo/mpt/grammar"
)

// ErrCutOff says that an answer ended before it was complete: the context is full, or the limit
// of tokens was reached.
var ErrCutOff = errors.New("talk: the answer was cut off before it was complete")

// JSON asks a question and returns the answer as a T, usually a struct: the answer obeys the
// schema of its type, so it cannot fail to parse, unless it is cut off ([ErrCutOff]) or a number
// does not fit. Fields have the names of their json tags; those with omitempty or omitzero may
// be missing. The model is not told of the schema: the question should say what is wanted. At
// most one opt says how tokens are chosen and how many there may be.
func JSON[T any](ctx context.Context, c *Conversation, question string, opt ...mpt.GenerateOptions) (T, error) {
	var answer T
	s, err := jsonschema.For[T](nil)
	if err != nil {
		return answer, fmt.Errorf("talk: %T has no JSON schema: %w", answer, err)
	}
	schema, err := json.Marshal(s)
	if err != nil {
		return answer, err
	}
	text, err := c.Obey(ctx, question, string(schema), opt...)
	if err != nil {
		return answer, err
	}
	return answer, json.Unmarshal([]byte(text), &answer)
}

// Obey asks a question and returns an answer in JSON that obeys a JSON schema.
func (c *Conversation) Obey(ctx context.Context, question, schema string, opt ...mpt.GenerateOptions) (string, error) {
	if len(opt) > 1 {
		return "", errors.New("talk: more than one GenerateOptions")
	}
	g, err := grammar.ParseSchema(schema)
	if err != nil {
		return "", fmt.Errorf("talk: %w", err)
	}
	if c.vocabulary == nil {
		c.vocabulary = grammar.VocabularyOf(c.tokenizer())
	}
	var o mpt.GenerateOptions
	if len(opt) == 1 {
		o = opt[0]
	}
	ids, _ := Stops(c.format, c.tokenizer())
	ends := slices.Concat(c.tokenizer().EOGs(), ids)
	if len(ends) == 0 {
		return "", errors.New("talk: the model has no token that ends a text")
	}
	o.Constraint = g.Matcher(c.vocabulary, ends)
	if err := c.Ask(ctx, question); err != nil {
		return "", err
	}
	result, err := c.Answer(ctx, o, nil)
	if err == nil && result.Why != mpt.EndedToken {
		err = ErrCutOff
	}
	return c.last().Answer, err
}
