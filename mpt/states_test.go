package mpt

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/forge"
)

// identity is the miniature model with an output matrix that has the states as its first logits.
func identity(t *testing.T, opts ...Option) *Model {
	t.Helper()
	b := make([]byte, 4*32*257)
	for i := range 32 {
		binary.LittleEndian.PutUint32(b[4*(32*i+i):], math.Float32bits(1))
	}
	x := forge.NewMini()
	x.Add(gguf.TensorInfo{Name: "output.weight", Type: gguf.F32, Shape: []int{32, 257}}, b)
	f, err := gguf.Parse("identity", x.File(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(f, append([]Option{Threads(2), IgnoreMemory()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// rowsOf evaluates tokens and returns what is visited.
func rowsOf(t *testing.T, s *Session, ids []int32, opt EvalOptions) (rows [][]float32) {
	t.Helper()
	opt.Visit = func(i int, row []float32) error {
		if want := opt.First + len(rows); i != want {
			t.Errorf("row %d comes as number %d", i, want)
		}
		rows = append(rows, slices.Clone(row))
		return nil
	}
	if err := s.EvalWith(context.Background(), ids, opt); err != nil {
		t.Fatal(err)
	}
	return rows
}

// States are what the output matrix is multiplied with.
func TestStatesAreWhatLogitsComeFrom(t *testing.T) {
	m := identity(t, BatchSize(100))
	ids := make([]int32, 150)
	for i := range ids {
		ids[i] = int32(i * 7 % 256)
	}
	logits := rowsOf(t, newSessionOf(t, m, 200), ids, EvalOptions{})
	s := newSessionOf(t, m, 200)
	if err := s.Eval(context.Background(), ids[:5]); err != nil || s.Logits() == nil || s.Reset() != nil {
		t.Fatal("no logits", err)
	}
	states := rowsOf(t, s, ids, EvalOptions{Logits: AllStates})
	for i := range ids {
		if len(states[i]) != 32 || !slices.Equal(states[i], logits[i][:32]) {
			t.Fatalf("the state of token %d is %v, want %v", i, states[i][:4], logits[i][:4])
		}
	}
	if s.Logits() != nil {
		t.Error("there are logits after states")
	}
	if last := rowsOf(t, newSessionOf(t, m, 200), ids, EvalOptions{Logits: AllStates, First: 149}); len(last) != 1 || !slices.Equal(last[0], states[149]) {
		t.Errorf("%d states from the last token on", len(last))
	}
}

// States do not depend on what else is in a batch, nor does anything else depend on them.
func TestStatesWithOthers(t *testing.T) {
	m := identity(t, BatchSize(256))
	ids := make([]int32, 90)
	for i := range ids {
		ids[i] = int32(i * 11 % 256)
	}
	want := rowsOf(t, newSessionOf(t, m, 100), ids, EvalOptions{Logits: AllStates})
	scores := rowsOf(t, newSessionOf(t, m, 100), ids, EvalOptions{})
	var got, logits [][]float32
	keep := func(to *[][]float32) func(int, []float32) error {
		return func(_ int, row []float32) error { *to = append(*to, slices.Clone(row)); return nil }
	}
	a, b, c := newSessionOf(t, m, 100), newSessionOf(t, m, 100), newSessionOf(t, m, 100)
	steps := []Step{
		{Session: a, IDs: ids[:1]}, {Session: b, IDs: ids, Logits: AllStates, Visit: keep(&got)},
		{Session: c, IDs: ids, Logits: AllLogits, Visit: keep(&logits)},
	}
	if err := m.Run(context.Background(), steps); err != nil {
		t.Fatal(err)
	}
	equal := func(a, b [][]float32) bool { return slices.EqualFunc(a, b, slices.Equal[[]float32]) }
	if !equal(got, want) || !equal(logits, scores) || !slices.Equal(a.Logits(), scores[0]) {
		t.Error("rows beside others are others")
	}
	if b.Logits() != nil || !slices.Equal(c.Logits(), scores[89]) {
		t.Error("the sessions have other logits")
	}
	more := rowsOf(t, newSessionOf(t, m, 100), ids[:1], EvalOptions{Logits: AllStates})
	if !equal(more, want[:1]) {
		t.Error("a token alone has another state")
	}
}
