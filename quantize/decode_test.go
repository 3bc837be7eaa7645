package quantize

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// randomDecoded holds the start of the SHA-256 of what ggml's reference code
// makes of 200 blocks of random bytes, which reach every code, scale and index.
var randomDecoded = map[gguf.Type]string{
	gguf.Q4_0:    "0a6e17c17a2d6f0a",
	gguf.Q4_1:    "2993201f44270f31",
	gguf.Q5_0:    "f92a4d720eb6bcf2",
	gguf.Q5_1:    "627204a74ed2af90",
	gguf.Q8_0:    "cf29305bb68fbe4d",
	gguf.Q2_K:    "448f000d40676abc",
	gguf.Q3_K:    "854feb95a53992d7",
	gguf.Q4_K:    "36488a46a950cfe7",
	gguf.Q5_K:    "248773265aa99253",
	gguf.Q6_K:    "e933c7c8ca6cd64a",
	gguf.IQ2_XXS: "86a1c9301decef0d",
	gguf.IQ2_XS:  "8190c39f0b62384e",
	gguf.IQ3_XXS: "5b08cd8347199735",
	gguf.IQ1_S:   "332bcdf2720e388b",
	gguf.IQ4_NL:  "c35b8b4971811335",
	gguf.IQ3_S:   "a430e693f90a0441",
	gguf.IQ2_S:   "867fd9f2415a2d85",
	gguf.IQ4_XS:  "fe92f66a97c0b13b",
	gguf.IQ1_M:   "6daf7dacc332698d",
	gguf.TQ1_0:   "ac5bc36eb4b9e7d9",
	gguf.TQ2_0:   "c14924d4b392bbe5",
	gguf.MXFP4:   "e87c5a733f651f99",
	gguf.NVFP4:   "ac5d1b7feb3802b4",
	gguf.Q1_0:    "a5f3f71347c79ad1",
	gguf.Q2_0:    "97d7f677a7bb5774",
}

func TestDecodeRandom(t *testing.T) {
	for _, f := range Formats() {
		n, size := f.Type.Block()
		if n == 1 {
			continue
		}
		x := make([]float32, 200*n)
		f.Decode(x, randomBytes(rand.New(rand.NewPCG(uint64(f.Type), 200)), 200*size))
		got := digest(x)[:16]
		if want, ok := randomDecoded[f.Type]; !ok {
			t.Errorf("%v has no row in randomDecoded: hold the format against its reference, then add %s", f.Type, got)
		} else if got != want {
			t.Errorf("%v: got %s, want %s", f.Type, got, want)
		}
	}
}

// digest returns the SHA-256 of x in hexadecimal digits; all NaNs are the same.
func digest(x []float32) string {
	b := make([]byte, 4*len(x))
	for i, v := range x {
		if v != v {
			v = float32(math.NaN())
		}
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestGrids(t *testing.T) {
	for _, c := range []struct {
		name             string
		points           func() []int8
		packed, expanded string // the start of their SHA-256
		size             int
	}{
		{"iq2_xxs", codebook.IQ2_XXS, "915952ebc4af8ddb", "05826b5d3e472a3a", 2048},
		{"iq2_xs", codebook.IQ2_XS, "f66435966ca8d64e", "06e47aaca60b4dc1", 4096},
		{"iq2_s", codebook.IQ2_S, "e6e75e121b65e8af", "e1aa1473412b0552", 8192},
		{"iq1_s", codebook.IQ1, "e9ffebfc997ad602", "07540ffc1aeaf6ad", 16384},
		{"iq3_xxs", codebook.IQ3_XXS, "c9678803c61b2210", "46e35f5a997efdee", 1024},
		{"iq3_s", codebook.IQ3_S, "353274c58dd7d8dc", "bd1af4945a1717c6", 2048},
	} {
		var packed, expanded []byte
		for _, p := range codebook.Packed(c.name) {
			packed = binary.LittleEndian.AppendUint16(packed, p)
		}
		for _, g := range c.points() {
			expanded = append(expanded, byte(g))
		}
		if len(expanded) != c.size {
			t.Errorf("%s: %d coordinates, want %d", c.name, len(expanded), c.size)
		}
		for _, h := range []struct {
			b    []byte
			want string
		}{{packed, c.packed}, {expanded, c.expanded}} {
			if sum := sha256.Sum256(h.b); hex.EncodeToString(sum[:8]) != h.want {
				t.Errorf("%s: digest %x, want %s", c.name, sum[:8], h.want)
			}
		}
	}
}

func TestEvenSigns(t *testing.T) {
	for i, want := range map[uint32]uint8{0: 0, 1: 0x81, 3: 3, 127: 0xff, 0x80: 0, 0x55: 0x55} {
		if got := codebook.EvenSigns(i); got != want {
			t.Errorf("codebook.EvenSigns(%#x) = %#x, want %#x", i, got, want)
		}
	}
}
