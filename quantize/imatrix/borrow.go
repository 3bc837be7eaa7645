package imatrix

import "math"

// BorrowProducts gives the entries without input correlations those of another text, from,
// scaled so that the mean squares stay those of m. Entries that from has not, or not for as
// many columns, stay as they are.
func (m *Matrix) BorrowProducts(from *Matrix) {
	for name, e := range m.Entries {
		o := from.Entries[name]
		if e.Products == nil && e.Rows > 0 && o != nil && o.Products != nil && len(o.Sum2) == len(e.Sum2) {
			e.borrow(o)
		}
	}
}

func (e *Entry) borrow(o *Entry) {
	n := len(e.Sum2)
	sum2, scale := make([]float64, n), make([]float64, n) // for as many inputs as o has
	for j := range n {
		sum2[j] = e.Sum2[j] / float64(e.Rows) * float64(o.Rows)
		if o.Sum2[j] > 0 {
			scale[j] = math.Sqrt(sum2[j] / o.Sum2[j])
		}
	}
	products := make([]float32, len(o.Products))
	for j := range n {
		at := j / o.Run * o.Run
		for k := j; k < min(at+o.Run, n); k++ {
			i := j*o.Run + k - at
			products[i] = float32(float64(scale[j]*scale[k]) * float64(o.Products[i]))
		}
		products[j*o.Run+j-at] = float32(sum2[j])
	}
	e.Sum2, e.Rows, e.Products, e.Run = sum2, o.Rows, products, o.Run
}
