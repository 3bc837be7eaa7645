package grammar

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// span is a range of characters, both ends included.
type span struct{ first, last rune }

// The characters that UTF-8 has no bytes for.
const surrogateFirst, surrogateLast = 0xd800, 0xdfff

// normal returns spans in order, without overlaps, empty ones and surrogates.
func normal(spans []span) (out []span) {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b span) int { return cmp.Compare(a.first, b.first) })
	var parts []span
	for _, s := range sorted {
		if s.first > s.last {
			continue
		}
		if s.first < surrogateFirst {
			parts = append(parts, span{s.first, min(s.last, surrogateFirst-1)})
		}
		if s.last > surrogateLast {
			parts = append(parts, span{max(s.first, surrogateLast+1), s.last})
		}
	}
	slices.SortFunc(parts, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	for _, s := range parts {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// complement returns all other characters.
func complement(spans []span) (out []span) {
	next := rune(0)
	for _, s := range normal(spans) {
		if s.first > next {
			out = append(out, span{next, s.first - 1})
		}
		next = s.last + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, span{next, utf8.MaxRune})
	}
	return normal(out)
}

// byteSpan is a range of bytes.
type byteSpan struct{ first, last byte }

// sequences calls emit for ranges of bytes that together are the UTF-8 of the characters.
func sequences(spans []span, emit func([]byteSpan)) {
	for _, s := range normal(spans) {
		for _, limit := range []rune{0x7f, 0x7ff, 0xffff, utf8.MaxRune} {
			if s.first <= limit {
				split(s.first, min(s.last, limit), emit)
				s.first = limit + 1
			}
			if s.first > s.last {
				break
			}
		}
	}
}

// split emits the characters first to last, which have equally many bytes.
func split(first, last rune, emit func([]byteSpan)) {
	n := utf8.RuneLen(first)
	for i := 1; i < n; i++ {
		low := rune(1)<<(6*i) - 1 // what the last i bytes say
		if first&^low == last&^low {
			continue
		}
		if first&low != 0 {
			split(first, first|low, emit)
			split(first|low+1, last, emit)
			return
		}
		if last&low != low {
			split(first, last&^low-1, emit)
			split(last&^low, last, emit)
			return
		}
	}
	var a, b [utf8.UTFMax]byte
	utf8.EncodeRune(a[:], first)
	utf8.EncodeRune(b[:], last)
	seq := make([]byteSpan, n)
	for i := range seq {
		seq[i] = byteSpan{a[i], b[i]}
	}
	emit(seq)
}
