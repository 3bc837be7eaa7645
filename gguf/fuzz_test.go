package gguf

import (
	"bytes"
	"errors"
	"testing"

	"mptgo/internal/check"
)

// FuzzParse checks that no input panics or allocates out of proportion, and that
// what parses survives being written again.
func FuzzParse(f *testing.F) {
	values, err := Encode(allValues, nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		[]byte(tiny),
		values,
		head(2, 0, 0),
		head(3, 1, 1).key(KeyAlignment, typeUint32).u32(64).tensor("w", Q8_0, 64, 32, 2).data(64, 132),
		head(3, 2, 0).tensor("w", F32, 32, 1).tensor("v", F32, 0, 8).data(32, 36),
		head(3, 1, 0).tensor("w", F32, huge-31, 8).data(32, 64),
		head(3, 0, 1).array("a", typeFloat64, 1<<61).u64(1),
		head(3, 0, 2).key(KeySplitCount, typeUint16).u8(3, 0).key(KeySplitNo, typeUint16).u8(1, 0),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var first *File
		var err error
		check.Bounded(t, len(b), func() { first, err = Parse("fuzz", b) })
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v does not wrap ErrFormat", err)
			}
			return
		}
		again := encodeFile(t, first)
		second := mustParse(t, again)
		if !bytes.Equal(encodeFile(t, second), again) {
			t.Fatal("a file changes when it is written twice")
		}
		same(t, first, second)
	})
}

func encodeFile(t *testing.T, f *File) []byte {
	t.Helper()
	var infos []TensorInfo
	var data [][]byte
	for _, w := range f.Tensors() {
		infos = append(infos, w.Info())
		data = append(data, w.Data())
	}
	b, err := Encode(f.ModelMeta(), infos, data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// same compares the model in two files; a NaN equals itself.
func same(t *testing.T, a, b *File) {
	t.Helper()
	if len(a.ModelMeta()) != len(b.Meta()) || len(a.Tensors()) != len(b.Tensors()) {
		t.Fatalf("%d keys and %d tensors became %d and %d",
			len(a.ModelMeta()), len(a.Tensors()), len(b.Meta()), len(b.Tensors()))
	}
	for i, kv := range a.ModelMeta() {
		got := b.Meta()[i]
		x, _ := appendValue(nil, kv.Value)
		y, _ := appendValue(nil, got.Value)
		if kv.Key != got.Key || !bytes.Equal(x, y) {
			t.Fatalf("%v became %v", kv, got)
		}
	}
	for i, w := range a.Tensors() {
		got := b.Tensors()[i]
		if w.Name != got.Name || w.Type != got.Type || w.Rows() != got.Rows() || !bytes.Equal(w.Data(), got.Data()) {
			t.Fatalf("tensor %q became %q", w.Name, got.Name)
		}
	}
}
