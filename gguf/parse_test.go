package gguf

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// tiny is a file written by hand from the format's description.
const tiny = "GGUF" + "\x03\x00\x00\x00" + // version
	"\x02\x00\x00\x00\x00\x00\x00\x00" + // tensors
	"\x03\x00\x00\x00\x00\x00\x00\x00" + // keys
	// byte 24
	"\x14\x00\x00\x00\x00\x00\x00\x00" + "general.architecture" +
	"\x08\x00\x00\x00" + "\x03\x00\x00\x00\x00\x00\x00\x00" + "mpt" +
	// byte 67
	"\x01\x00\x00\x00\x00\x00\x00\x00" + "n" + "\x04\x00\x00\x00" + "\x07\x00\x00\x00" +
	// byte 84
	"\x01\x00\x00\x00\x00\x00\x00\x00" + "t" + "\x09\x00\x00\x00" +
	"\x08\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00" +
	"\x01\x00\x00\x00\x00\x00\x00\x00" + "a" + "\x02\x00\x00\x00\x00\x00\x00\x00" + "\xff\x00" +
	// byte 128
	"\x01\x00\x00\x00\x00\x00\x00\x00" + "w" + "\x02\x00\x00\x00" +
	"\x20\x00\x00\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x00\x00\x00\x00" +
	"\x02\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" +
	// byte 169
	"\x01\x00\x00\x00\x00\x00\x00\x00" + "b" + "\x01\x00\x00\x00" +
	"\x01\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00" + "\x40\x00\x00\x00\x00\x00\x00\x00" +
	// byte 202, padding to 224
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	// byte 224, two rows of Q4_0 and padding to 288
	"ABCDEFGHIJKLMNOPQRabcdefghijklmnopqr" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	// byte 288, one float and padding to 320
	"\x00\x00\x80\x3f" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

var (
	tinyMeta    = []KV{{"general.architecture", "mpt"}, {"n", uint32(7)}, {"t", []string{"a", "\xff\x00"}}}
	tinyTensors = []TensorInfo{{"w", Q4_0, []int{32, 2}}, {"b", F32, []int{1}}}
	tinyData    = [][]byte{[]byte("ABCDEFGHIJKLMNOPQRabcdefghijklmnopqr"), []byte("\x00\x00\x80\x3f")}
)

