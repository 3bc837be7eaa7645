package quantize_test

import (
	"fmt"
	"log"

	"mptgo/gguf"
	"mptgo/quantize"
)

// Encode a row as Q4_0 and decode it again: 4 bits a value, and a scale for 32 of them.
func ExampleEncodeRows() {
	row := make([]float32, 32)
	for i := range row {
		row[i] = float32(i-16) / 16
	}
	blocks := make([]byte, 18)
	if err := quantize.EncodeRows(gguf.Q4_0, blocks, row, len(row), nil); err != nil {
		log.Fatal(err)
	}
	back := make([]float32, 32)
	if err := quantize.DecodeRow(gguf.Q4_0, back, blocks); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back[:8])
	// Output: [-1 -0.875 -0.875 -0.75 -0.75 -0.625 -0.625 -0.5]
}

// Convert rows from one type to another, with the search for a smaller error.
func ExampleEncoder() {
	e := quantize.Encoder{Search: quantize.SearchBetter}
	src, dst := make([]byte, 2*256), make([]byte, 144)
	if err := e.Convert(dst, gguf.Q4_K, src, gguf.F16, 256); err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Convert(dst, gguf.Q4_K, src, gguf.F16, 100))
	// Output: quantize: gguf: a row of 100 values does not divide into Q4_K blocks of 256
}
