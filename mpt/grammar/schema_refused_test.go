package grammar

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSchemaRefused has schemas that are not kept, and what is said of them.
func TestSchemaRefused(t *testing.T) {
	for _, x := range []struct{ schema, want string }{
		// What is no schema.
		{``, "schema: it is not JSON: it ends too early"},
		{`{"type":`, "schema: it is not JSON: it ends too early"},
		{`{"type":"string"} x`, "something follows"},
		{`"string"`, "want an object, true or false"},
		{`[]`, "want an object, true or false"},
		{"{\"a\":\"\xff\"}", "it is not UTF-8"},
		{`{"type":"strong"}`, "schema /type: value must be one of"},
		{`{"minLength":-1}`, "schema /minLength: "},
		{`{"minLength":"3"}`, "schema /minLength: "},
		{`{"required":"a"}`, "schema /required: "},
		{`{"properties":{"a":1}}`, "schema /properties/a: "},
		{`{"multipleOf":0}`, "schema /multipleOf: "},
		{`{"type":"string","type":"null"}`, "schema /type: the name is there twice"},
		{`{"$schema":"http://json-schema.org/draft-04/schema#"}`, "schema /$schema: "},
		// What allows nothing.
		{`false`, "no value can obey the schema: false allows nothing"},
		{`{"type":"string","minLength":3,"maxLength":2}`, "minLength is 3 and maxLength is 2"},
		{`{"type":"integer","minimum":3,"maximum":2}`, "no number is between its bounds"},
		{`{"type":"integer","exclusiveMinimum":3,"exclusiveMaximum":4}`, "no number is between its bounds"},
		{`{"allOf":[{"type":"string"},{"type":"null"}]}`, "several schemas demand different types"},
		{`{"type":"string","enum":[1,2]}`, "none of the values of enum or const obeys the rest"},
		{`{"properties":{"a":false},"required":["a"]}`, `schema /required: no value can obey the schema: "a" has to be there and may not`},
		{`{"type":"array","items":false,"minItems":1}`, "at least 1 items have to be there and at most 0 may"},
		{`{"type":"string","pattern":"^a","allOf":[{"pattern":"^b"}]}`, "no string has its pattern"},
		{`{"propertyNames":{"pattern":"^[ab]$"},"minProperties":3,"type":"object"}`, "schema /minProperties: no value can obey the schema: there are not so many names"},
		{`{"properties":{"a":{"$ref":"#"}},"required":["a"]}`, "it needs itself"},
		{`{"type":"array","items":{"$ref":"#"},"minItems":1}`, "it needs itself"},
		{`{"$ref":"#"}`, "it needs itself"},
		{`{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}`, "it needs itself"},
		{`{"allOf":[{"$ref":"#"}]}`, "it needs itself"},
		{`{"anyOf":[{"type":"string"},{"$ref":"#"}]}`, "it needs itself"},
		// What is not enforced.
		{`{"not":{"type":"string"}}`, "schema /not: is not supported"},
		{`{"if":{"type":"string"},"then":{"minLength":1}}`, "schema /if: is not supported"},
		{`{"properties":{"a":{"items":{"contains":{"const":1}}}}}`, "schema /properties/a/items/contains: is not supported"},
		{`{"type":"array","uniqueItems":true}`, "schema /uniqueItems: is not supported"},
		{`{"dependentRequired":{"a":["b"]}}`, "schema /dependentRequired: is not supported"},
		{`{"dependencies":{"a":["b"]}}`, "schema /dependencies: is not supported"},
		{`{"unevaluatedProperties":false}`, "schema /unevaluatedProperties: is not supported"},
		{`{"$dynamicRef":"#a"}`, "schema /$dynamicRef: is not supported"},
		{`{"nullable":true,"type":"string"}`, `write "type": [..., "null"]`},
		{`{"requird":["a"]}`, "schema /requird: the keyword is not known"},
		{`{"type":"string","format":"idn-email"}`, `schema /format: the format "idn-email" is not supported: date, date-time`},
		{`{"type":"integer","format":"roman"}`, `the format "roman" is not supported`},
		{`{"type":"string","pattern":"(?<=a)b"}`, "schema /pattern: look-behind is not supported"},
		{`{"type":"string","pattern":"(a)\\1"}`, "schema /pattern: back references"},
		{`{"type":"string","pattern":"["}`, "schema /pattern: a class has no end"},
		{`{"patternProperties":{"(?!a)":{}}}`, "schema /patternProperties/(?!a): look-ahead is not supported"},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "schema /oneOf: it is not certain that no value obeys both /oneOf/0 and /oneOf/1"},
		{`{"oneOf":[{"type":"object","properties":{"a":{}}},{"type":"object","properties":{"b":{}}}]}`, "it is not certain"},
		{`{"oneOf":[{"type":"array"},{"type":"array"}]}`, "it is not certain"},
		{`{"$ref":"https://example.org/other.json"}`, "is in another document"},
		{`{"$ref":"other.json#/a"}`, "is in another document"},
		{`{"$ref":"#/$defs/nope"}`, "there is nothing at $defs"},
		{`{"$defs":{"a":3},"$ref":"#/$defs/a"}`, ""},
		{`{"$ref":"#nope"}`, "there is no such anchor"},
		{`{"properties":{"a":{"$id":"https://example.org/x","items":{"$ref":"#/b"}}}}`, "$id of its own"},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","prefixItems":[{}]}`, "schema /prefixItems: draft 7 does not have it"},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","items":[{}]}`, "schema /items: "},
		{`{"type":"object","propertyNames":{"anyOf":[{"pattern":"^a"},{"pattern":"^b"}]}}`, "alternatives of names are not supported"},
		// What is too much.
		{`{"type":"string","maxLength":100000000}`, "schema /maxLength: 100000000 is too large: leave it out"},
		{`{"type":"array","items":{"type":"integer"},"maxItems":90000}`, "schema /maxItems: "},
		{`{"type":"integer","multipleOf":123456}`, "schema /multipleOf: multiples of 123456 are not supported"},
		{`{"type":"number","minimum":1e-300}`, "schema /minimum: 1e-300 has too many digits"},
		{`{"type":"string","pattern":"(.*a.{30}){3}"}`, "schema /pattern: it needs too many states"},
		{`{"type":"string","pattern":"a{1001}"}`, "repeats more than 1000 times: use maxLength"},
		{strings.Repeat(`{"items":`, 300) + `{}` + strings.Repeat(`}`, 300), "nested deeper than 256"},
		{strings.Repeat(`[`, 100_000), "nested deeper than 256"},
		{`{"title":"` + strings.Repeat("a", 1<<20) + `"}`, "want at most"},
	} {
		_, err := ParseSchema(x.schema)
		var fail *SchemaError
		if !errors.As(err, &fail) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%.120s: error %v, want %q", x.schema, err, x.want)
		}
	}
}

// Schemas that ask for much work are refused or compiled, in little time.
func TestHostileSchemas(t *testing.T) {
	many := func(n int, item func(i int) string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = item(i)
		}
		return strings.Join(list, ",")
	}
	for name, schema := range map[string]string{
		"product of anyOf": `{"allOf":[` + many(30, func(i int) string {
			return fmt.Sprintf(`{"anyOf":[{"properties":{"a%d":{"const":1}}},{"properties":{"b%d":{"const":1}}}]}`, i, i)
		}) + `]}`,
		"patterns at once": `{"type":"string","allOf":[` + many(40, func(i int) string { return fmt.Sprintf(`{"pattern":"a.{%d}b"}`, i) }) + `]}`,
		"patterns of names": `{"type":"object","patternProperties":{` + many(40, func(i int) string {
			return fmt.Sprintf(`"%c.*%c":{"type":"integer"}`, 'a'+i%26, 'b'+i*7%24)
		}) + `}}`,
		"chain of references": `{"$defs":{` + many(5000, func(i int) string {
			return fmt.Sprintf(`"d%d":{"$ref":"#/$defs/d%d"}`, i, i+1)
		}) + `,"d5000":{"type":"null"}},"$ref":"#/$defs/d0"}`,
		"many names": `{"type":"object","properties":{` + many(3000, func(i int) string { return fmt.Sprintf(`"p%d":{"type":"integer"}`, i) }) + `}}`,
		"many names and counts": `{"type":"object","minProperties":900,"properties":{` + many(1000, func(i int) string {
			return fmt.Sprintf(`"p%d":{"type":"integer"}`, i)
		}) + `}}`,
		"oneOf of many": `{"oneOf":[` + many(300, func(i int) string {
			return fmt.Sprintf(`{"type":"object","properties":{"k":{"const":%d}},"required":["k"]}`, i)
		}) + `]}`,
		"conjunctions": `{"$defs":{"n":{"type":"object","properties":{` + many(12, func(i int) string {
			return fmt.Sprintf(`"p%d":{"allOf":[{"$ref":"#/$defs/n"},{"properties":{"p%d":{"title":"t%d"}}}]}`, i, (i+1)%12, i)
		}) + `}}},"$ref":"#/$defs/n"}`,
		"doubling": `{"$defs":{` + many(40, func(i int) string {
			return fmt.Sprintf(`"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"type":"array","items":{"$ref":"#/$defs/d%d"}}]}`, i, i+1, i+1)
		}) + `,"d40":{"type":"null"}},"$ref":"#/$defs/d0"}`,
		"words": `{"enum":[` + many(40_000, func(i int) string { return fmt.Sprintf(`"%d-%x"`, i%97, i*7919) }) + `]}`,
	} {
		began := time.Now()
		g, err := ParseSchema(schema)
		t.Log(name, time.Since(began), err)
		var fail *SchemaError
		if err != nil && !errors.As(err, &fail) && !errors.Is(err, ErrTooManyStates) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if _, err := g.Matches(`{"p1":1,"p2":{"p3":{}},"k":1}`); err != nil && !errors.Is(err, ErrTooManyStates) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
