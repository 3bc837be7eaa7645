package train

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"mptgo/ggml"
	"mptgo/ggml/internal/probe"
	"mptgo/gguf"
)

// engines returns one with a worker and one with sixteen, which cut their tasks much finer.
func engines(t *testing.T) (one, many *Engine) {
	t.Helper()
	was := runtime.GOMAXPROCS(16)
	defer runtime.GOMAXPROCS(was)
	var made [2]*Engine
	for i, workers := range []int{1, 16} {
		pool := ggml.NewPool(workers)
		t.Cleanup(pool.Close)
		e, err := New(pool, "", false)
		if err != nil {
			t.Fatal(err)
		}
		if e.Workers() != workers {
			t.Fatalf("%d workers, want %d", e.Workers(), workers)
		}
		made[i] = e
	}
	return made[0], made[1]
}

func randomRows(r *rand.Rand, n, cols int) Rows {
	x := Rows{n, cols, make([]float32, n*cols)}
	probe.Fillers[0].Fill(r, x.X)
	return x
}

// cloned returns a copy of x.
func cloned(x Rows) Rows { return Rows{x.N, x.Cols, append([]float32(nil), x.X...)} }

// TestMatMulBackTasks: tasks of any cut make the same bits.
func TestMatMulBackTasks(t *testing.T) {
	one, many := engines(t)
	r := rand.New(rand.NewPCG(1, 2))
	const rows, cols = 300, 512
	for _, typ := range []gguf.Type{gguf.F32, gguf.Q4_0, gguf.Q4_K} {
		size, err := typ.RowBytes(cols)
		if err != nil {
			t.Fatal(err)
		}
		w := &ggml.Matrix{Type: typ, Rows: rows, Cols: cols, Data: make([]byte, rows*size)}
		for i := range w.Data {
			w.Data[i] = byte(r.IntN(60)) // no scale is infinite
		}
		for _, n := range []int{1, 127, 300, 700} {
			dy, dx := randomRows(r, n, rows), randomRows(r, n, cols)
			want, got := cloned(dx), cloned(dx)
			one.MatMulBack(want, dy, w)
			many.MatMulBack(got, dy, w)
			if !probe.SameFloats(got.X, want.X) || probe.SameFloats(got.X, dx.X) {
				t.Errorf("%v, %d rows of gradients: other results", typ, n)
			}
		}
	}
}

// TestBackTask: every worker gets some tasks as long as there is enough to do, and none gets tiny ones.
func TestBackTask(t *testing.T) {
	for _, c := range []struct {
		typ                gguf.Type
		cols, n, workers   int
		wantCols, wantRows int
	}{
		{gguf.Q4_0, 2048, 512, 2, 256, 512},
		{gguf.Q4_0, 2048, 512, 16, 64, 256},
		{gguf.Q4_K, 2048, 512, 2, 256, 512},
		{gguf.Q4_K, 2048, 2048, 16, 256, 256},
		{gguf.Q4_K, 2048, 100, 16, 64, 100},
		{gguf.Q4_0, 4096, 2048, 16, 256, 512},
		{gguf.F32, 48, 7, 16, 64, 7},
		{gguf.F32, 64, 0, 1, 64, 1},
	} {
		w := &ggml.Matrix{Type: c.typ, Cols: c.cols}
		if cols, rows := backTask(w, c.n, c.workers); cols != c.wantCols || rows != c.wantRows {
			t.Errorf("%v, %d columns, %d rows, %d workers: tasks of %d x %d, want %d x %d",
				c.typ, c.cols, c.n, c.workers, cols, rows, c.wantCols, c.wantRows)
		}
	}
}

// TestLowRankTasks: so do those of a change.
// TestLowRankSizes: sizes that no change has are errors, and take no memory.
func TestLowRankSizes(t *testing.T) {
	const most = math.MaxInt
	for _, c := range [][3]int{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {-1, 1, 1}, {most, 1, 1}, {1, most, 1}, {1, 1, most}, {1 << 20, most >> 20, 1}} {
		if l, err := NewLowRank(c[0], c[1], c[2], 1); err == nil || l != nil {
			t.Errorf("%v: %v, %v", c, l, err)
		}
	}
}

func TestLowRankTasks(t *testing.T) {
	one, many := engines(t)
	r := rand.New(rand.NewPCG(3, 4))
	examples := []Example{{0, 290}, {290, 3}}
	var gradients [2][]float32
	x, dy := randomRows(r, 293, 80), randomRows(r, 293, 70)
	dx, y := randomRows(r, 293, 80), randomRows(r, 293, 70)
	for i, e := range []*Engine{one, many} {
		l, err := NewLowRank(7, 80, 70, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		l.Queries, l.Factor = 37, 4
		for j := range l.A {
			l.A[j] = float32(j%9) - 4
		}
		for j := range l.B {
			l.B[j] = float32(j%5) - 2
		}
		e.Pack([]*LowRank{l})
		z, d := Rows{293, l.Width(), make([]float32, 293*l.Width())}, Rows{293, l.Width(), make([]float32, 293*l.Width())}
		toY, toX := cloned(y), cloned(dx)
		e.Forward(toY, z, x, l)
		e.Backward(&toX, d, dy, z, x, l, examples)
		for _, part := range [][]float32{toY.X, toX.X, l.GA, l.GB} {
			gradients[i] = append(gradients[i], part...)
		}
	}
	if !probe.SameFloats(gradients[0], gradients[1]) {
		t.Error("other results")
	}
}
