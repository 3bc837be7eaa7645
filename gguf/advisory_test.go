package gguf

import (
	"errors"
	"math"
	"testing"

	"mptgo/internal/check"
)

// TestAdvisories has, by the class of what was wrong, the files of the advisories
// that were published about readers of this format from 2024 to 2026: those of
// ggml and llama.cpp, Ollama, vLLM, and huggingface.js. None may be read, none may
// cost memory or time. What the errors say is in TestParseRefuses.
func TestAdvisories(t *testing.T) {
	one, key := head(3, 1, 0), head(3, 0, 1)
	for class, files := range map[string][]forge{
		// CVE-2024-23605, CVE-2024-21836, CVE-2024-21825, CVE-2024-39720, CVE-2025-0315
		"counts beyond the file": {
			head(3, 0, 1<<63), head(3, 0, 1<<62), head(3, 0, 1<<16).data(1, 1000),
			head(3, 1<<61, 0).data(1, 100), head(3, 1<<20, 0).data(1, 1000), head(3, huge, huge),
			key.array("a", typeUint32, 1<<62).data(1, 100), key.array("a", typeFloat64, 1<<61).data(1, 100),
			key.array("a", typeString, 1<<60).data(1, 100), key.array("a", typeUint8, 1<<24).data(1, 1000),
		},
		// CVE-2024-23496, and the length of 2^63 that gguf-py looped on
		"strings of negative or wrapping length": {
			key.u64(huge).data(1, 100), key.u64(1<<63).data(1, 100), key.u64(huge-1).data(1, 100),
			key.key("a", typeString).u64(huge).data(1, 100), key.array("a", typeString, 2).u64(huge, 0),
			one.u64(huge).data(1, 100), one.u64(1<<63).data(1, 100),
		},
		// CVE-2024-21802
		"more dimensions than there is room for": {
			one.tensor("w", F32, 0, 1, 1, 1, 1, 1).data(32, 64), one.str("w").u32(math.MaxUint32).data(1, 1000), one.tensor("w", F32, 0).data(32, 64),
		},
		// CVE-2026-33298, CVE-2026-53923, CVE-2025-53630, CVE-2026-27940: the last two add up sizes
		"products and sums that wrap": {
			one.tensor("w", F32, 0, 1<<32, 1<<32).data(32, 64), one.tensor("w", F32, 0, 1<<31, 1<<31, 1<<2).data(32, 64),
			one.tensor("w", F32, 0, 1<<62).data(32, 64), one.tensor("w", Q8_0, 0, 1<<58, 1<<5).data(32, 64),
			one.tensor("w", F32, 0, 1<<32+8).data(32, 64), one.tensor("w", I8, 0, 1<<32, 1).data(32, 64),
			head(3, 2, 0).tensor("w", I8, 0, math.MaxInt64-31).tensor("v", I8, 0, math.MaxInt64-31).data(32, 64),
			head(3, 3, 0).tensor("w", I8, 0, 1<<62).tensor("v", I8, 1<<62, 1<<62).tensor("u", I8, 1<<63, 1<<62).data(32, 64),
		},
		"dimensions of zero and below": {
			one.tensor("w", F32, 0, 0).data(32, 64), one.tensor("w", F32, 0, 8, 0).data(32, 64), one.tensor("w", Q4_K, 0, 0, 1).data(32, 64),
			one.tensor("w", F32, 0, huge).data(32, 64), one.tensor("w", F32, 0, 1<<63).data(32, 64),
		},
		// CVE-2026-7482, CVE-2024-12055
		"tensors outside the file, over each other, out of line": {
			one.tensor("w", F32, 0, 1<<20).data(32, 64), one.tensor("w", F32, 1<<40, 1).data(32, 64), one.tensor("w", F32, huge-31, 16).data(32, 64),
			one.tensor("w", F32, 64, 1).data(32, 64), one.tensor("w", F32, 0, 1),
			head(3, 2, 0).tensor("w", F32, 0, 9).tensor("v", F32, 32, 1).data(32, 64),
			head(3, 2, 0).tensor("w", F32, 32, 1).tensor("v", F32, 32, 1).data(32, 64),
			one.tensor("w", F32, 4, 1).data(32, 64), one.tensor("w", F32, 31, 1).data(32, 64),
		},
		// CVE-2025-0317, and the assertion of 2026
		"alignments": {
			aligned(typeUint32).u32(0), aligned(typeUint32).u32(1), aligned(typeUint32).u32(3), aligned(typeUint32).u32(33),
			aligned(typeUint32).u32(1 << 31), aligned(typeUint32).u32(math.MaxUint32), aligned(typeUint64).u64(32),
			aligned(typeString).str("32"), aligned(typeFloat32).u32(0x42000000), aligned(typeInt32).u32(32),
			aligned(typeArray).u32(uint32(typeUint32)).u64(1).u32(32),
		},
		"arrays of arrays": {
			key.array("a", typeArray, 1).u32(uint32(typeUint8)).u64(0), nested(5000),
		},
		"types that do not exist": {
			key.key("a", 13).u64(0), key.key("a", math.MaxUint32).u64(0), key.array("a", 13, 0), key.array("a", math.MaxUint32, 0),
			one.tensor("w", 4, 0, 32).data(32, 64), one.tensor("w", 36, 0, 32).data(32, 64), one.tensor("w", math.MaxUint32, 0, 32).data(32, 64),
		},
		"names twice": {
			head(3, 0, 2).key("a", typeUint8).u8(1).key("a", typeUint8).u8(2),
			head(3, 2, 0).tensor("w", I8, 0, 1).tensor("w", I8, 32, 1).data(32, 64),
		},
	} {
		for i, b := range files {
			// A key more than the file has would hide what is wrong with it.
			if class == "alignments" {
				b = b.tensor("w", I8, 0, 1).data(32, 64)
			}
			check.Bounded(t, len(b), func() {
				if _, err := Parse("x", b); !errors.Is(err, ErrFormat) {
					t.Errorf("%s, file %d: %v", class, i, err)
				}
			})
		}
	}
}

