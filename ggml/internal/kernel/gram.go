package kernel

// GramRows and GramColumns are the size of the tile that [Tier.AddGram] adds to.
const (
	GramRows    = 6
	GramColumns = 16
)

// gramTile adds to six rows of sixteen columns of c the product of a, [6][k], and b,
// [k][16]. Strides are in elements; a has no gaps.
type gramTile func(c []float32, ldc int, a, b []float32, ldb, k int)

// AddGram adds to a tile c, rows of [GramColumns] values ldc apart, the products of
// [GramRows] columns of a matrix with other columns of it, over k rows:
//
//	c[i*ldc+j] = fma(a[i*k+t], b[t*ldb+j], c[i*ldc+j])   t = 0, 1, ... k-1
//
// So the result does not depend on how rows are spread over calls.
func (t *Tier) AddGram(c []float32, ldc int, a, b []float32, ldb, k int) {
	if k == 0 {
		return
	}
	same("AddGram", len(c), (GramRows-1)*ldc+GramColumns)
	same("AddGram", len(a), GramRows*k)
	same("AddGram", len(b), (k-1)*ldb+GramColumns)
	t.vec.gram(c, ldc, a, b, ldb, k)
}

func gramGeneric(c []float32, ldc int, a, b []float32, ldb, k int) {
	for i := range GramRows {
		row := c[i*ldc:][:GramColumns]
		for t, v := range a[i*k : (i+1)*k] {
			for j, w := range b[t*ldb:][:GramColumns] {
				row[j] = FMA(v, w, row[j])
			}
		}
	}
}
