package mat

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"mptgo/ggml/internal/act"
	"mptgo/gguf"
)

// goldenProducts are hashes of results, the same on every architecture.
var goldenProducts = map[gguf.Type][2]uint64{ // by default, in exact mode
	gguf.F32:     {0xf6ef2eaeed756c2d, 0xf6ef2eaeed756c2d},
	gguf.F16:     {0x44f0731217f0eb7a, 0x44f0731217f0eb7a},
	gguf.Q4_0:    {0x59cb6350a0af9c38, 0x8c70f5af2c8ef771},
	gguf.Q4_1:    {0x70790c19733aeabf, 0x7f3198cfa0a97340},
	gguf.Q5_0:    {0x2a81b73325b42426, 0xca1f0c878c94dc41},
	gguf.Q5_1:    {0x55334ae982f6f974, 0x705775f562d0914e},
	gguf.Q8_0:    {0x62d86cb33f01d347, 0xf1ead60e44b76ec},
	gguf.Q6_K:    {0x4cea3b8afcb6ea4b, 0x9dbc7461f8266b35},
	gguf.BF16:    {0x35f2a3c5d5c26800, 0x35f2a3c5d5c26800},
	gguf.Q2_K:    {0xad43b66477576fb8, 0xdeded50b4e092240},
	gguf.Q3_K:    {0xb443cba1a22972ad, 0x8c0f81daa6fe8176},
	gguf.Q4_K:    {0xe6aa2cdd6fe6a11f, 0xa0dccab318351277},
	gguf.Q5_K:    {0xbb10cbfda8401c6a, 0x6c02f5a2c6bd4c75},
	gguf.IQ2_XXS: {0xee330682a2f00b4b, 0x74a7583a5d4f6ad7},
	gguf.IQ2_XS:  {0x6d683bdef86d6557, 0x9856b7699e4b1252},
	gguf.IQ3_XXS: {0xde0d394c2b3faae2, 0xefa47829b3b2e8b7},
	gguf.IQ1_S:   {0x9103064bcb86ffb5, 0x37408269ea1b6e2b},
	gguf.IQ4_NL:  {0xb43daf4e519d91bb, 0x1f5a4edd8d1a5b47},
	gguf.IQ3_S:   {0xb42bcc35b545ef87, 0x7c26da29f2c9efeb},
	gguf.IQ2_S:   {0x80c3a03a4e75563f, 0x420ba3b51b06bba9},
	gguf.IQ4_XS:  {0xa8786e124fedd466, 0xe463b58a87811b6d},
	gguf.IQ1_M:   {0x6ce405b3b6c00d9, 0xa8c6e00215f0c3bd},
	gguf.TQ1_0:   {0xf2feaacb02827b87, 0xd0e61ba3cf035bcd},
	gguf.TQ2_0:   {0xd384702d65db798f, 0xf4f1f910a76b956b},
	gguf.MXFP4:   {0xc272a32f9f45bee5, 0x1f57023fa52483e9},
}

// TestMatMulGolden checks that the definition gives the same bits wherever it
// is compiled, where compilers may fuse what it does not.
func TestMatMulGolden(t *testing.T) {
	const n, rows, k = 5, 7, 512
	for _, typ := range matTypes() {
		r := rand.New(rand.NewPCG(11, uint64(typ)))
		w := plain.weights(t, r, typ, rows, k)
		a := &act.Acts{N: n, K: k, X: make([]float32, n*k)}
		for i := range a.X {
			a.X[i] = plain.Float(r)
		}
		a.Place(make([]byte, act.BlocksBytes(n, k)))
		for i := range n {
			bestActs().QuantizeRow(a, i, n)
		}
		var got [2]uint64
		for mode := range got {
			var s Scratch
			h := fnv.New64a()
			for _, v := range (matCase{typ: typ, n: n, rows: rows, k: k, exact: mode == 1}).mul(t, best(), w, a, &s) {
				if v != v {
					v = float32(math.NaN())
				}
				b := math.Float32bits(v)
				h.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
			}
			got[mode] = h.Sum64()
		}
		if want, ok := goldenProducts[typ]; !ok {
			t.Errorf("%v has no row in goldenProducts: check the definition, then add {%#x, %#x}", typ, got[0], got[1])
		} else if got != want {
			t.Errorf("%v: got {%#x, %#x}, want {%#x, %#x}", typ, got[0], got[1], want[0], want[1])
		}
	}
}
