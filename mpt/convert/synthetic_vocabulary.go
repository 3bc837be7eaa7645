package convert

import (
	"iter"
	"slices"
	"strings"

	"mptgo/mpt/tokenizer"
)

// The layout of the vocabulary of GPT-NeoX-20B under MosaicML's embeddings: the end
// of text and padding, the 243 bytes that UTF-8 uses, merged tokens, runs of spaces
// from 24 down to 2, and unused rows.
const (
	syntheticRuns = 50254 // the first run of spaces
	longestRun    = 24
	syntheticRows = 50432
)

// syntheticVocab returns a vocabulary of that layout, without the unused rows, whose
// merged tokens are artificial: pairs of letters, perhaps after a space, and then
// threes and fours made of them, frequent letters first. Every text can be encoded;
// English takes about half as many characters a token as with a real vocabulary.
func syntheticVocab() *tokenizer.Vocab {
	v := &tokenizer.Vocab{Model: tokenizer.ModelBPE, Pre: tokenizer.PreMPT, PAD: tokenizer.None}
	add := func(text string, t tokenizer.TokenType) {
		v.Tokens, v.Types = append(v.Tokens, text), append(v.Types, t)
	}
	add("<|endoftext|>", tokenizer.Control)
	add("<|padding|>", tokenizer.Control)
	for _, symbol := range byteSymbols() {
		add(string(symbol), tokenizer.Normal)
	}
	for left, right := range syntheticMerges() {
		if len(v.Tokens) == syntheticRuns {
			break
		}
		add(left+right, tokenizer.Normal)
		v.Merges = append(v.Merges, left+" "+right)
	}
	for n := longestRun; n >= 2; n-- {
		add(strings.Repeat(" ", n), tokenizer.UserDefined)
	}
	return v
}

// byteSymbols returns, in increasing order, the characters that byte-level BPE
// writes for the bytes of UTF-8.
func byteSymbols() []rune {
	var symbols []rune
	next := rune(0x100)
	for b := range rune(256) {
		symbol := b
		if b <= ' ' || b > '~' && b <= 0xA0 || b == 0xAD {
			symbol = next
			next++
		}
		if b != 0xC0 && b != 0xC1 && b <= 0xF4 {
			symbols = append(symbols, symbol)
		}
	}
	slices.Sort(symbols)
	return symbols
}

// syntheticMerges yields more pairs of tokens to merge than the vocabulary has room
// for. No two of them make the same token: its length tells where it is cut.
func syntheticMerges() iter.Seq2[string, string] {
	letters := strings.Split("etaoinshrdlcumwfgypbvkjxqz", "")
	starts := append([]string{"Ġ"}, letters...) // Ġ is the space
	var pairs, inner []string                   // inner pairs have no space
	for left, right := range diagonals(starts, letters) {
		pairs = append(pairs, left+right)
		if left != starts[0] {
			inner = append(inner, left+right)
		}
	}
	return func(yield func(string, string) bool) {
		_ = all(diagonals(starts, letters), yield) &&
			all(diagonals(pairs, letters), yield) &&
			all(diagonals(pairs, inner), yield)
	}
}

// all yields the whole of seq and reports whether it was wanted.
func all(seq iter.Seq2[string, string], yield func(string, string) bool) bool {
	for left, right := range seq {
		if !yield(left, right) {
			return false
		}
	}
	return true
}

// diagonals yields all pairs, in order of the sum of their indices.
func diagonals(left, right []string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for sum := range len(left) + len(right) - 1 {
			for i := max(0, sum-len(right)+1); i <= min(sum, len(left)-1); i++ {
				if !yield(left[i], right[sum-i]) {
					return
				}
			}
		}
	}
}
