package gguf

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// allValues has a value of every type and an array of every type, with the ends
// of their ranges.
var allValues = []KV{
	{"u8", uint8(math.MaxUint8)},
	{"i8", int8(math.MinInt8)},
	{"u16", uint16(math.MaxUint16)},
	{"i16", int16(math.MinInt16)},
	{"u32", uint32(math.MaxUint32)},
	{"i32", int32(math.MinInt32)},
	{"f32", float32(math.SmallestNonzeroFloat32)},
	{"bool", true},
	{"string", "ALiBi → \x00\xff"},
	{"u64", uint64(math.MaxUint64)},
	{"i64", int64(math.MinInt64)},
	{"f64", math.MaxFloat64},
	{"u8s", []uint8{0, 1, 255}},
	{"i8s", []int8{-128, 0, 127}},
	{"u16s", []uint16{0, 65535}},
	{"i16s", []int16{-32768, 32767}},
	{"u32s", []uint32{0, math.MaxUint32}},
	{"i32s", []int32{math.MinInt32, math.MaxInt32}},
	{"f32s", []float32{0, float32(math.Inf(-1)), 1}},
	{"bools", []bool{true, false}},
	{"strings", []string{"", "a", "\xf0\x9f"}},
	{"u64s", []uint64{math.MaxUint64}},
	{"i64s", []int64{-1}},
	{"f64s", []float64{math.Pi}},
	{"none", []float32{}},
	{"no strings", []string{}},
}

