package grammar

import (
	"encoding/json"
	"errors"
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

// Oracle returns a validator that shares nothing with the code under test but the library. It
// fails for what Go's regular expressions cannot read, for instance.
func Oracle(schema string) (valid func(text string) error, err error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if root, err := readSchema(schema); err == nil && ofSeven(root) {
		c.DefaultDraft(jsonschema.Draft7)
	}
	c.AssertFormat()
	c.UseRegexpEngine(func(p string) (jsonschema.Regexp, error) { // Go's, but for \s
		return regexp.Compile(strings.ReplaceAll(p, `\s`, `\s\v\p{Zs}\x{2028}\x{2029}\x{feff}`))
	})
	if err := c.AddResource("mem:///oracle.json", doc); err != nil {
		return nil, err
	}
	compiled, err := c.Compile("mem:///oracle.json")
	if err != nil {
		return nil, err
	}
	return func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err == nil {
			err = compiled.Validate(v)
		}
		return err
	}, nil
}

func oracle(t testing.TB, schema []byte) func(text string) error {
	t.Helper()
	valid, err := Oracle(string(schema))
	if err != nil {
		t.Fatal(err)
	}
	return valid
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
				if (valid(text) == nil) != list.valid {
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
			if valid(text) != nil || !utf8.ValidString(text) {
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

// checkMask compares the mask of a state with a walk of all tokens.
func checkMask(t *testing.T, m *Matcher) {
	t.Helper()
	m.g.work = mostWork
	mask, err := m.g.mask(m.at, m.v)
	if err != nil {
		t.Fatal(err)
	}
	for id, bytes := range m.v.bytes {
		at := m.at
		for i := 0; i < len(bytes) && at != nowhere; i++ {
			if at, err = m.g.step(at, bytes[i]); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := mask[id/64]>>(id%64)&1 != 0, bytes != "" && at != nowhere; got != want {
			t.Fatalf("token %q: %v, want %v (plain %d)", bytes, got, want, m.g.states[m.at].free)
		}
	}
}

// Where any characters may follow, the mask is made in another way, and is the same.
func TestPlainMasks(t *testing.T) {
	tokens := append(mixedTokens(), "abcdef", "ééé", "🐕🐕", strings.Repeat("x", 70), strings.Repeat("é", 64), "x\\", "yy\xc3")
	v := NewVocabulary(tokens)
	for _, x := range []struct{ schema, text string }{
		{`{"type":"object"}`, `{"ab":"xy🐕`}, {`{"type":"string","maxLength":4}`, `"abc`}, {`{"type":"string","minLength":2,"maxLength":80}`, `"abcde\u0041`},
		{`{"anyOf":[{"type":"string","maxLength":3},{"type":"string","pattern":"^ab+$"}]}`, `"abb`}, {`{"type":"string","pattern":"abc"}`, `"xabcde`},
		{`{"anyOf":[{"type":"string","maxLength":3},{"type":"string","maxLength":5}]}`, `"abcde`}, {`{"type":"string","minLength":3}`, `"abcd"`},
		{`{"propertyNames":{"pattern":"^a.*b"},"type":"object"}`, `{"axxbyy":{"`},
	} {
		g, err := ParseSchema(x.schema)
		if err != nil {
			t.Fatal(err)
		}
		m, plain := g.Matcher(v, nil), 0
		checkMask(t, m)
		for i := range len(x.text) {
			if err := m.Accept(int32(slices.Index(tokens, x.text[i:i+1]))); err != nil {
				t.Fatal(x.schema, i, err)
			}
			checkMask(t, m)
			if m.g.states[m.at].free > 0 {
				plain++
			}
		}
		if plain == 0 && !strings.Contains(x.schema, "ab+") {
			t.Errorf("%s: no state was plain", x.schema)
		}
	}
}

// An object has no name twice, whichever tokens its names are made of, and texts never come to
// a place where nothing may follow.
func TestNames(t *testing.T) {
	tokens := []string{`{"a":1`, `,"a`, `,"b":1`, `":1`, `,"`, `a`, `b`, `"`, `:`, `1`, `}`, `,`, `{`, `{"x":{"a":1}`, `","`, `,"b":1,"b":1`, `é`, "\xc3", "\xa9", "\xa8", `\`, `x`}
	v := NewVocabulary(tokens)
	r := rand.New(rand.NewPCG(5, 6))
	for _, schema := range []string{
		`{"type":"object","additionalProperties":{"const":1}}`,
		`{"type":"object","propertyNames":{"pattern":"^[ab]$"}}`,
		`{"type":"object","propertyNames":{"pattern":"^([ab]{1,2}|é|è)$"},"additionalProperties":{"const":1},"minProperties":8}`,
		`{"type":"object","propertyNames":{"pattern":"^[ab\"\\\\]$"},"additionalProperties":{"const":1},"minProperties":4}`,
		`{"type":"object","properties":{"a":{"const":1}},"patternProperties":{"^[éèa]$":{"const":1}},"minProperties":2}`,
		`{"type":"object","properties":{"x":{"const":1},"a":{"const":1}},"propertyNames":{"enum":["a","b","x","é"]},"additionalProperties":{"const":1},"minProperties":4}`,
	} {
		g, err := ParseSchema(schema)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			checkNames(t, schema, g, v, r)
		}
	}
}

func checkNames(t *testing.T, schema string, g *Grammar, v *Vocabulary, r *rand.Rand) {
	t.Helper()
	m, text := g.Matcher(v, nil), ""
	for range 60 {
		allowed := []uint64{1<<len(v.bytes) - 1}
		if err := m.Allow(allowed); err != nil {
			t.Fatal(err)
		}
		var may []int32
		for id, b := range v.bytes {
			is := allowed[0]>>id&1 != 0
			if c := m.Clone(); is != (c.Accept(int32(id)) == nil) {
				t.Fatalf("%q, then %q: allowed %v", text, b, is)
			}
			if is {
				may = append(may, int32(id))
			}
		}
		if len(may) == 0 {
			if ok, _ := g.Matches(text); !ok {
				t.Fatalf("%s: nothing may follow %q", schema, text)
			}
			return
		}
		id := may[r.IntN(len(may))]
		if err := m.Accept(id); err != nil {
			t.Fatal(err)
		}
		if text += v.bytes[id]; new(jsonText).read(text) {
			t.Fatalf("%q has a name twice", text)
		}
	}
}

// A mask that was needed before takes no memory.
func TestMaskAllocations(t *testing.T) {
	v := NewVocabulary(mixedTokens())
	g, err := ParseSchema(`{"type":"object","properties":{"a":{"type":"string","maxLength":9},"b":{"type":"array","items":{"type":"number"}}},"additionalProperties":true}`)
	if err != nil {
		t.Fatal(err)
	}
	text := `{"a":"xyz é","b":[1,2.5],"c":"d","e":{"f":1}}`
	allowed := make([]uint64, (v.size+63)/64)
	m := g.Matcher(v, []int32{1})
	write := func() {
		m.at = start
		m.json.copyFrom(&jsonText{}, 0)
		for i := range len(text) {
			for i := range allowed {
				allowed[i] = ^uint64(0)
			}
			if err := m.Allow(allowed); err != nil {
				t.Fatal(err)
			}
			if err := m.Accept(int32(len(v.bytes) - 256 + int(text[i]))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := testing.AllocsPerRun(20, write); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is written for a schema that is taken obeys it, whatever the schema.
func FuzzSchema(f *testing.F) {
	for _, x := range schemaCases(f) {
		if len(x.Schema) < 2000 {
			f.Add(string(x.Schema), uint64(1))
		}
	}
	v := NewVocabulary(append([]string{""}, mixedTokens()...))
	f.Fuzz(func(t *testing.T, schema string, seed uint64) {
		g, err := ParseSchema(schema)
		var fail *SchemaError
		if err != nil {
			if !errors.As(err, &fail) && !errors.Is(err, ErrTooManyStates) {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, x := range []string{`\\s`, `\\S`, `[:`, `[]`, `[^]`, `\\u`, `.`} { // Go reads them otherwise
			if strings.Contains(schema, x) {
				return
			}
		}
		valid, err := Oracle(schema)
		if err != nil {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		for range 3 {
			text, ok := sample(t, g, v, r)
			if !ok {
				continue
			}
			if err := valid(text); err != nil {
				t.Fatalf("%s: %s: %v", schema, text, err)
			}
		}
	})
}

// A text that goes on with states of its own knows its names as before.
func TestPrivateNames(t *testing.T) {
	g, err := ParseSchema(`{"type":"object","propertyNames":{"pattern":"^[ab]$"},"additionalProperties":{"const":1}}`)
	if err != nil {
		t.Fatal(err)
	}
	m := g.Matcher(NewVocabulary([]string{`{"a":1`, `,"b":1`, `,"a":1`, `,`, `}`}), nil)
	for i, want := range []uint64{0b00001, 0b11010, 0b10000} {
		if i > 0 {
			if err := m.Accept(int32(i - 1)); err != nil {
				t.Fatal(err)
			}
			if m.g, err = m.g.private(m.at); err != nil {
				t.Fatal(err)
			}
			m.at = start
		}
		allowed := []uint64{0b11111}
		if err := m.Allow(allowed); err != nil || allowed[0] != want {
			t.Errorf("behind %d members: %05b, want %05b (%v)", i, allowed[0], want, err)
		}
	}
}
