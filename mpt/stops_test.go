package mpt

import (
	"strings"
	"testing"

	"mptgo/internal/forge"
	"mptgo/mpt/tokenizer"
)

// A control token counts as its name for the strings that end a text, shown or not.
func TestStopControl(t *testing.T) {
	types := make([]int32, 257)
	for i := range types {
		types[i] = int32(tokenizer.Normal)
	}
	types[256], types[250] = int32(tokenizer.Control), int32(tokenizer.Control)
	tokens := append(forge.ByteTokens(), "<|user|>")
	tokens[250] = "<|x|>"
	m := mini().set("tokenizer.ggml.tokens", tokens).set("tokenizer.ggml.token_type", types).open(t)
	for _, c := range []struct {
		ids     []int32
		stop    string
		special bool
		want    string
		ends    bool
	}{
		{[]int32{'a', 256, 'b'}, "<|user|>", false, "a", true},
		{[]int32{'a', 256, 'b'}, "<|user|>", true, "a", true},
		{[]int32{'a', 256, 'b'}, "user", false, "a", true},
		{[]int32{'a', 256, 'b'}, "a<|user|>b", false, "", true},
		{[]int32{'a', 250, 256, 'b'}, "<|user|>", false, "a", true},
		{[]int32{'a', 250, 256, 'b'}, "<|user|>", true, "a<|x|>", true},
		{[]int32{'a', 256, 'b'}, "", false, "ab", false},
		{[]int32{'a', 256, 'b'}, "never", false, "ab", false},
		{[]int32{'a', 256, 'b', 256}, "<|user|>c", false, "ab", false},
		{[]int32{'a', 250, 'b'}, "<|user|>", true, "a<|x|>b", false},
		{[]int32{'a', 256}, "ab", false, "a", false},
		{[]int32{0xc3, 256, 0xa9, 'b'}, "never", false, "é" + "b", false},
	} {
		s := newStopper(m.tok, GenerateOptions{Stop: []string{c.stop}, Special: c.special})
		var got strings.Builder
		ends := false
		for _, id := range c.ids {
			text, stopped := s.next(id)
			if got.WriteString(text); stopped {
				ends = s.hit == c.stop
				break
			}
		}
		if !ends {
			got.WriteString(s.flush())
		}
		if got.String() != c.want || ends != c.ends {
			t.Errorf("%v until %q, special %v: %q, %v; want %q, %v", c.ids, c.stop, c.special, got.String(), ends, c.want, c.ends)
		}
	}
}

// Of several strings the one that begins first ends a text, of those the first in the list.
func TestStoppedBy(t *testing.T) {
	m := mini().open(t)
	for _, c := range []struct{ text, stops, want, rest string }{
		{"abcd", "cd b", "b", "a"},
		{"abcd", "bc b", "b", "a"}, // it is whole earlier
		{"abcd", "d abcd", "abcd", ""},
		{"abcd", "x", "", "abcd"},
		{"abcd", "", "", "abcd"},
	} {
		s := newStopper(m.tok, GenerateOptions{Stop: strings.Fields(c.stops)})
		var got strings.Builder
		for _, id := range []byte(c.text) {
			text, stopped := s.next(int32(id))
			if got.WriteString(text); stopped {
				break
			}
		}
		if s.hit == "" {
			got.WriteString(s.flush())
		}
		if s.hit != c.want || got.String() != c.rest {
			t.Errorf("%q until %q: %q ends it after %q, want %q after %q", c.text, c.stops, s.hit, got.String(), c.want, c.rest)
		}
	}
}