func TestValuesRoundTrip(t *testing.T) {
	b, err := Encode(allValues, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustParse(t, b).Meta(); !reflect.DeepEqual(got, allValues) {
		t.Errorf("got  %v\nwant %v", got, allValues)
	}
}

// TestValueBytes holds each type against the bytes that the format's
// description gives, which a round trip cannot.
func TestValueBytes(t *testing.T) {
	for want, v := range map[string]any{
		"\x00\x00\x00\x00\xfe":                                                                uint8(254),
		"\x01\x00\x00\x00\xfe":                                                                int8(-2),
		"\x02\x00\x00\x00\x02\x01":                                                            uint16(258),
		"\x03\x00\x00\x00\xfe\xff":                                                            int16(-2),
		"\x04\x00\x00\x00\x04\x03\x02\x01":                                                    uint32(0x01020304),
		"\x05\x00\x00\x00\xfe\xff\xff\xff":                                                    int32(-2),
		"\x06\x00\x00\x00\x00\x00\xc0\xbf":                                                    float32(-1.5),
		"\x07\x00\x00\x00\x01":                                                                true,
		"\x08\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00ab":                                  "ab",
		"\x0a\x00\x00\x00\x08\x07\x06\x05\x04\x03\x02\x01":                                    uint64(0x0102030405060708),
		"\x0b\x00\x00\x00\xfe\xff\xff\xff\xff\xff\xff\xff":                                    int64(-2),
		"\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf8\xbf":                                    float64(-1.5),
		"\x09\x00\x00\x00\x03\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\xfe\xff":    []int16{1, -2},
		"\x09\x00\x00\x00\x07\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01":            []bool{false, true},
		"\x09\x00\x00\x00\x08\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00" + str8(1) + "\xff": []string{"\xff"},
	} {
		got, err := appendValue(nil, v)
		if err != nil || string(got) != want {
			t.Errorf("%T: %q, %v; want %q", v, got, err, want)
		}
		d := &decoder{file: "x", b: []byte(want)}
		if back := d.value(); d.err != nil || !reflect.DeepEqual(back, v) || d.off != len(want) {
			t.Errorf("%q: %v, %v; want %v", want, back, d.err, v)
		}
	}
}

func str8(n byte) string { return string([]byte{n, 0, 0, 0, 0, 0, 0, 0}) }

// TestStringsOutliveFile checks that nothing decoded points into the file.
func TestStringsOutliveFile(t *testing.T) {
	b := []byte(tiny)
	f := mustParse(t, b)
	clear(b)
	if !reflect.DeepEqual(f.Meta(), tinyMeta) {
		t.Errorf("the metadata changed with the file: %v", f.Meta())
	}
}

// TestVocabularyAllocations holds the decoder to a few allocations for an array
// of any length.
func TestVocabularyAllocations(t *testing.T) {
	b, err := Encode([]KV{{"tokens", vocabulary(5000)}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { mustParse(t, b) }); n > 50 {
		t.Errorf("%v allocations for a vocabulary of 5000", n)
	}
}

func vocabulary(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strings.Repeat("token", i%3)
	}
	return list
}

func BenchmarkParse(b *testing.B) {
	file, err := Encode([]KV{{"tokens", vocabulary(50432)}}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		mustParse(b, file)
	}
}

func valuesFile(t *testing.T) *File {
	t.Helper()
	b, err := Encode(allValues, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, b)
}

// got checks Get of one key.
func got[T Value](t *testing.T, f *File, key string, want T) {
	t.Helper()
	if x, err := Get[T](f, key); err != nil || !reflect.DeepEqual(x, want) {
		t.Errorf("Get[%T](%q) = %v, %v; want %v", want, key, x, err, want)
	}
}

// refused checks that Get of one key fails, and how.
func refused[T Value](t *testing.T, f *File, key, want string) {
	t.Helper()
	for _, get := range []func(*File, string) (T, error){
		Get[T],
		func(f *File, key string) (T, error) { var absent T; return GetOr(f, key, absent) },
	} {
		x, err := get(f, key)
		if !errors.Is(err, ErrFormat) || err.Error() != "gguf: x: "+want {
			t.Errorf("Get[%T](%q): error %v, want %s", x, key, err, want)
		}
	}
}

func TestGet(t *testing.T) {
	f := valuesFile(t)
	got(t, f, "u8", uint8(255))
	got(t, f, "u8", int16(255))
	got(t, f, "u8", 255)
	got(t, f, "i8", int64(-128))
	got(t, f, "i8", -128)
	got(t, f, "u32", uint32(math.MaxUint32))
	got(t, f, "u32", int64(math.MaxUint32))
	got(t, f, "u64", uint64(math.MaxUint64))
	got(t, f, "i64", int64(math.MinInt64))
	got(t, f, "bool", true)
	got(t, f, "string", "ALiBi → \x00\xff")
	got(t, f, "f32", float64(math.SmallestNonzeroFloat32))
	got(t, f, "f32", float32(math.SmallestNonzeroFloat32))
	got(t, f, "u8s", []int32{0, 1, 255})
	got(t, f, "u8s", []int{0, 1, 255})
	got(t, f, "i8s", []int{-128, 0, 127})
	got(t, f, "strings", []string{"", "a", "\xf0\x9f"})
	got(t, f, "f64s", []float32{math.Pi})
	got(t, f, "f32s", []float64{0, math.Inf(-1), 1})
	got(t, f, "none", []float64{})
}

func TestGetRefuses(t *testing.T) {
	f := valuesFile(t)
	refused[int8](t, f, "u8", `key "u8": 255 does not fit int8`)
	refused[uint64](t, f, "i8", `key "i8": -128 does not fit uint64`)
	refused[int64](t, f, "u64", `key "u64": 18446744073709551615 does not fit int64`)
	refused[int](t, f, "u64", `key "u64": 18446744073709551615 does not fit int`)
	refused[uint32](t, f, "i64", `key "i64": -9223372036854775808 does not fit uint32`)
	refused[int32](t, f, "i64", `key "i64": -9223372036854775808 does not fit int32`)
	refused[float32](t, f, "f64", `key "f64": 1.7976931348623157e+308 does not fit float32`)
	refused[uint32](t, f, "string", `key "string": is string, want uint32`)
	refused[string](t, f, "u32", `key "u32": is uint32, want string`)
	refused[int](t, f, "f32", `key "f32": is float32, want int`)
	refused[float32](t, f, "u32", `key "u32": is uint32, want float32`)
	refused[bool](t, f, "u8", `key "u8": is uint8, want bool`)
	refused[uint8](t, f, "bool", `key "bool": is bool, want uint8`)
	refused[uint32](t, f, "u32s", `key "u32s": is []uint32, want uint32`)
	refused[[]uint32](t, f, "u32", `key "u32": is uint32, want []uint32`)
	refused[[]string](t, f, "none", `key "none": is []float32, want []string`)
	refused[[]int32](t, f, "f32s", `key "f32s": is []float32, want []int32`)
	refused[[]int8](t, f, "u8s", `key "u8s": element 2: 255 does not fit int8`)
	refused[[]uint8](t, f, "i8s", `key "i8s": element 0: -128 does not fit uint8`)
}

func TestGetAbsent(t *testing.T) {
	f := valuesFile(t)
	_, err := Get[[]string](f, "tokens")
	if !errors.Is(err, ErrFormat) || err.Error() != `gguf: x: key "tokens": missing, want []string` {
		t.Error(err)
	}
	if x, err := GetOr(f, "clamp", float32(8)); x != 8 || err != nil {
		t.Errorf("%v, %v", x, err)
	}
	if _, ok := f.Value("clamp"); ok {
		t.Error("Value found a key that does not exist")
	}
}
