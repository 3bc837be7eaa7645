package convert

import (
	"slices"
	"testing"

	"mptgo/gguf"
	"mptgo/mpt/tokenizer"
)

// TestReplaceTokens gives a file another vocabulary: nothing of the old one stays but the
// tokens that end an answer, where they are the same ones.
func TestReplaceTokens(t *testing.T) {
	old := []gguf.KV{
		{Key: "general.name", Value: "x"},
		{Key: "mpt.vocab_size", Value: uint32(3)},
		{Key: keyTokens, Value: []string{"a", "b", "c"}},
		{Key: "tokenizer.chat_template", Value: "old"},
		{Key: keyEOT, Value: uint32(1)},
		{Key: keyEOG, Value: []int32{1, 2}},
		{Key: "mpt.ext.normalized_token_ids", Value: []int32{2}},
		{Key: "mpt.ext.activation", Value: "silu"},
	}
	v := &tokenizer.Vocab{Model: "gpt2", Pre: "mpt", Tokens: []string{"a", "b", "x", "y"}, Types: make([]tokenizer.TokenType, 4), EOS: 0}
	kv := replaceTokens(old, v)
	var keys []string
	for i, k := range kv {
		keys = append(keys, k.Key)
		if slices.ContainsFunc(kv[:i], func(o gguf.KV) bool { return o.Key == k.Key }) {
			t.Errorf("%s is there twice", k.Key)
		}
	}
	for _, key := range []string{"tokenizer.chat_template", "mpt.ext.normalized_token_ids", keyEOG} {
		if slices.Contains(keys, key) {
			t.Errorf("%s stayed", key)
		}
	}
	if valueOf[uint32](kv, "mpt.vocab_size") != 4 || valueOf[string](kv, "mpt.ext.activation") != "silu" || valueOf[string](kv, "general.name") != "x" ||
		len(valueOf[[]string](kv, keyTokens)) != 4 || valueOf[uint32](kv, keyEOT) != 1 {
		t.Errorf("%v", kv)
	}
	if valueOf[uint32](old, "mpt.vocab_size") != 3 {
		t.Error("the old keys were changed")
	}
}

// TestPadKeys gives the lists of a vocabulary another length.
func TestPadKeys(t *testing.T) {
	old := []gguf.KV{{Key: keyTokens, Value: []string{"a", "b"}}, {Key: keyTypes, Value: []int32{1, 3}}, {Key: keyScores, Value: []float32{1, 2}}, {Key: "x", Value: []int32{7}}}
	for rows, want := range map[int]string{1: "a", 2: "b", 4: "[PAD3]"} {
		kv := padKeys(old, rows)
		texts, types, scores := valueOf[[]string](kv, keyTokens), valueOf[[]int32](kv, keyTypes), valueOf[[]float32](kv, keyScores)
		if len(texts) != rows || len(types) != rows || len(scores) != rows || texts[rows-1] != want || len(valueOf[[]int32](kv, "x")) != 1 {
			t.Errorf("%d: %v", rows, kv)
		}
		if rows == 4 && (types[3] != int32(tokenizer.Unused) || scores[3] != -10000) {
			t.Errorf("%d: %v", rows, kv)
		}
	}
	if len(valueOf[[]string](old, keyTokens)) != 2 {
		t.Error("the old keys were changed")
	}
	unused := func(id int) bool { return id == 2 }
	if err := checkCut([]string{"a", "b", "[PAD2]"}, unused, 2); err != nil {
		t.Error(err)
	}
	if err := checkCut([]string{"a", "b", "[PAD2]"}, unused, 1); err == nil {
		t.Error("a token that is used was taken away")
	}
}
