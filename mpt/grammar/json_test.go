package grammar

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestJSONObject has objects in the form that the grammar has, and what is none or another.
func TestJSONObject(t *testing.T) {
	g, err := ParseSchema(JSONObject)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`{}`: true, `{"a":1}`: true, `{"a": 1, "b":[true,false, null]}`: true, `{"a":{"b":{"c":[[],[{}]]}}}`: true,
		`{"é🐕":"\"\\\/\b\f\n\r\t\u00e9\ud83d\uDC15"}`: true, `{"x":-0.5e+10}`: true, `{"x":0}`: true, `{"id":1234567890123456789,"x":0.30000000000000004,"y":1e100}`: true, "{\"\x7f\":\"\"}": true,
		`[]`: false, `"a"`: false, ``: false, `{`: false, `{"a"}`: false, `{"a":}`: false, `{a:1}`: false, `{"a":1,}`: false,
		`{ }`: false, `{"a" :1}`: false, `{"a":  1}`: false, `{"a":01}`: false, `{"a":.5}`: false, `{"a":1.}`: false,
		`{"a":+1}`: false, `{"a":NaN}`: false, `{"a":"\ud83d"}`: false, `{"a":"\udc15"}`: false, `{"a":"\x"}`: false,
		"{\"a\":\"\n\"}": false, `{"a":1}x`: false, `{"a":12345678901234567890}`: false, `{"a":1e300}`: false, "{\"a\":\"\xff\"}": false,
	} {
		if got, err := g.Matches(text); err != nil || got != want {
			t.Errorf("%s: %v, want %v (%v)", text, got, want, err)
		}
		if want && !json.Valid([]byte(text)) {
			t.Errorf("%s is no JSON", text)
		}
	}
}

// Whatever tokens are chosen of those that may follow, the text is a JSON object.
func TestJSONAlwaysValid(t *testing.T) {
	tokens := []string{
		`{`, `}`, `[`, `]`, `"`, `:`, `,`, ` `, `, "`, `":`, `": "`, `"}`, `"},`, `]]`, `true`, `tru`, `e`, `null`, `-`, `0`,
		`12`, `.`, `5e`, `1`, `\`, `\u`, `d8`, `3d`, `dc15`, `u00`, `n`, "\n", "\x01", "é", "\xc3", "\xa9", "🐕", "\xf0\x9f", "a", " the",
	}
	for b := range 256 { // as every vocabulary has them
		tokens = append(tokens, string([]byte{byte(b)}))
	}
	g, err := ParseSchema(JSONObject)
	if err != nil {
		t.Fatal(err)
	}
	v := NewVocabulary(tokens)
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		m, text := g.Matcher(v, nil), ""
		over := func() bool { return len(m.g.states[m.at].tops) == 0 }
		for i := 0; !over(); i++ {
			allowed := slices.Repeat([]uint64{^uint64(0)}, (len(tokens)+63)/64)
			if err := m.Allow(allowed); err != nil {
				t.Fatal(err)
			}
			var may []int32
			for id := range tokens {
				if allowed[id/64]>>(id%64)&1 != 0 {
					may = append(may, int32(id))
				}
			}
			if len(may) == 0 {
				t.Fatalf("nothing may follow %q", text)
			}
			id := may[r.IntN(len(may))]
			if i > 60 { // come to an end
				for _, x := range may {
					if strings.ContainsAny(tokens[x], `}]"`) && !strings.ContainsAny(tokens[x], "{[,:") {
						id = x
					}
				}
			}
			if err := m.Accept(id); err != nil {
				t.Fatal(err)
			}
			if text += tokens[id]; i > 2000 {
				break
			}
		}
		var value map[string]any
		if over() && json.Unmarshal([]byte(text), &value) != nil {
			t.Fatalf("%q is no JSON object", text)
		}
		if strings.ContainsRune(string(utf16.Decode(utf16.Encode([]rune(text)))), '\ufffd') {
			t.Fatalf("%q is not UTF-8", text)
		}
	}
}
