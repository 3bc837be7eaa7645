package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// stream decodes ids one by one.
func stream(tok *Tokenizer, ids []int32, opt DecodeOptions) string {
	d := tok.NewDecoder(opt)
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(d.Next(id))
	}
	b.WriteString(d.Flush())
	return b.String()
}

func TestStreamEqualsDecode(t *testing.T) {
	tok := tiny(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		ids := make([]int32, r.IntN(20))
		for i := range ids {
			ids[i] = int32(r.IntN(260)) - 1 // bytes for the most part, out of order
		}
		want := tok.Decode(ids)
		if got := stream(tok, ids, DecodeOptions{}); got != want {
			t.Fatalf("%v: streamed %q, decoded %q", ids, got, want)
		}
		if !utf8.ValidString(want) {
			t.Fatalf("%v: %q is not UTF-8", ids, want)
		}
	}
}

func TestStreamHoldsBack(t *testing.T) {
	tok := tiny(t)
	at := func(b byte) int32 { return tok.merges.bytes[b] }
	d := tok.NewDecoder(DecodeOptions{})
	for _, c := range []struct {
		id   int32
		want string
	}{
		{at('a'), "a"}, {at(0xF0), ""}, {at(0x9F), ""}, {at(0x98), ""}, {at(0x80), "😀"},
		{at(0xE2), ""}, {at(0x82), ""}, {at('b'), "\ufffdb"},
		{at(0xE2), ""}, {at(0xC3), "\ufffd"}, {at(0xA9), "é"},
		{at(0x80), "\ufffd"}, {at(0xE2), ""}, {0, "\ufffd<|endoftext|>"}, {-1, ""}, {1 << 20, ""},
		{at(0xF0), ""}, {at(0x9F), ""},
	} {
		if got := d.Next(c.id); got != c.want {
			t.Errorf("after id %d: %q, want %q", c.id, got, c.want)
		}
	}
	if got := d.Flush(); got != "\ufffd" {
		t.Errorf("Flush: %q", got)
	}
	if got := d.Flush(); got != "" {
		t.Errorf("second Flush: %q", got)
	}
}

func TestSkipControl(t *testing.T) {
	tok := tiny(t)
	ids := tok.Encode("a<|endoftext|>b", parse)
	if got := stream(tok, ids, DecodeOptions{SkipControl: true}); got != "ab" {
		t.Errorf("%q", got)
	}
	if got := stream(tok, ids, DecodeOptions{}); got != "a<|endoftext|>b" {
		t.Errorf("%q", got)
	}
}

// Decoding literal text in a normal token, as some converters leave it, keeps
// the text.
func TestAppendBytes(t *testing.T) {
	for in, want := range map[string]string{
		"Ġthe": " the", "Ċ": "\n", "Ã©": "é", "a b": "a b", "日": "日", "": "", "\u00ad": "\u00ad", "Ń": "\xad",
	} {
		if got := string(appendBytes([]byte("x"), in)); got != "x"+want {
			t.Errorf("%q: %q, want %q", in, got, "x"+want)
		}
	}
}
