package convert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wideModel makes a checkpoint in BF16 whose tensors are several pieces each. They lie in
// the file from the last to the first, or, if mixed, in an order of no use.
func wideModel(t testing.TB, d, layers int, mixed bool) string {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var ws []weight
	for _, n := range sourceNames(layers) {
		shape := []int{d}
		switch name := n[1]; {
		case name == "wte.weight":
			shape = []int{512, d}
		case strings.HasSuffix(name, "Wqkv.weight"):
			shape = []int{3 * d, d}
		case strings.HasSuffix(name, "out_proj.weight"):
			shape = []int{d, d}
		case strings.HasSuffix(name, "up_proj.weight"):
			shape = []int{4 * d, d}
		case strings.HasSuffix(name, "down_proj.weight"):
			shape = []int{d, 4 * d}
		}
		size := 2
		for _, n := range shape {
			size *= n
		}
		ws = append(ws, weight{n[1], "BF16", shape, smallValues(r, size)})
	}
	slices.Reverse(ws)
	if mixed {
		r.Shuffle(len(ws), func(i, j int) { ws[i], ws[j] = ws[j], ws[i] })
	}
	return forged(t, ws, map[string]any{"d_model": d, "n_layers": layers, "expansion_ratio": 4, "learned_pos_emb": false})
}

// smallValues returns n bytes of BF16 values around 0.02.
func smallValues(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 2 {
		x := r.Uint32()
		b[i], b[i+1] = byte(x), 0x3c|byte(x>>16)&0x80
	}
	return b
}

// TestStreamWide has tensors of several pieces, which several workers finish in any
// order, and more bytes than are kept.
func TestStreamWide(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		src := wideModel(t, 512, 1, mixed)
		dir := t.TempDir()
		want, got := filepath.Join(dir, "want.gguf"), filepath.Join(dir, "got.gguf")
		if _, err := Convert(context.Background(), src, want, Options{Type: "Q4_0"}); err != nil {
			t.Fatal(err)
		}
		r := &folderRemote{dir: src, cut: 3 << 20}
		saveEvery(t, 1<<20)
		cuts := 0
		for ; cuts < 20; cuts++ {
			if _, err := Stream(context.Background(), r, got, Options{Type: "Q4_0", Threads: 3}); err == nil {
				break
			}
		}
		if cuts == 0 || cuts == 20 {
			t.Errorf("%d interruptions", cuts)
		}
		compareFiles(t, "wide", got, want)
	}
}

// BenchmarkStream converts a checkpoint of 200 MB that comes from memory, and, to compare
// with, from a folder.
func BenchmarkStream(b *testing.B) {
	src := wideModel(b, 1024, 8, false)
	dir := b.TempDir()
	memory := newMemoryRemote(b, src)
	for _, typ := range []string{"Q4_0", "Q8_0"} {
		for _, how := range []string{"stream", "folder"} {
			b.Run(typ+"/"+how, func(b *testing.B) {
				b.SetBytes(int64(len(memory.weights)))
				for range b.N {
					opt := Options{Type: typ, Force: true}
					var err error
					if how == "stream" {
						_, err = Stream(context.Background(), memory, filepath.Join(dir, "out.gguf"), opt)
					} else {
						_, err = Convert(context.Background(), src, filepath.Join(dir, "out.gguf"), opt)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// memoryRemote has the weights in memory and their hash calculated.
type memoryRemote struct {
	folderRemote
	weights []byte
	sum     string
}

func newMemoryRemote(b *testing.B, dir string) *memoryRemote {
	b.Helper()
	w, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256(w)
	return &memoryRemote{folderRemote{dir: dir}, w, hex.EncodeToString(sum[:])}
}

func (m *memoryRemote) Weights(string) (io.ReaderAt, int64, error) {
	return bytes.NewReader(m.weights), int64(len(m.weights)), nil
}

func (m *memoryRemote) Hash(string) (hash.Hash, string) { return sha256.New(), m.sum }

func (m *memoryRemote) Stream(_ context.Context, _ string, from int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m.weights[from:])), nil
}
