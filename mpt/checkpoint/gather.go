package checkpoint

// gatherBuffer bounds the bytes that a gather reads at once.
const gatherBuffer = 64 << 10

// A gather reads rows whose elements do not lie in row-major order, such as those
// of a transposed matrix. It walks along the dimension in which neighbours are
// closest in the file, so that a read fetches many of them, and scatters what it
// finds.
type gather struct {
	t      *Tensor
	shape  []int   // of the rows that are read
	offset int64   // of their first element, in bytes
	step   []int64 // from one index to the next in the file, in bytes
	place  []int   // the same in the destination
	fast   int     // the dimension to walk along
	buf    []byte
}

func newGather(t *Tensor, r0, r1 int) *gather {
	g := &gather{t: t, shape: append([]int(nil), t.Shape...)}
	g.shape[0] = r1 - r0
	g.step = make([]int64, len(g.shape))
	g.place = make([]int, len(g.shape))
	size := t.dtype.size
	for i := len(g.shape) - 1; i >= 0; i-- {
		g.place[i] = size
		size *= g.shape[i]
		g.step[i] = int64(t.strides[i]) * int64(t.dtype.size)
	}
	g.offset = t.offset + int64(r0)*g.step[0]
	g.fast = g.closest()
	return g
}

// closest returns the dimension with the smallest step among those longer than
// one.
func (g *gather) closest() int {
	best := 0
	for i, n := range g.shape {
		if n > 1 && (g.shape[best] == 1 || g.step[i] < g.step[best]) {
			best = i
		}
	}
	return best
}

// read fills dst: one run for every index in the dimensions other than fast.
func (g *gather) read(dst []byte) error {
	g.buf = make([]byte, min(gatherBuffer, g.span(g.shape[g.fast])))
	index := make([]int, len(g.shape))
	for {
		from, to := g.offset, 0
		for i, n := range index {
			from += int64(n) * g.step[i]
			to += n * g.place[i]
		}
		if err := g.run(dst[to:], from); err != nil {
			return err
		}
		if !g.next(index) {
			return nil
		}
	}
}

// next advances index like an odometer, leaving the fast dimension at 0.
func (g *gather) next(index []int) bool {
	for i := len(index) - 1; i >= 0; i-- {
		if i == g.fast {
			continue
		}
		index[i]++
		if index[i] < g.shape[i] {
			return true
		}
		index[i] = 0
	}
	return false
}

// run copies one line along the fast dimension, in pieces that fit the buffer.
func (g *gather) run(dst []byte, from int64) error {
	n, size := g.shape[g.fast], g.t.dtype.size
	step, place := g.step[g.fast], g.place[g.fast]
	piece := n
	if step > 0 {
		piece = 1 + int((int64(len(g.buf))-int64(size))/step)
	}
	for i := 0; i < n; i += piece {
		k := min(piece, n-i)
		b := g.buf[:g.span(k)]
		if err := g.t.in.readFull(b, from+int64(i)*step); err != nil {
			return err
		}
		for j := range k {
			copy(dst[(i+j)*place:][:size], b[int64(j)*step:])
		}
	}
	return nil
}

// span returns the bytes from the start of the first to the end of the last of n
// neighbours, capped at the buffer: a step may be larger than that.
func (g *gather) span(n int) int {
	s := int64(n-1)*g.step[g.fast] + int64(g.t.dtype.size)
	return int(min(s, gatherBuffer))
}
