package talk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"mptgo/mpt"
	"mptgo/mpt/grammar"
)

// ErrCutOff says that an answer of [JSON] or [Conversation.Obey] ended before it was complete: the
// context is full, or the limit of tokens was reached. What there is stays in the conversation.
var ErrCutOff = errors.New("talk: the answer was cut off before it was complete")

// schemas are those of types whose JSON is not that of their fields.
var schemas = map[reflect.Type]*jsonschema.Schema{
	reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time"},
	reflect.TypeFor[json.RawMessage](): {},
	reflect.TypeFor[json.Number]():     {Type: "number"},
	reflect.TypeFor[big.Int]():         {Type: "integer"},
	reflect.TypeFor[netip.Addr]():      {Type: "string", Format: "ipv4"},
	reflect.TypeFor[int]():             {Type: "integer", Format: "int64"},
	reflect.TypeFor[int64]():           {Type: "integer", Format: "int64"},
	reflect.TypeFor[uint]():            {Type: "integer", Format: "int64", Minimum: new(float64)},
	reflect.TypeFor[uint64]():          {Type: "integer", Format: "int64", Minimum: new(float64)},
}

// JSON asks a question and returns the answer as a T, usually a struct: the answer obeys the
// schema of its type. Fields have the names of their json tags; those with omitempty or omitzero
// may be missing, those with the option string are not supported. It fails with [ErrCutOff] if
// the answer is cut off, for types that need themselves (see [Conversation.Obey]), and for those
// that read other JSON than their fields say. Slices, maps and pointers may be null; ranges and
// choices take a schema of your own, with [Conversation.Obey]. The model is not told of the schema:
// the question should say what is wanted. At most one opt says how tokens are chosen and how many there may
// be.
func JSON[T any](ctx context.Context, c *Conversation, question string, opt ...mpt.GenerateOptions) (T, error) {
	var answer T
	s, err := jsonschema.For[T](&jsonschema.ForOptions{TypeSchemas: schemas})
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
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return answer, fmt.Errorf("talk: %T cannot read %s: %w", answer, text, err)
	}
	return answer, nil
}

// Obey asks a question and returns an answer in JSON that obeys a JSON schema. If it is cut off,
// the text so far comes with [ErrCutOff]. To have the text as it comes, use [Conversation.Ask], and
// [Conversation.Answer] with a [grammar.Grammar.Matcher] as the constraint. A schema that is not kept is an error
// ([*grammar.SchemaError]), and so is a constraint in opt: the schema is one.
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
	if o.Constraint != nil {
		return "", errors.New("talk: the options have a constraint beside the schema")
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