func mustParse(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := Parse("x", b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseGolden(t *testing.T) {
	f := mustParse(t, []byte(tiny))
	if f.Name() != "x" || f.Version() != 3 || f.Size() != 320 {
		t.Errorf("name %q, version %d, size %d", f.Name(), f.Version(), f.Size())
	}
	if !reflect.DeepEqual(f.Meta(), tinyMeta) {
		t.Errorf("metadata %v, want %v", f.Meta(), tinyMeta)
	}
	if len(f.Tensors()) != 2 {
		t.Fatalf("%d tensors", len(f.Tensors()))
	}
	for i, got := range f.Tensors() {
		if want := tinyTensors[i]; !reflect.DeepEqual(got.Info(), want) {
			t.Errorf("tensor %d: %v, want %v", i, got.Info(), want)
		}
		if !bytes.Equal(got.Data(), tinyData[i]) || got.Size() != len(tinyData[i]) {
			t.Errorf("%s: data %q of size %d, want %q", got.Name, got.Data(), got.Size(), tinyData[i])
		}
		if cap(got.Data()) != got.Size() {
			t.Errorf("%s: the data can be extended past its end", got.Name)
		}
		if byName, ok := f.Tensor(got.Name); !ok || byName != got {
			t.Errorf("%s: not found by its name", got.Name)
		}
	}
	if r := f.Tensors()[0].Rows(); r != 2 {
		t.Errorf("w has %d rows", r)
	}
	if r := f.Tensors()[1].Rows(); r != 1 {
		t.Errorf("b has %d rows", r)
	}
	if _, ok := f.Tensor("none"); ok {
		t.Error("a tensor that does not exist was found")
	}
}

func TestEncodeGolden(t *testing.T) {
	got, err := Encode(tinyMeta, tinyTensors, tinyData)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != tiny {
		t.Errorf("got  %q\nwant %q", got, tiny)
	}
}

// TestParseAccepts has files that are unusual and legal.
func TestParseAccepts(t *testing.T) {
	for name, b := range map[string]forge{
		"version 2":                head(2, 0, 0),
		"empty":                    head(3, 0, 0),
		"no tensors, no padding":   head(3, 0, 1).key("a", typeUint8).u8(1),
		"no tensors, padding":      head(3, 0, 1).key("a", typeUint8).u8(1).data(32, 0),
		"empty array":              head(3, 0, 1).array("a", typeString, 0),
		"empty string":             head(3, 0, 1).key("a", typeString).str(""),
		"any key":                  head(3, 0, 1).key("Ä \x00", typeBool).u8(2),
		"alignment 8":              head(3, 1, 1).key(KeyAlignment, typeUint32).u32(8).tensor("w", F32, 8, 1).data(8, 12),
		"alignment 64 KiB":         head(3, 1, 1).key(KeyAlignment, typeUint32).u32(65536).tensor("w", F32, 0, 1).data(65536, 4),
		"last tensor not padded":   head(3, 1, 0).tensor("w", F32, 0, 3).data(32, 12),
		"gap":                      head(3, 2, 0).tensor("w", F32, 0, 1).tensor("v", F32, 96, 1).data(32, 100),
		"another order":            head(3, 2, 0).tensor("w", F32, 32, 1).tensor("v", F32, 0, 8).data(32, 36),
		"four dimensions":          head(3, 1, 0).tensor("w", Q8_0, 0, 32, 1, 2, 1).data(32, 68),
		"name of 63 bytes":         head(3, 1, 0).tensor(strings.Repeat("n", 63), I8, 0, 1).data(32, 1),
		"split in one":             head(3, 0, 1).key(KeySplitCount, typeUint16).u8(1, 0),
		"split in none, as an int": head(3, 0, 1).key(KeySplitCount, typeInt32).u32(0),
	} {
		if _, err := Parse(name, b); err != nil {
			t.Error(err)
		}
	}
}

func TestParseAlignment(t *testing.T) {
	f := mustParse(t, head(3, 2, 1).key(KeyAlignment, typeUint32).u32(64).
		tensor("w", I8, 64, 2).tensor("v", I8, 0, 2).data(64, 66))
	w, v := f.Tensors()[0].Data(), f.Tensors()[1].Data()
	if !bytes.Equal(w, []byte{65, 66}) || !bytes.Equal(v, []byte{1, 2}) {
		t.Errorf("w %v, v %v", w, v)
	}
	if len(f.ModelMeta()) != 0 {
		t.Errorf("the alignment is part of the model: %v", f.ModelMeta())
	}
}

const huge = math.MaxUint64

// TestParseRefuses has a row for every check.
func TestParseRefuses(t *testing.T) {
	one := head(3, 1, 0)
	key := head(3, 0, 1)
	for _, c := range []struct {
		name string
		b    forge
		want string
	}{
		// Magic and version.
		{"nothing", forge(""), "at byte 0: the file is empty"},
		{"short magic", forge("GGU"), `at byte 0: not GGUF: begins with "GGU"`},
		{"wrong magic", forge("FUGG" + strings.Repeat(" ", 20)), `at byte 0: not GGUF: begins with "FUGG"`},
		{"short header", head(3, 0, 0)[:23], "at byte 23: the file ends inside the header, which has at least 24 bytes"},
		{"version 0", head(0, 0, 0), "at byte 4: version 0 is not supported: only 2 and 3 are"},
		{"version 1", head(1, 0, 0), "at byte 4: version 1 is not supported: convert the model again from its checkpoint"},
		{"version 4", head(4, 0, 0), "at byte 4: version 4 is not supported: only 2 and 3 are"},
		{"big-endian", head(3<<24, 0, 0), "at byte 4: big-endian files are not supported: convert the model again for little-endian machines"},

		// Counts.
		{"tensors", head(3, 1, 0), "at byte 8: 1 tensors do not fit in the 8 bytes that are left"},
		{"many tensors", head(3, huge, 0), "at byte 8: 18446744073709551615 tensors: the limit is 1048576"},
		{"keys", head(3, 0, 2).data(1, 27), "at byte 16: 2 keys do not fit in the 27 bytes that are left"},
		{"many keys", head(3, 0, 1<<63), "at byte 16: 9223372036854775808 keys: the limit is 65536"},

		// Strings.
		{"long key", key.u64(huge).data(1, 14), "at byte 24: key of 18446744073709551615 bytes: only 14 are left"},
		{"key past the end", key.u64(15).data(1, 14), "at byte 24: key of 15 bytes: only 14 are left"},
		{"key over the limit", key.u64(1<<16).data(1, 1<<16), "at byte 24: key of 65536 bytes: the limit is 65535"},
		{"empty key", key.key("", typeString).u64(0), "at byte 24: empty key"},
		{"string past the end", key.key("a", typeString).u64(4).data(1, 3), `at byte 37: key "a": string of 4 bytes: only 3 are left`},
		{"duplicate key", head(3, 0, 2).key("a", typeUint8).u8(1).key("a", typeUint8).u8(1), `at byte 38: key "a" appears twice`},

		// Values.
		{"value type", key.key("a", 13).u64(0), `at byte 33: key "a": unknown value type 13`},
		{"no value type", key.str("a").data(1, 5)[:35], `at byte 16: 1 keys do not fit in the 11 bytes that are left`},
		{"cut value", key.key("a", typeUint64).data(1, 7), `at byte 37: key "a": value of 8 bytes: the file ends after 7`},
		{"element type", key.array("a", 14, 0), `at byte 37: key "a": unknown element type 14`},
		{"nested array", key.array("a", typeArray, 0), `at byte 37: key "a": arrays of arrays are not supported`},
		{"long array", key.array("a", typeUint8, 3).u8(1, 2), `at byte 41: key "a": 3 elements do not fit in the 2 bytes that are left`},
		{"long string array", key.array("a", typeString, 2).data(1, 15), `at byte 41: key "a": 2 elements do not fit in the 15 bytes that are left`},
		{"count that wraps", key.array("a", typeFloat64, 1<<61).u64(1), `at byte 41: key "a": 2305843009213693952 elements: the limit is 16777216`},
		{"cut string array", key.array("a", typeString, 2).str("bc").u64(1 << 62), `at byte 59: key "a": string of 4611686018427387904 bytes: only 0 are left`},
		{"array ends in a length", key.array("a", typeString, 2).str("bcdefghij").u32(1), `at byte 66: key "a": length of a string of 8 bytes: the file ends after 4`},

		// Alignment.
		{"alignment type", key.key(KeyAlignment, typeUint64).u64(32), `at byte 24: key "general.alignment": is uint64, want uint32`},
		{"alignment text", key.key(KeyAlignment, typeString).str("32"), `at byte 24: key "general.alignment": is string, want uint32`},
		{"alignment 0", key.key(KeyAlignment, typeUint32).u32(0), `at byte 24: key "general.alignment": 0: want a power of two from 8 to 65536`},
		{"alignment 4", key.key(KeyAlignment, typeUint32).u32(4), `at byte 24: key "general.alignment": 4: want a power of two from 8 to 65536`},
		{"alignment 48", key.key(KeyAlignment, typeUint32).u32(48), `at byte 24: key "general.alignment": 48: want a power of two from 8 to 65536`},
		{"huge alignment", key.key(KeyAlignment, typeUint32).u32(1 << 31), `at byte 24: key "general.alignment": 2147483648: want a power of two from 8 to 65536`},

		// Tensors.
		{"empty name", one.tensor("", F32, 0, 1, 1).data(32, 4), `at byte 24: empty tensor name`},
		{"name of 64 bytes", one.tensor(strings.Repeat("n", 64), F32, 0, 1).data(32, 4), `at byte 24: tensor name of 64 bytes: the limit is 63`},
		{"duplicate tensor", head(3, 2, 0).tensor("w", F32, 0, 1).tensor("w", F32, 32, 1).data(32, 64), `at byte 57: tensor "w" appears twice`},
		{"no dimensions", one.tensor("w", F32, 0).data(32, 64), `at byte 33: tensor "w": 0 dimensions: want 1 to 4`},
		{"five dimensions", one.tensor("w", F32, 0, 1, 1, 1, 1, 1).data(32, 64), `at byte 33: tensor "w": 5 dimensions: want 1 to 4`},
		{"many dimensions", one.str("w").u32(math.MaxUint32).data(1, 64), `at byte 33: tensor "w": 4294967295 dimensions: want 1 to 4`},
		{"dimension 0", one.tensor("w", F32, 0, 1, 0).data(32, 64), `at byte 45: tensor "w": dimension 1 is 0: want 1 to 9223372036854775807`},
		{"dimension -1", one.tensor("w", F32, 0, huge).data(32, 64), `at byte 37: tensor "w": dimension 0 is 18446744073709551615: want 1 to 9223372036854775807`},
		{"product that wraps", one.tensor("w", F32, 0, 1<<32, 1<<32).data(32, 64), `at byte 24: tensor "w": shape [4294967296 4294967296]: too many values`},
		{"bytes that wrap", one.tensor("w", F32, 0, 1<<61).data(32, 64), `at byte 24: tensor "w": shape [2305843009213693952]: too many bytes`},
		{"removed type", one.tensor("w", 4, 0, 32).data(32, 64), `at byte 24: tensor "w": type Q4_2 (4) was removed from the format: quantise the model again`},
		{"unknown type", one.tensor("w", 96, 0, 32).data(32, 64), `at byte 24: tensor "w": unknown type 96`},
		{"type of a fork", one.tensor("w", 144, 0, 32).data(32, 64), `at byte 24: tensor "w": unknown type 144: if the file was made by a fork of llama.cpp, quantise the model again to a common type`},
		{"half a block", one.tensor("w", Q4_K, 0, 128, 2).data(32, 144), `at byte 24: tensor "w": rows of 128 values do not divide into Q4_K blocks of 256`},
		{"cut description", head(3, 1, 1).key("abcdefghi", typeUint8).u8(1).tensor("w", F32, 0, 1)[:78], `at byte 71: tensor "w": offset of 8 bytes: the file ends after 7`},

		// Data.
		{"no data section", one.tensor("w", F32, 0, 1), `at byte 57: the tensor data would begin at byte 64 of a file of 57: the file is not complete`},
		{"offset not aligned", one.tensor("w", F32, 16, 1).data(32, 64), `at byte 24: tensor "w": offset 16 is not a multiple of the alignment 32`},
		{"offset past the end", one.tensor("w", F32, 96, 1).data(32, 64), `at byte 24: tensor "w": 4 bytes at offset 96 of a data section of 64: the file is not complete or the offset is wrong`},
		{"offset that wraps", one.tensor("w", F32, huge-31, 8).data(32, 64), `at byte 24: tensor "w": 32 bytes at offset 18446744073709551584 of a data section of 64: the file is not complete or the offset is wrong`},
		{"size past the end", one.tensor("w", F32, 32, 9).data(32, 64), `at byte 24: tensor "w": 36 bytes at offset 32 of a data section of 64: the file is not complete or the offset is wrong`},
		{"same place", head(3, 2, 0).tensor("w", F32, 0, 1).tensor("v", F32, 0, 1).data(32, 64), `at byte 57: tensor "v" overlaps tensor "w"`},
		{"overlap", head(3, 3, 0).tensor("w", F32, 32, 1).tensor("v", F32, 64, 1).tensor("u", F32, 0, 9).data(32, 68), `at byte 24: tensor "w" overlaps tensor "u"`},

		// Parts of split models.
		{"part", head(3, 0, 2).key(KeySplitCount, typeUint16).u8(3, 0).key(KeySplitNo, typeUint16).u8(1, 0), "file 2 of a model split in 3: it cannot be read alone"},
		{"part without number", key.key(KeySplitCount, typeUint16).u8(3, 0), `key "split.no": missing, want uint16`},
		{"negative parts", key.key(KeySplitCount, typeInt32).u32(math.MaxUint32), `key "split.count": -1 does not fit uint16`},
	} {
		_, err := Parse(c.name, c.b)
		if err == nil || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: error %v, want one that wraps ErrFormat", c.name, err)
			continue
		}
		want := "gguf: " + c.name + ": " + c.want
		if small := strings.Contains(err.Error(), fmt.Sprint("want 1 to ", math.MaxInt32)); small && math.MaxInt == math.MaxInt32 {
			continue // what does not fit an int of 32 bits is found earlier
		}
		if err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestParseLimits has claims that only a large file could back.
func TestParseLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("64 MiB files")
	}
	long := make(forge, maxText+1+64)
	copy(long, head(3, 0, 1).key("a", typeString).u64(maxText+1))
	_, err := Parse("long", long)
	if want := `gguf: long: at byte 37: key "a": string of 67108865 bytes: the limit is 67108864`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	clear(long)
	copy(long, head(3, 0, 1).array("a", typeUint8, maxElements+1))
	_, err = Parse("many", long)
	if want := `gguf: many: at byte 41: key "a": 16777217 elements: the limit is 16777216`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestParseCut cuts a good file everywhere: only the padding at its end may go.
func TestParseCut(t *testing.T) {
	for n := range len(tiny) {
		_, err := Parse("cut", []byte(tiny[:n]))
		if whole := n >= 292; whole != (err == nil) {
			t.Errorf("%d bytes of %d: %v", n, len(tiny), err)
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes: %v does not wrap ErrFormat", n, err)
		}
	}
}

func TestForeign(t *testing.T) {
	for b, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\n": "Git LFS",
		"PK\x03\x04":                           "zip",
		"\x80\x02\x8a\x0a":                     "pickle",
		"lmgg\x01":                             "GGML",
		"tjgg\x03":                             "GGJT",
		"\x1f\x8b\x08":                         "gzip",
		"\x28\xb5\x2f\xfd":                     "zstd",
		"<!DOCTYPE html>":                      "HTML",
		"\x40\x00\x00\x00\x00\x00\x00\x00{\"a": "safetensors",
		strings.Repeat("\x00", 100):            "not complete",
	} {
		_, err := Parse("x", []byte(b))
		if !errors.Is(err, ErrFormat) || !strings.HasPrefix(err.Error(), "gguf: x: at byte 0: not GGUF but ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want a word about %s", b, err, want)
		}
	}
}
