package imatrix

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mptgo/gguf"
	"mptgo/quantize"
)

// Format is a kind of file.
type Format string

// The two kinds of files. Programs of before the middle of 2025 read DAT only.
const (
	DAT  Format = "dat"
	GGUF Format = "gguf"
)

// FormatOf returns the kind of file that a name asks for: GGUF if it ends so.
func FormatOf(path string) Format {
	if strings.EqualFold(filepath.Ext(path), ".gguf") {
		return GGUF
	}
	return DAT
}

// Read reads a file of either kind.
func Read(path string) (*Matrix, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("imatrix: %w", err)
	}
	m, err := Parse(path, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Parse reads a file of either kind from memory.
func Parse(name string, b []byte) (*Matrix, error) {
	if strings.HasPrefix(string(b), "GGUF") {
		return parseGGUF(name, b)
	}
	return parseLegacy(b)
}

// Encode returns m as a file.
func (m *Matrix) Encode(f Format) ([]byte, error) {
	if len(m.Entries) == 0 {
		return nil, fmt.Errorf("imatrix: nothing was measured: %w", ErrFormat)
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	if f == DAT {
		return m.encodeLegacy(), nil
	}
	return m.encodeGGUF()
}

// The keys of a file, and the endings of the names of its tensors.
const (
	kind         = "imatrix"
	keyDatasets  = "imatrix.datasets"
	keyChunks    = "imatrix.chunk_count"
	keyChunkSize = "imatrix.chunk_size"
	keyOrigin    = "mpt.ext.imatrix.origin" // ours
	sumSuffix    = ".in_sum2"
	countSuffix  = ".counts"
	prodSuffix   = ".in_prod" // ours: others pass over what they do not know
)

func parseGGUF(name string, b []byte) (*Matrix, error) {
	f, err := gguf.Parse(name, b)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := gguf.GetOr(f, "general.type", "model")
	if err == nil && t != kind {
		err = fmt.Errorf("a GGUF file of type %q, not %q: %w", t, kind, ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	m := New(defaultChunk)
	for _, x := range []struct {
		key string
		to  *int
	}{{keyChunks, &m.Chunks}, {keyChunkSize, &m.ChunkSize}} {
		if *x.to, err = gguf.GetOr(f, x.key, *x.to); err != nil {
			return nil, err
		}
	}
	if m.Chunks < 0 || m.ChunkSize < 1 {
		return nil, fmt.Errorf("imatrix: %d chunks of %d tokens: %w", m.Chunks, m.ChunkSize, ErrFormat)
	}
	if m.Datasets, err = gguf.GetOr(f, keyDatasets, []string(nil)); err != nil {
		return nil, err
	}
	if m.Origin, err = gguf.GetOr(f, keyOrigin, ""); err != nil {
		return nil, err
	}
	return m, m.takeTensors(f)
}

// takeTensors makes entries of pairs of tensors. Others are left alone.
func (m *Matrix) takeTensors(f *gguf.File) error {
	for _, t := range f.Tensors() {
		name, ok := strings.CutSuffix(t.Name, sumSuffix)
		if !ok {
			if of, counts := strings.CutSuffix(t.Name, countSuffix); counts {
				if _, ok := f.Tensor(of + sumSuffix); !ok {
					return fmt.Errorf("imatrix: %s without %s%s: %w", t.Name, of, sumSuffix, ErrFormat)
				}
			}
			continue
		}
		counts, ok := f.Tensor(name + countSuffix)
		if !ok {
			return fmt.Errorf("imatrix: %s without %s%s: %w", t.Name, name, countSuffix, ErrFormat)
		}
		e, err := entryOf(t, counts)
		if err != nil {
			return fmt.Errorf("imatrix: %w", err)
		}
		if err := e.readProducts(f, name); err != nil {
			return fmt.Errorf("imatrix: %w", err)
		}
		if err := e.check(name); err != nil {
			return err
		}
		m.Entries[name] = e
	}
	if len(m.Entries) == 0 {
		return fmt.Errorf("imatrix: there are no sums in it: %w", ErrFormat)
	}
	return nil
}

// entryOf makes an entry of two tensors.
func entryOf(sums, counts *gguf.Tensor) (*Entry, error) {
	if sums.Rows() != 1 || counts.Rows() != 1 {
		return nil, fmt.Errorf("%s has sums for %d matrices: mixtures of experts are not supported", sums.Name, sums.Rows())
	}
	if sums.Type != gguf.F32 || counts.Type != gguf.F32 || counts.Shape[0] != 1 {
		return nil, fmt.Errorf("%s is of type %v, %s of type %v and size %v: want F32, and one count: %w",
			sums.Name, sums.Type, counts.Name, counts.Type, counts.Shape, ErrFormat)
	}
	x, n := make([]float32, sums.Shape[0]), make([]float32, 1)
	if err := quantize.DecodeRow(gguf.F32, x, sums.Data()); err != nil {
		return nil, err
	}
	if err := quantize.DecodeRow(gguf.F32, n, counts.Data()); err != nil {
		return nil, err
	}
	if !(n[0] >= 0 && n[0] < 1<<62) {
		return nil, fmt.Errorf("%s is %v: %w", counts.Name, n[0], ErrFormat)
	}
	e := &Entry{Sum2: make([]float64, len(x)), Rows: int64(n[0])}
	for i, v := range x {
		e.Sum2[i] = float64(v)
	}
	return e, nil
}

// readProducts reads the input correlations of a matrix if there are any.
func (e *Entry) readProducts(f *gguf.File, name string) error {
	t, ok := f.Tensor(name + prodSuffix)
	if !ok {
		return nil
	}
	if t.Type != gguf.F32 || t.Shape[0] > len(e.Sum2) || t.Rows() != len(e.Sum2) {
		return fmt.Errorf("%s is of type %v and size %v: want F32, for each of %d columns so many or fewer: %w",
			t.Name, t.Type, t.Shape, len(e.Sum2), ErrFormat)
	}
	if err := e.NeedProducts(t.Shape[0]); err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	return quantize.DecodeRow(gguf.F32, e.Products, t.Data())
}

func (m *Matrix) encodeGGUF() ([]byte, error) {
	meta := []gguf.KV{
		{Key: "general.type", Value: kind},
		{Key: keyDatasets, Value: append([]string{}, m.Datasets...)},
		{Key: keyChunks, Value: uint32(m.Chunks)},
		{Key: keyChunkSize, Value: uint32(m.ChunkSize)},
	}
	if m.Origin != "" {
		meta = append(meta, gguf.KV{Key: keyOrigin, Value: m.Origin})
	}
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, name := range m.Names() {
		e := m.Entries[name]
		infos = append(infos,
			gguf.TensorInfo{Name: name + sumSuffix, Type: gguf.F32, Shape: []int{len(e.Sum2), 1}},
			gguf.TensorInfo{Name: name + countSuffix, Type: gguf.F32, Shape: []int{1, 1}})
		data = append(data, floats(e.Sum2...), floats(float64(e.Rows)))
		if e.Products == nil {
			continue
		}
		b := make([]byte, 4*len(e.Products))
		if err := quantize.EncodeRows(gguf.F32, b, e.Products, e.Run, nil); err != nil {
			return nil, fmt.Errorf("imatrix: %s: %w", name, err)
		}
		infos = append(infos, gguf.TensorInfo{Name: name + prodSuffix, Type: gguf.F32, Shape: []int{e.Run, len(e.Sum2)}})
		data = append(data, b)
	}
	return gguf.Encode(meta, infos, data)
}

// floats returns values as float32 in the byte order of files.
func floats(v ...float64) (b []byte) {
	for _, x := range v {
		b, _ = binary.Append(b, binary.LittleEndian, float32(x))
	}
	return b
}
