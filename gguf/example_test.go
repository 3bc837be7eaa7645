package gguf_test

import (
	"encoding/binary"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"

	"mptgo/gguf"
)

// twoTensors are the metadata and the tensors of a small file.
var (
	meta = []gguf.KV{
		{Key: "general.architecture", Value: "example"},
		{Key: "general.name", Value: "small"},
		{Key: "example.block_count", Value: uint32(1)},
	}
	tensors = []gguf.TensorInfo{
		{Name: "weight", Type: gguf.F32, Shape: []int{3, 2}}, // two rows of three
		{Name: "bias", Type: gguf.F32, Shape: []int{2}},
	}
)

func floats(x ...float32) (b []byte) {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// Write a file. It appears under its name when all of it is on the disk.
func ExampleCreate() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "small.gguf")
	w, err := gguf.Create(path, meta, tensors, gguf.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Abort() // does nothing after Commit
	if _, err := w.WriteAt(0, floats(1, 2, 3, 4, 5, 6), 0); err != nil {
		log.Fatal(err)
	}
	if _, err := w.WriteAt(1, floats(7, 8), 0); err != nil {
		log.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		log.Fatal(err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println(len(f.Tensors()), "tensors,", f.Parameters(), "weights")
	// Output: 2 tensors, 8 weights
}

// Read what a file holds. Data is a view of the file: nothing is copied.
func ExampleParse() {
	b, err := gguf.Encode(meta, tensors, [][]byte{floats(1, 2, 3, 4, 5, 6), floats(7, 8)})
	if err != nil {
		log.Fatal(err)
	}
	f, err := gguf.Parse("small", b) // for a file on the disk: gguf.Open(path)
	if err != nil {
		log.Fatal(err) // errors.Is(err, gguf.ErrFormat): the file is damaged
	}
	defer f.Close()
	for _, t := range f.Tensors() {
		last := math.Float32frombits(binary.LittleEndian.Uint32(t.Data()[len(t.Data())-4:]))
		fmt.Println(t.Name, t.Type, t.Shape, "ends in", last)
	}
	// Output:
	// weight F32 [3 2] ends in 6
	// bias F32 [2] ends in 8
}

// Read keys, with and without a default. A key of another type is an error, never the default.
func ExampleGet() {
	b, err := gguf.Encode(meta, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	f, err := gguf.Parse("small", b)
	if err != nil {
		log.Fatal(err)
	}
	blocks, err := gguf.Get[int64](f, "example.block_count")
	fmt.Println(blocks, err)
	rate, err := gguf.GetOr(f, "example.rate", float32(0.5))
	fmt.Println(rate, err)
	_, err = gguf.Get[int64](f, "example.missing")
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// 0.5 <nil>
	// gguf: small: key "example.missing": missing, want int64
}
