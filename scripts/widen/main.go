// Widen makes a model that computes what another does and reads more: the rows of its ffn_up are
// repeated, and ffn_down has as many more columns of zeros. Two widths of one model, quantised, are a
// model and a draft model whose sizes are chosen and whose text is that of a trained one.
//
//	mpt-quantize mpt-stories f16.gguf --type F16
//	go run ./scripts/widen -times 33 f16.gguf wide.gguf
//	mpt-quantize wide.gguf big.gguf --type Q8_0
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"

	"mptgo/gguf"
)

func main() {
	times := flag.Int("times", 1, "how many times as wide the feed-forward layers become")
	flag.Parse()
	if flag.NArg() != 2 || *times < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := widen(flag.Arg(0), flag.Arg(1), *times); err != nil {
		fmt.Fprintln(os.Stderr, "widen:", err)
		os.Exit(1)
	}
}

// widen writes the model in file src, whose weights are F16, to dst.
func widen(src, dst string, times int) error {
	f, err := gguf.Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	const length = "mpt.feed_forward_length"
	meta := f.ModelMeta()
	for i := range meta {
		if meta[i].Key == length {
			n, err := gguf.Get[uint32](f, length)
			if err != nil {
				return err
			}
			meta[i].Value = n * uint32(times)
		}
	}
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, t := range f.Tensors() {
		info, b := t.Info(), t.Data()
		switch {
		case strings.Contains(t.Name, ".ffn_up."):
			info.Shape[len(info.Shape)-1] *= times
			b = bytes.Repeat(b, times)
		case strings.HasSuffix(t.Name, ".ffn_down.weight"):
			if t.Type != gguf.F16 {
				return fmt.Errorf("%s is %v: want F16", t.Name, t.Type)
			}
			b = padded(b, t.RowBytes(), times)
			info.Shape[0] *= times
		}
		infos, data = append(infos, info), append(data, b)
	}
	return write(dst, meta, infos, data)
}

// padded returns rows of so many bytes, each followed by zeros.
func padded(rows []byte, size, times int) []byte {
	wide := make([]byte, len(rows)*times)
	for i := 0; i < len(rows); i += size {
		copy(wide[i*times:], rows[i:i+size])
	}
	return wide
}

func write(dst string, meta []gguf.KV, infos []gguf.TensorInfo, data [][]byte) error {
	w, err := gguf.Create(dst, meta, infos, gguf.Options{})
	if err != nil {
		return err
	}
	for i, b := range data {
		if _, err := w.WriteAt(i, b, 0); err != nil {
			w.Abort()
			return err
		}
	}
	return w.Commit()
}
