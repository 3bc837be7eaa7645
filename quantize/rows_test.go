package quantize

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"mptgo/gguf"
)

func inf() float32 { return float32(math.Inf(1)) }
func nan() float32 { return float32(math.NaN()) }

// with returns n zeros, but v at index i.
func with(n, i int, v float32) []float32 {
	x := make([]float32, n)
	x[i] = v
	return x
}

func TestEncodeRowsErrors(t *testing.T) {
	for _, c := range []struct {
		t       gguf.Type
		dst     int
		src     []float32
		cols    int
		weights []float32
		want    string
	}{
		{gguf.I32, 4, make([]float32, 1), 1, nil, "I32: a tensor of this type cannot be converted"},
		{99, 4, make([]float32, 1), 1, nil, "type(99)"},
		{gguf.Q4_0, 18, make([]float32, 32), 0, nil, "a row of 0 values"},
		{gguf.Q4_0, 18, make([]float32, 32), -32, nil, "a row of -32 values"},
		{gguf.Q4_0, 18, make([]float32, 40), 40, nil, "40 values does not divide into Q4_0 blocks of 32"},
		{gguf.Q4_0, 36, make([]float32, 96), 64, nil, "96 values are not whole rows of 64"},
		{gguf.Q4_0, 17, make([]float32, 32), 32, nil, "1 rows of 32 values take 18 bytes, not 17"},
		{gguf.Q4_0, 18, make([]float32, 32), 32, make([]float32, 31), "31 importance weights for rows of 32"},
		{gguf.Q4_0, 18, make([]float32, 32), 32, with(32, 7, nan()), "importance of column 7 is NaN"},
		{gguf.Q4_0, 18, make([]float32, 32), 32, with(32, 7, -1), "importance of column 7 is -1"},
		{gguf.Q4_0, 18, make([]float32, 32), 32, with(32, 7, inf()), "importance of column 7 is +Inf"},
		{gguf.Q4_0, 36, with(64, 40, nan()), 32, nil, "row 1: column 8: the value is NaN"},
		{gguf.F32, 256, with(64, 63, -inf()), 32, nil, "row 1: column 31: the value is -Inf"},
		{gguf.F16, 128, with(64, 33, 65520), 64, nil, "row 0: column 33: the value is too large for F16"},
		{gguf.BF16, 128, with(64, 33, math.MaxFloat32), 64, nil, "row 0: column 33: the value is too large for BF16"},
		{gguf.Q8_0, 68, with(64, 33, 1e7), 64, nil, "row 0: columns 32 to 63: a value is too large for Q8_0"},
		{gguf.Q4_1, 40, with(64, 33, -1e5), 64, nil, "row 0: columns 32 to 63: a value is too large for Q4_1"},
		{gguf.Q6_K, 210, with(256, 33, 1e20), 256, nil, "row 0: columns 0 to 255: a value is too large for Q6_K"},
	} {
		err := EncodeRows(c.t, make([]byte, c.dst), c.src, c.cols, c.weights)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "quantize: ") {
			t.Errorf("%v: got %v, want %q", c.t, err, c.want)
		}
	}
}

func TestDecodeRowErrors(t *testing.T) {
	for _, c := range []struct {
		t        gguf.Type
		dst, src int
		want     string
	}{
		{gguf.I8, 1, 1, "I8"},
		{gguf.Q5_1, 31, 24, "31 values does not divide"},
		{gguf.Q5_1, 32, 25, "32 values take 24 bytes, not 25"},
	} {
		err := DecodeRow(c.t, make([]float32, c.dst), make([]byte, c.src))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.t, err, c.want)
		}
	}
}

func TestCheckFinite(t *testing.T) {
	for _, c := range []struct {
		t    gguf.Type
		at   int // of 16 bits that are all ones, in ten blocks
		want string
	}{
		{gguf.F32, 18, "value 4 "},
		{gguf.F16, 18, "value 9 "},
		{gguf.BF16, 18, "value 9 "},
		{gguf.Q4_0, 18, "block 1, values 32 to 63"},
		{gguf.Q4_0, 20, ""},
		{gguf.Q4_1, 22, "block 1, "},
		{gguf.Q5_0, 22, "block 1, "},
		{gguf.Q5_1, 26, "block 1, "},
		{gguf.Q8_0, 34 * 9, "block 9, values 288 to 319"},
		{gguf.Q8_0, 34*9 + 32, ""},
		{gguf.Q6_K, 208, "block 0, values 0 to 255"},
		{gguf.Q6_K, 206, ""},
		{gguf.Q2_K, 84*3 + 80, "block 3, "},
		{gguf.Q2_K, 84*3 + 82, "block 3, "},
		{gguf.Q4_K, 144*3 + 2, "block 3, "},
		{gguf.IQ1_M, 56*3 + 54, ""}, // the other bits of the exponent are 0
		{gguf.MXFP4, 17 * 3, "block 3, "},
		{gguf.NVFP4, 36 * 3, ""},
	} {
		_, size := c.t.Block()
		b := make([]byte, 10*size)
		if err := CheckFinite(c.t, b); err != nil {
			t.Errorf("%v: zeros: %v", c.t, err)
		}
		b[c.at], b[c.at+1] = 0xff, 0xff
		err := CheckFinite(c.t, b)
		if c.want == "" && err == nil {
			continue
		}
		if err == nil || c.want == "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, byte %d: got %v, want %q", c.t, c.at, err, c.want)
		}
	}
	if err := CheckFinite(gguf.Q4_0, make([]byte, 19)); err == nil {
		t.Error("19 bytes of Q4_0: no error")
	}
	if err := CheckFinite(gguf.Q8_K, nil); err == nil {
		t.Error("Q8_K: no error")
	}
}

