package kernel

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/gguf"
)

// goldenProducts are hashes of results, the same on every architecture.
var goldenProducts = map[gguf.Type][2]uint64{ // by default, in exact mode
	gguf.F32:  {0xf6ef2eaeed756c2d, 0xf6ef2eaeed756c2d},
	gguf.F16:  {0x44f0731217f0eb7a, 0x44f0731217f0eb7a},
	gguf.Q4_0: {0x59cb6350a0af9c38, 0x8c70f5af2c8ef771},
	gguf.Q4_1: {0x70790c19733aeabf, 0x7f3198cfa0a97340},
	gguf.Q5_0: {0x2a81b73325b42426, 0xca1f0c878c94dc41},
	gguf.Q5_1: {0x55334ae982f6f974, 0x705775f562d0914e},
	gguf.Q8_0: {0x62d86cb33f01d347, 0xf1ead60e44b76ec},
	gguf.Q6_K: {0x4cea3b8afcb6ea4b, 0x9dbc7461f8266b35},
	gguf.BF16: {0x35f2a3c5d5c26800, 0x35f2a3c5d5c26800},
}

// TestMatMulGolden checks that the definition gives the same bits wherever it
// is compiled, where compilers may fuse what it does not.
func TestMatMulGolden(t *testing.T) {
	const n, rows, k = 5, 7, 512
	for _, typ := range matTypes() {
		r := rand.New(rand.NewPCG(11, uint64(typ)))
		w := plain.weights(t, r, typ, rows, k)
		a := &Acts{N: n, K: k, X: make([]float32, n*k)}
		for i := range a.X {
			a.X[i] = plain.float(r)
		}
		a.Place(make([]byte, ActsBytes(n, k)))
		for i := range n {
			Best().QuantizeRow(a, i)
		}
		var got [2]uint64
		for mode := range got {
			var s MatScratch
			h := fnv.New64a()
			for _, v := range (matCase{typ: typ, n: n, rows: rows, k: k, exact: mode == 1}).mul(t, Best(), w, a, &s) {
				if v != v {
					v = float32(math.NaN())
				}
				b := math.Float32bits(v)
				h.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
			}
			got[mode] = h.Sum64()
		}
		if got != goldenProducts[typ] {
			t.Errorf("%v: {%#x, %#x}", typ, got[0], got[1])
		}
	}
}
