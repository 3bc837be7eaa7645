package quantize

import "mptgo/quantize/internal/vec"

// A quad encodes the same block of up to four rows with a [Feedback]. What the rows need of its
// matrices is multiplied with all four at a time; none has to do with the others.
type quad struct {
	f    *Feedback
	grid *grid
	at   int // the block's first column
	n    int // its values
	rows int // how many there are
	row  [4]descent

	z, v, g [4 * 256]float32 // of the descents, [4][n]
	a       [4 * 256]float32 // what is multiplied, [n][4]
	sum     [4 * 256]float32 // what comes out, [4][n]
}

func newQuad(f *Feedback, g *grid) *quad {
	q := &quad{f: f, grid: g, n: f.block}
	for r := range q.row {
		of := func(x *[4 * 256]float32) []float32 { return x[r*q.n : (r+1)*q.n] }
		q.row[r] = descent{f: f, grid: g, z: of(&q.z), v: of(&q.v), g: of(&q.g)}
	}
	return q
}

// values returns the values that row r of the block has.
func (q *quad) values(r int) []float32 { return q.row[r].v }

// together is how many columns are gone over one by one before those after them learn of it.
const together = 16

// sweep goes over the columns of the block. Take is told of each what is owed there, by row, and
// returns what column j of R is multiplied with to be owed by the columns after it. Rows of owed
// are ld apart.
func (q *quad) sweep(owed []float32, ld int, take func(r, j int, owed float32) float32) {
	for from := 0; from < q.n; from += together {
		to := from + together
		a := q.a[:4*together]
		clear(a)
		for r := range q.rows {
			own := owed[r*ld:][:to]
			for j := from; j < to; j++ {
				e := take(r, j, own[j])
				a[4*(j-from)+r] = e
				for k, v := range q.f.row(q.at, j)[j+1 : to] {
					own[j+1+k] += float32(e * v)
				}
			}
		}
		if to < q.n {
			vec.AddProducts(owed[to:], ld, q.n-to, a, q.f.own[(q.at+from)*q.n+to:], q.n)
		}
	}
}

// settle sets z to the block's compensated targets: the values that make its components 0. X is
// what the first row is, the others follow ldx apart. It uses up owed.
func (q *quad) settle(x []float32, ldx int, owed []float32) {
	q.sweep(owed, q.f.ld, func(r, j int, owed float32) float32 {
		e := float32(owed * q.f.inverse[q.at+j])
		q.row[r].z[j] = x[r*ldx+j] + e
		return -e
	})
}

// encode encodes the block, whose values had best be z. B is where the block of the first row
// goes, those of the others follow ld bytes apart.
func (q *quad) encode(format *Format, b []byte, ld int) {
	_, size := format.Type.Block()
	for r := range q.rows {
		q.row[r].at = q.at
		q.row[r].start(format, b[r*ld:][:size])
	}
	if q.grid == nil {
		return
	}
	for r := range q.rows {
		q.row[r].open(b[r*ld:][:size])
	}
	q.round()
	q.differentiate()
	q.descend()
	for range refits {
		q.refit()
		q.descend()
	}
	for r := range q.rows {
		q.grid.close(b[r*ld:][:size], &q.row[r].k)
	}
}

// refits is how often scales are chosen again for the codes.
const refits = 2

// round sets the codes, each to what is best after those before it.
func (q *quad) round() {
	clear(q.sum[:4*q.n])
	q.sweep(q.sum[:], q.n, func(r, j int, owed float32) float32 { return q.row[r].round(j, owed) })
}

// differentiate sets g.
func (q *quad) differentiate() {
	clear(q.a[:4*q.n])
	for r := range q.rows {
		d := &q.row[r]
		for i, z := range d.z {
			q.a[4*i+r] = z - d.v[i]
		}
	}
	clear(q.g[:4*q.n])
	vec.AddProducts(q.g[:], q.n, q.n, q.a[:4*q.n], q.f.cost[q.at*q.n:], q.n)
}

func (q *quad) descend() {
	for r := range q.rows {
		q.row[r].descend()
	}
}

// refit sets the scales to the best ones for the codes: those of the groups, one after
// the other, then what they are multiples of.
func (q *quad) refit() {
	if q.grid.maxScale > q.grid.minScale {
		for j := range q.n / q.grid.group {
			q.refitGroup(j)
		}
	}
	if q.grid.maxOffset > 0 {
		q.refitBlock(2)
	} else {
		q.refitBlock(1)
	}
}

// refitGroup chooses the integers of group j again.
func (q *quad) refitGroup(j int) {
	n, from := q.grid.group, j*q.grid.group
	a, sum := q.a[:4*n], q.sum[:4*n]
	clear(a)
	for r := range q.rows {
		for i, c := range q.row[r].k.codes[from : from+n] {
			a[4*i+r] = q.grid.levels[c]
		}
	}
	clear(sum)
	cost := q.f.cost[(q.at+from)*q.n:]
	vec.AddProducts(sum, n, n, a, cost[from:], q.n)
	changed := false
	clear(a)
	for r := range q.rows {
		if d := &q.row[r]; d.refitGroup(j, sum[r*n:(r+1)*n]) {
			changed = true
			d.recompute(j, a[r:])
		}
	}
	if changed {
		vec.AddProducts(q.g[:], q.n, q.n, a, cost, q.n)
	}
}

// refitBlock chooses d, and with two kinds of sums dmin, again.
func (q *quad) refitBlock(kinds int) {
	for from := 0; from < q.rows; from += 4 / kinds {
		clear(q.a[:4*q.n])
		to := min(from+4/kinds, q.rows)
		for r := from; r < to; r++ {
			q.row[r].grows(q.a[kinds*(r-from):], kinds)
		}
		clear(q.sum[:4*q.n])
		vec.AddProducts(q.sum[:], q.n, q.n, q.a[:4*q.n], q.f.cost[q.at*q.n:], q.n)
		for r := from; r < to; r++ {
			k := kinds * (r - from)
			q.row[r].refitBlock(q.a[k:], q.sum[k*q.n:(k+kinds)*q.n])
		}
	}
}
