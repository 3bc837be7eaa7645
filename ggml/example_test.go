package ggml_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"math"

	"mptgo/ggml"
	"mptgo/gguf"
)

// Compute a product with a bias for two rows of a table.
func ExampleBuild() {
	floats := func(x ...float32) (b []byte) {
		for _, v := range x {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b
	}
	table, err := ggml.NewMatrix("table", gguf.F32, 3, 2, floats(1, 2, 3, 4, 5, 6))
	if err != nil {
		log.Fatal(err)
	}
	w, err := ggml.NewMatrix("w", gguf.F32, 2, 2, floats(1, 0, 1, 1))
	if err != nil {
		log.Fatal(err)
	}
	var y *ggml.Tensor
	g, err := ggml.Build(func(g *ggml.Graph) {
		x := g.Embed("x", table)
		y = g.Bias("y", g.MatMul("product", w, x), []float32{10, 20})
		g.Keep(y)
	})
	if err != nil {
		log.Fatal(err)
	}
	pool := ggml.NewPool(1)
	defer pool.Close()
	e, err := ggml.Compile(g, pool, 8, ggml.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	if err := e.Run(context.Background(), &ggml.Batch{Tokens: []int32{0, 2}, Spans: []ggml.Span{{N: 2}}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Row(y, 0), e.Row(y, 1))
	// Output: [11 23] [15 31]
}
