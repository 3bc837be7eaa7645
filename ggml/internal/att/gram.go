package att

import (
	"fmt"

	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/vec"
)

// GramRows and GramColumns are the size of the tile that [Kernels.AddGram] adds to.
const (
	GramRows    = 6
	GramColumns = 16
)

// gramTile adds to six rows of columns, a multiple of sixteen, of c the product of a, [6][k], and b,
// [k][columns]. Strides are in elements; a has no gaps.
type gramTile func(c []float32, ldc int, a, b []float32, ldb, k, columns int)

// AddGram adds to a tile c, rows of some columns, a multiple of [GramColumns], ldc apart, the products of
// [GramRows] columns of a matrix with other columns of it, over n rows:
//
//	c[i*ldc+j] = fma(a[i*n+t], b[t*ldb+j], c[i*ldc+j])   t = 0, 1, ... n-1
//
// So the result does not depend on how rows and columns are spread over calls.
func (k *Kernels) AddGram(c []float32, ldc int, a, b []float32, ldb, n, columns int) {
	if n == 0 || columns == 0 {
		return
	}
	if columns%GramColumns != 0 || columns < 0 {
		panic(fmt.Sprintf("att: AddGram: %d columns are no multiple of %d", columns, GramColumns))
	}
	vec.SameLength("AddGram", len(c), (GramRows-1)*ldc+columns)
	vec.SameLength("AddGram", len(a), GramRows*n)
	vec.SameLength("AddGram", len(b), (n-1)*ldb+columns)
	k.gram(c, ldc, a, b, ldb, n, columns)
}

func gramGeneric(c []float32, ldc int, a, b []float32, ldb, k, columns int) {
	for i := range GramRows {
		row := c[i*ldc:][:columns]
		for t, v := range a[i*k : (i+1)*k] {
			for j, w := range b[t*ldb:][:columns] {
				row[j] = scalar.FMA(v, w, row[j])
			}
		}
	}
}