// TestConvert holds every conversion, short ways included, against decoding
// and encoding.
func TestConvert(t *testing.T) {
	const cols = 512
	all := readFloats(t, "testdata/input.f32")
	var golden []float32 // every sixth row: some types take long
	for at := 0; at < len(all); at += 6 * cols {
		golden = append(golden, all[at:at+cols]...)
	}
	var scratch Encoder
	for _, from := range Formats() {
		if from.Encode == nil {
			continue
		}
		src := encoded(t, from.Type, golden, cols)
		values := make([]float32, len(golden))
		from.Decode(values, src)
		for _, to := range Formats() {
			if to.Encode == nil {
				continue
			}
			want := encoded(t, to.Type, values, cols)
			if to == from {
				want = src
			}
			got := make([]byte, len(want))
			if err := scratch.Convert(got, to.Type, src, from.Type, cols); err != nil {
				t.Errorf("%v to %v: %v", from.Type, to.Type, err)
			} else if !bytes.Equal(got, want) {
				t.Errorf("%v to %v: the bytes differ", from.Type, to.Type)
			}
		}
	}
}

// encoded returns the rows of src as blocks.
func encoded(t *testing.T, typ gguf.Type, src []float32, cols int) []byte {
	t.Helper()
	size, err := typ.RowBytes(len(src))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if err := EncodeRows(typ, b, src, cols, nil); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConvertErrors(t *testing.T) {
	two := func(h uint16) []byte { return []byte{0, 0, byte(h), byte(h >> 8)} }
	for _, c := range []struct {
		dst  []byte
		dt   gguf.Type
		src  []byte
		st   gguf.Type
		cols int
		want string
	}{
		{make([]byte, 4), gguf.F16, two(0x7f80), gguf.BF16, 2, "BF16 to F16: row 0: column 1: the value is +Inf"},
		{make([]byte, 4), gguf.F16, two(0x4780), gguf.BF16, 1, "BF16 to F16: row 1: column 0: the value is too large for F16"},
		{make([]byte, 8), gguf.F32, two(0xfe00), gguf.F16, 2, "F16 to F32: row 0: column 1: the value is NaN"},
		{make([]byte, 8), gguf.F32, two(0xff80), gguf.BF16, 1, "BF16 to F32: row 1: column 0: the value is -Inf"},
		{make([]byte, 4), gguf.BF16, two(0x7c00), gguf.F16, 2, "F16 to BF16: row 0: column 1: the value is +Inf"},
		{make([]byte, 4), gguf.F16, two(0), gguf.BF16, 3, "4 bytes are not whole rows of 3 values"},
		{make([]byte, 3), gguf.F16, two(0), gguf.BF16, 2, "take 4 bytes, not 3"},
		{make([]byte, 4), gguf.F16, two(0), gguf.BF16, 0, "a row of 0 values"},
		{make([]byte, 4), 37, two(0), gguf.BF16, 2, "type(37): unknown tensor type"},
		{make([]byte, 8), gguf.I32, two(0), gguf.BF16, 2, "I32: a tensor of this type cannot be converted"},
		{make([]byte, 8), gguf.F32, make([]byte, 4), gguf.I16, 2, "I16: a tensor of this type cannot be converted"},
	} {
		err := new(Encoder).Convert(c.dst, c.dt, c.src, c.st, c.cols)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "quantize: ") {
			t.Errorf("%v to %v: got %v, want %q", c.st, c.dt, err, c.want)
		}
	}
	if err := new(Encoder).Convert(make([]byte, 8), gguf.I32, make([]byte, 8), gguf.I32, 2); err != nil {
		t.Errorf("a copy: %v", err)
	}
}

func TestConvertAllocs(t *testing.T) {
	const cols = 256
	src, dst := make([]byte, 8*2*cols), make([]byte, 8*cols/32*18)
	var scratch Encoder
	n := testing.AllocsPerRun(10, func() {
		if err := scratch.Convert(dst, gguf.Q4_0, src, gguf.BF16, cols); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("Convert allocates %v times", n)
	}
}
