package grammar

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaCase is a schema with texts: those that are valid in the form that the grammar has,
// those that are not valid, and those that are but have another form.
type schemaCase struct {
	Name                 string
	Schema               json.RawMessage
	Valid, Invalid, Form []string
}

func schemaCases(t testing.TB) (list []schemaCase) {
	t.Helper()
	b, err := os.ReadFile("testdata/schemas.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// oracle returns a validator that shares nothing with the code under test but the library.
func oracle(t testing.TB, schema []byte) func(text string) bool {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if all, ok := doc.(map[string]any); ok && ofDraft7(all) {
		c.DefaultDraft(jsonschema.Draft7)
	}
	c.AssertFormat()
	c.UseRegexpEngine(func(p string) (jsonschema.Regexp, error) { // Go's, but for \s
		return regexp.Compile(strings.ReplaceAll(p, `\s`, `\s\v\p{Zs}\x{2028}\x{2029}\x{feff}`))
	})
	if err := c.AddResource("mem:///oracle.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("mem:///oracle.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) bool {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		return err == nil && compiled.Validate(v) == nil
	}
}

func ofDraft7(all map[string]any) bool {
	_, list := all["items"].([]any)
	return list && all["prefixItems"] == nil
}

// TestSchemas compares grammars with the texts of the cases, and those with a validator.
func TestSchemas(t *testing.T) {
	for _, x := range schemaCases(t) {
		g, err := ParseSchema(string(x.Schema))
		if err != nil {
			t.Errorf("%s: %v", x.Name, err)
			continue
		}
		valid := oracle(t, x.Schema)
		for _, list := range []struct {
			texts       []string
			want, valid bool
		}{{x.Valid, true, true}, {x.Invalid, false, false}, {x.Form, false, true}} {
			for _, text := range list.texts {
				if got, err := g.Matches(text); err != nil || got != list.want {
					t.Errorf("%s: %s: %v, want %v (%v)", x.Name, text, got, list.want, err)
				}
				if valid(text) != list.valid {
					t.Errorf("%s: the validator says %v of %s", x.Name, !list.valid, text)
				}
			}
		}
	}
}

// mixedTokens are tokens of all kinds, and all bytes.
func mixedTokens() []string {
	tokens := []string{
		`{`, `}`, `[`, `]`, `"`, `:`, `,`, ` `, `, "`, `":`, `": "`, `"}`, `"},`, `]]`, `true`, `tru`, `null`, `-`, `0.`, `12`, `5e`, `\`, `\u`, `d8`,
		`3d`, `dc15`, `u00`, "é", "🐕", "\xf0\x9f", "日本", " the", "abc", "ab", "20", "-0", "T1", "00", `","`, `":"`, `{"`, `"a":`, `,"a`, `foo`, `.example`,
		`:"","`, "n_", "_s", `":1,"`, "value-", "http://", "@", "cat",
	}
	for b := range 256 {
		tokens = append(tokens, string([]byte{byte(b)}))
	}
	return tokens
}

// sample writes a text with tokens that may follow, chosen at random; ok says that it came to
// its end. From a length on it takes what ends texts soonest, as far as that is easily seen.
func sample(t testing.TB, g *Grammar, v *Vocabulary, r *rand.Rand) (text string, ok bool) {
	t.Helper()
	m := g.Matcher(v, []int32{0})
	from := r.IntN(80)
	for i := range 1500 {
		allowed := slices.Repeat([]uint64{^uint64(0)}, (v.size+63)/64)
		if err := m.Allow(allowed); err != nil {
			t.Fatalf("behind %q: %v", text, err)
		}
		var may []int32
		for id := range int32(v.size) {
			if allowed[id/64]>>(id%64)&1 != 0 {
				may = append(may, id)
			}
		}
		if len(may) == 0 {
			t.Fatalf("nothing may follow %q", text)
		}
		id := may[r.IntN(len(may))]
		if i > from {
			for range 6 {
				if x := may[r.IntN(len(may))]; rank(v.bytes[x], x) < rank(v.bytes[id], id) {
					id = x
				}
			}
			if x := slices.MinFunc(may, func(a, b int32) int { return rank(v.bytes[a], a) - rank(v.bytes[b], b) }); r.IntN(3) > 0 {
				id = x
			}
		}
		if id == 0 {
			return text, true
		}
		if err := m.Accept(id); err != nil {
			t.Fatalf("behind %q: %v", text, err)
		}
		text += v.bytes[id]
	}
	return text, false
}

// rank is small for what ends a text soon.
func rank(token string, id int32) int {
	switch {
	case id == 0:
		return 0
	case token == "}" || token == "]":
		return 1
	case token == `"` || token == `"}`:
		return 2
	case strings.ContainsAny(token, "{[,"):
		return 5
	}
	return 4
}

// Whatever tokens are chosen of those that may follow, the text obeys the schema.
func TestSchemaSamples(t *testing.T) {
	tokens := append([]string{"<end>"}, mixedTokens()...)
	tokens[0] = ""
	v := NewVocabulary(tokens)
	r := rand.New(rand.NewPCG(11, 12))
	samples := 40
	if testing.Short() {
		samples = 10
	}
	for _, x := range schemaCases(t) {
		g, err := ParseSchema(string(x.Schema))
		if err != nil {
			continue // TestSchemas says it
		}
		valid, whole := oracle(t, x.Schema), 0
		for range samples {
			text, ok := sample(t, g, v, r)
			if !ok {
				continue
			}
			whole++
			if !valid(text) || !utf8.ValidString(text) {
				t.Errorf("%s: %s is not valid", x.Name, text)
			}
			if in, err := g.Matches(text); !in || err != nil {
				t.Errorf("%s: %s was written and does not match (%v)", x.Name, text, err)
			}
		}
		if whole < samples/8 {
			t.Errorf("%s: only %d of %d texts came to an end", x.Name, whole, samples)
		}
	}
}
