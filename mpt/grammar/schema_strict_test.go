package grammar

import (
	"math/rand/v2"
	"testing"
)

// Texts that schemas do not allow, in places where one might think they do. To refuse the schema
// is fine, too.
func TestSchemaRejects(t *testing.T) {
	const seven = `"$schema":"http://json-schema.org/draft-07/schema#",`
	const nineteen = `"$schema":"https://json-schema.org/draft/2019-09/schema",`
	for _, x := range []struct{ schema, text string }{
		{`{"type":["object","null"],"oneOf":[{"properties":{"k":{"const":1}},"required":["k"]},{"properties":{"k":{"const":2}},"required":["k"]}]}`, `null`},
		{`{"type":["string","number"],"oneOf":[{"minLength":3},{"maxLength":2}]}`, `7`},
		{`{"type":"object","properties":{"k":{"type":["string","integer"]}},"oneOf":[{"properties":{"k":{"maxLength":2}},"required":["k"]},{"properties":{"k":{"minLength":3}},"required":["k"]}]}`, `{"k":5}`},
		{`{"anyOf":[{"type":"integer"},{"type":"number"}],"oneOf":[{"type":"integer"},{"type":"number"}]}`, `3`},
		{`{"allOf":[{"anyOf":[{"type":"integer"},{"type":"number"}]},{"oneOf":[{"type":"integer"},{"type":"number"}]}]}`, `3`},
		{`{` + seven + `"$ref":"#/definitions/a","maximum":1,"definitions":{"a":{"enum":[1,2,3]}}}`, `3`},
		{`{` + nineteen + `"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"number"}}`, `["a"]`},
		{`{"$defs":{"x":{"$anchor":"a","type":"string"}},"properties":{"q":{"enum":[{"$anchor":"a"}]},"p":{"$ref":"#a"}}}`, `{"p":5}`},
		{`{"$defs":{"a":{"$id":"http://x.y/","$defs":{"b":{"$ref":"#/$defs/c"},"c":{"type":"string"}}},"c":{"type":"number"}},"$ref":"#/$defs/a/$defs/b"}`, `3`},
		{`{"type":"number","format":"int32"}`, `1.5`},
		{`{"type":"integer","enum":[30000000000,5],"format":"int32"}`, `30000000000`},
		{`{"$defs":{"s":{"type":"string"}},"$ref":"#/$defs/s","allOf":[{"minLength":3}]}`, `"ab"`},
		{`{` + seven + `"definitions":{"a":{"type":"integer"}},"$ref":"#/definitions/a","enum":[1,5],"minimum":3}`, `1`},
		{`{"type":"integer","format":"int32"}`, `2147483648`},
		{`{"type":"integer","format":"int32"}`, `-2147483649`},
		{`{"format":"int64"}`, `1.5`},
		{`{"type":"number","minimum":0,"exclusiveMaximum":1}`, `0.99999999999999999`}, // 1 as a float64
		{`{"type":"number","exclusiveMinimum":0.1}`, `0.10000000000000001`},           // 0.1 as a float64
	} {
		g, err := ParseSchema(x.schema)
		if err != nil {
			continue
		}
		if ok, _ := g.Matches(x.text); ok {
			t.Errorf("%s takes %s", x.schema, x.text)
		}
	}
}

// What may follow must never be nothing.
func TestNoDeadEnds(t *testing.T) {
	v := NewVocabulary(append([]string{""}, mixedTokens()...))
	r := rand.New(rand.NewPCG(1, 2))
	for _, schema := range []string{
		`{"type":"object","patternProperties":{"^a$":{"allOf":[{"type":"string"},{"type":"number"}]},"^b$":{}},"minProperties":2}`,
		`{"type":"object","minProperties":3,"patternProperties":{"^[bc]$":{"type":"string","minLength":2,"maxLength":1},"^[de]$":{"type":"null"}}}`,
	} {
		if g, err := ParseSchema(schema); err == nil {
			for range 20 {
				sample(t, g, v, r)
			}
		}
	}
}

// Multiples of common numbers need no bounds.
func TestMultiples(t *testing.T) {
	for _, n := range []string{"7", "60", "250", "1000", "1e3", "5000", "0.01"} {
		g, err := ParseSchema(`{"type":"integer","multipleOf":` + n + `}`)
		if err != nil {
			t.Errorf("%s: %v", n, err)
			continue
		}
		// Of few remainders, however large the number, multiples have all of their digits.
		if ok, err := g.Matches("630000000000000"); !ok || err != nil {
			t.Errorf("%s: 15 digits are not taken (%v)", n, err)
		}
	}
}
