package measure_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"mptgo/gguf"
	"mptgo/mpt/builtin"
	"mptgo/mpt/convert"
	"mptgo/mpt/measure"
)

// How well does a model predict a text?
func ExamplePerplexity() {
	m, err := builtin.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	text := strings.Repeat("Once upon a time there was a little girl. She loved to play with her cat. ", 8)
	res, err := measure.Perplexity(context.Background(), m, text, measure.PerplexityOptions{Context: 64})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d tokens in %d chunks, perplexity %.2f\n", res.Tokens, res.Chunks, res.Perplexity)
	// Output: 62 tokens in 2 chunks, perplexity 14.40
}

// Make a smaller file of a model: from a checkpoint, or as here from a file.
func ExampleQuantize() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	src, dst := filepath.Join(dir, "wide.gguf"), filepath.Join(dir, "Q4_0.gguf")
	shape, err := convert.ParseShape("256,4,1") // random weights, for the example
	if err != nil {
		log.Fatal(err)
	}
	if _, err := convert.Synthetic(context.Background(), shape, 1, src, convert.Options{Type: "F16"}); err != nil {
		log.Fatal(err)
	}

	sum, err := measure.Quantize(context.Background(), src, dst, convert.Options{Type: "Q4_0"}, measure.SelfOptions{})
	if err != nil {
		log.Fatal(err)
	}
	f, err := gguf.Open(dst)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println(sum.Types[gguf.Q4_0], "matrices of Q4_0, smaller:", f.Size() < sum.SourceBytes)
	// Output: 4 matrices of Q4_0, smaller: true
}
