package grammar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
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
		{`{"type":"strong"}`, "schema /type: strong is not known"},
		{`{"minLength":-1}`, "schema /minLength: "},
		{`{"minLength":"3"}`, "schema /minLength: "},
		{`{"required":"a"}`, "schema /required: "},
		{`{"properties":{"a":1}}`, "schema /properties/a: "},
		{`{"multipleOf":0}`, "schema /multipleOf: "},
		{`{"minLength":-1}`, "want a number that is not negative"},
		{`{"multipleOf":0}`, "want a number above 0"},
		{`{"type":[]}`, "schema /type: "},
		{`{"minLength":1.5}`, "want integer, not number"},
		{`{"const":"\ud800"}`, `\ud800 is half a character`},
		{`{"const":"\udc15\ud83d"}`, `\udc15 is half a character`},
		{`{"const":1e400}`, "schema /const: 1e400 is too large"},
		{`{"minimum":0,"enum":[1e999900]}`, "schema /enum/0: 1e999900 is too large"},
		{`{"a":01}`, "about byte"},
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
		{`{"type":"object","patternProperties":{"^a$":{"allOf":[{"type":"string"},{"type":"number"}]},"^b$":{}},"minProperties":2}`, "there are not so many names"},
		{`{"type":"object","properties":{"x":{}},"minProperties":4,"patternProperties":{"^[bc]$":{"type":"string","minLength":2,"maxLength":1},"^[de]$":{}}}`, "there are not so many names"},
		{`{"properties":{"a":{"type":"string","minLength":2,"maxLength":1},"b":{"$ref":"#"}},"required":["b"]}`, "it needs itself"},
		{`{"properties":{"z":{"oneOf":[{"type":"string","minLength":2},{"type":"string","maxLength":1}]},"b":{"minimum":2,"maximum":1}},"required":["b"]}`, "no number is between"},
		{`{"const":3,"enum":[1,2]}`, "none of the values"},
		{`{"oneOf":[{"const":"x","type":"integer"},{"type":"integer","minimum":3,"maximum":2}]}`, "no number is between its bounds"},
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
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "schema /oneOf: it is not certain that no value obeys both alternatives 0 and 1"},
		{`{"oneOf":[{"type":"object","properties":{"a":{}}},{"type":"object","properties":{"b":{}}}]}`, "it is not certain"},
		{`{"oneOf":[{"type":"array"},{"type":"array"}]}`, "it is not certain"},
		{`{"oneOf":[{"type":"integer","maximum":3},{"type":"integer","minimum":3}]}`, "it is not certain"},
		{`{"oneOf":[{"minimum":1},{"minLength":1}]}`, ""},
		{`{"type":["object","null"],"oneOf":[{"properties":{"k":{"const":1}},"required":["k"]},{"properties":{"k":{"const":2}},"required":["k"]}]}`, "it is not certain"},
		{`{"anyOf":[{"type":"integer"},{"type":"number"}],"oneOf":[{"type":"integer"},{"type":"number"}]}`, "schema /oneOf: it is not certain"},
		{`{"properties":{"b":{"const":1}},"propertyNames":{"patern":"^a"}}`, "schema /propertyNames/patern: the keyword is not known"},
		{`{"properties":{"b":{"const":1}},"propertyNames":{"format":"roman"}}`, "schema /propertyNames/format: the format"},
		{`{"const":{"a":1},"properties":{"a":{"minimun":3}}}`, "schema /properties/a/minimun: the keyword is not known"},
		{`{"enum":["x"],"pattern":"(?=x)"}`, "schema /pattern: look-ahead is not supported"},
		{`{"examples":[{"not":{}}],"properties":{"a":{"not":{}}}}`, "schema /properties/a/not: is not supported"},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","pattern":"(?<=a)b"}`, "schema /pattern: look-behind is not supported"},
		{`{"$schema":"https://json-schema.org/draft/2019-09/schema","prefixItems":[{}]}`, "schema /prefixItems: only draft 2020-12 has it"},
		{`{"$defs":{"x":{"$anchor":"a"},"y":{"$anchor":"a","type":"null"}}}`, `the anchor "a" is there twice`},
		{`{"$defs":{"a":{"$id":"http://x.y/","$defs":{"b":{"type":"string"}}}},"$ref":"#/$defs/a/$defs/b"}`, "it leads through a schema with an $id of its own"},
		{`{"$defs":{"a":{"$id":"http://x.y/","$defs":{"b":{"$ref":"#/$defs/c"},"c":{}}}},"$ref":"#/$defs/a/$defs/b"}`, "$id of its own"},
		{`{"$ref":"https://example.org/other.json"}`, "is in another document"},
		{`{"$ref":"other.json#/a"}`, "is in another document"},
		{`{"$ref":"#/$defs/nope"}`, "there is nothing at /$defs"},
		{`{"$defs":{"a":3},"$ref":"#/$defs/a"}`, ""},
		{`{"$ref":"#nope"}`, "there is no such anchor"},
		{`{"properties":{"a":{"$id":"https://example.org/x","items":{"$ref":"#/b"}}}}`, "$id of its own"},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","prefixItems":[{}]}`, "schema /prefixItems: only draft 2020-12 has it"},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","items":[{}]}`, "schema /items: "},
		{`{"type":"object","propertyNames":{"anyOf":[{"pattern":"^a"},{"pattern":"^b"}]}}`, "alternatives of names are not supported"},
		// What is too much.
		{`{"type":"string","maxLength":100000000}`, "schema /maxLength: 100000000 is too large: leave it out"},
		{`{"type":"array","items":{"type":"integer"},"maxItems":90000}`, "schema /maxItems: "},
		{`{"type":"integer","multipleOf":123456}`, "schema /multipleOf: multiples of 123456 are not supported"},
		{`{"type":"number","minimum":1e-300}`, "schema /minimum: 1e-300 is too large, or has too many digits"},
		{`{"type":"string","pattern":"(.*a.{30}){3}"}`, "schema /pattern: it needs too many states"},
		{`{"type":"string","maxLength":60000}`, "schema /maxLength: it is too large"},
		{`{"type":"string","pattern":"` + strings.Repeat("a", 20_000) + `"}`, "schema /pattern: it has 20000 bytes: want at most 10000"},
		{`{"enum":["` + strings.Repeat("a", 900_000) + `"]}`, "it is too large"},
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
	taken := []string{"many names", "conjunctions", "chain of references", "doubling", "references at once", "oneOf of many"}
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
		"multiples": `{"type":"number","allOf":[` + many(100, func(i int) string { return fmt.Sprintf(`{"multipleOf":%d}`, 9999-i) }) + `]}`,
		"oneOf of patterns": `{"oneOf":[` + many(300, func(i int) string {
			return fmt.Sprintf(`{"type":"string","pattern":"^v%d[a-z]{50}$"}`, i)
		}) + `]}`,
		"patterns that double": `{"type":"string","allOf":[` + many(40, func(i int) string { return fmt.Sprintf(`{"pattern":"[ab]*a[ab]{13}c%d"}`, i) }) + `]}`,
		"references at once": `{"allOf":[` + many(20_000, func(i int) string { return fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, i) }) + `],"$defs":{` +
			many(20_000, func(i int) string { return fmt.Sprintf(`"d%d":{"minimum":%d}`, i, i) }) + `}}`,
		"enum with lengths":       `{"minLength":1,"enum":[` + many(30_000, func(i int) string { return fmt.Sprintf(`"%d"`, i) }) + `]}`,
		"names that are required": `{"type":"object","required":[` + many(40_000, func(i int) string { return fmt.Sprintf(`"n%d"`, i) }) + `]}`,
		"choices in oneOf": `{"oneOf":[{"type":"object"},{"allOf":[` + many(25, func(i int) string {
			return fmt.Sprintf(`{"anyOf":[{"title":"a%d"},{"title":"b%d"}]}`, i, i)
		}) + `]}]}`,
		"recursive oneOf": `{"$defs":{` + many(2, func(i int) string {
			return fmt.Sprintf(`"%d":{"type":"object","properties":{"a":{"$ref":"#/$defs/%d"},"b":{"$ref":"#/$defs/%d"},"c":{"$ref":"#/$defs/%d"}},"required":["a","b","c"]}`, i, i, i, i)
		}) + `},"oneOf":[{"$ref":"#/$defs/0"},{"$ref":"#/$defs/1"}]}`,
		"words": `{"enum":[` + many(40_000, func(i int) string { return fmt.Sprintf(`"%d-%x"`, i%97, i*7919) }) + `]}`,
	} {
		g, err := ParseSchema(schema)
		if got := err == nil; got != slices.Contains(taken, name) {
			t.Errorf("%s: %v", name, err)
		}
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
