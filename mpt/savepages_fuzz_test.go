package mpt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"mptgo/ggml"
	"mptgo/internal/check"
)

// FuzzRestorePages appends pages with any content; a right checksum is put behind it here.
func FuzzRestorePages(f *testing.F) {
	m := mini().open(f)
	ids := make([]int32, 2*ggml.PageSize)
	s := m.session(f, ContextSize(100))
	if err := s.Eval(context.Background(), ids); err != nil {
		f.Fatal(err)
	}
	for _, from := range []int{0, ggml.PageSize} {
		var b bytes.Buffer
		if err := s.SavePages(&b, from, from+ggml.PageSize); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(pagesMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		for _, file := range [][]byte{b, binary.LittleEndian.AppendUint32(bytes.Clone(b), sum)} {
			for _, n := range []int{0, ggml.PageSize} {
				check.Bounded(t, len(file), func() { tryRestorePages(t, m, ids[:n], file) })
			}
		}
	})
}

// tryRestorePages appends pages behind ids and, if that goes well, continues.
func tryRestorePages(t *testing.T, m *Model, ids []int32, file []byte) {
	s, err := m.NewSession(ContextSize(100))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.EvalWith(context.Background(), ids, EvalOptions{Logits: NoLogits}); len(ids) > 0 && err != nil {
		t.Fatal(err)
	}
	want := make([]int32, ggml.PageSize)
	err = s.RestorePages(bytes.NewReader(file), want)
	if err != nil && (!errors.Is(err, ErrSession) || s.Len() != len(ids)) {
		t.Fatalf("%v, and %d tokens", err, s.Len())
	}
	if err == nil && s.Len() != len(ids)+len(want) {
		t.Fatalf("%d tokens behind %d are %d", len(want), len(ids), s.Len())
	}
	if err := s.Eval(context.Background(), []int32{5}); err != nil {
		t.Fatal(err)
	}
}