// aligned begins a file of one tensor with an alignment of some type.
func aligned(typ valueType) forge { return head(3, 1, 1).key(KeyAlignment, typ) }

// nested is an array of an array of an array, so many deep.
func nested(depth int) forge {
	b := head(3, 0, 1).key("a", typeArray)
	for range depth {
		b = b.u32(uint32(typeArray)).u64(1)
	}
	return b.u32(uint32(typeUint8)).u64(0)
}

// TestGetOfAnotherType asks for values as what they are not: CVE-2024-8063, the count
// of layers as a text, and the confused elements of arrays. There is an error
// for each, and never a conversion or a zero.
func TestGetOfAnotherType(t *testing.T) {
	b, err := Encode([]KV{
		{"text", "7"}, {"float", float32(7)}, {"bool", true}, {"negative", int32(-1)}, {"large", uint64(math.MaxUint64)},
		{"texts", []string{"7"}}, {"floats", []float32{7}}, {"ints", []int32{-1}}, {"bytes", []uint8{7}},
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := mustParse(t, b)
	for _, key := range []string{"text", "float", "bool", "negative", "large", "texts", "floats", "ints", "bytes"} {
		if v, err := Get[uint32](f, key); err == nil {
			t.Errorf("%s as a number: %d", key, v)
		}
		if v, err := Get[[]uint32](f, key); err == nil && key != "bytes" {
			t.Errorf("%s as numbers: %v", key, v)
		}
		if v, err := Get[string](f, key); err == nil && key != "text" {
			t.Errorf("%s as a text: %q", key, v)
		}
		if v, err := Get[[]string](f, key); err == nil && key != "texts" {
			t.Errorf("%s as texts: %q", key, v)
		}
	}
}
