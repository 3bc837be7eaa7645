package mpt_test

import (
	"context"
	"testing"

	"mptgo/mpt/builtin"
)

// What a profile counts is what Work says.
func TestProfileCountsTheWork(t *testing.T) {
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m.Profile(true)
	const n = 7
	if err := s.Eval(context.Background(), []int32{1, 2, 3, 4, 5, 6, 7}); err != nil {
		t.Fatal(err)
	}
	var bytes, macs int64
	for _, c := range m.Costs() {
		bytes += c.Bytes
		macs += c.MACs
	}
	w, c := m.Work(), m.Config()
	if want := w.Bytes + w.OutputBytes + n*w.PositionBytes; bytes != want {
		t.Errorf("%d bytes read, want %d", bytes, want)
	}
	attention := int64(2 * c.Layers * c.Embedding * n * (n + 1) / 2)
	if want := n*w.MACs + w.OutputMACs + attention; macs != want {
		t.Errorf("%d multiplications, want %d", macs, want)
	}
	m.Profile(false)
	if costs := m.Costs(); costs != nil {
		t.Errorf("costs %v after the profile", costs)
	}
}
