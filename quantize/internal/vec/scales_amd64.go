//go:build !purego

package vec

func correlateFast(sx, s2 *[Tries]float32, x, w []float32, inv *[Tries]float32, lo, hi int32) bool {
	if avx2 {
		correlatex24(sx, s2, &x[0], &w[0], len(x), inv, lo, hi)
	}
	return avx2
}

func groupSumsFast(sl, sl2, slx *PerGroup, x, w []float32, inv, lo *PerGroup, top int32) bool {
	if avx2 {
		groupSumsx8(sl, sl2, slx, &x[0], &w[0], len(x)/Groups, inv, lo, top)
	}
	return avx2
}

func groupErrorsFast(e *PerGroup, x, w []float32, inv, lo *PerGroup, top int32, scale, least *PerGroup, absolute bool) bool {
	if avx2 {
		groupErrorsx8(e, &x[0], &w[0], len(x)/Groups, inv, lo, top, scale, least, absolute)
	}
	return avx2
}

func correlateTableFast(a, b *[TableTries]float32, x, w []float32, inv *[TableTries]float32, table *Halves) bool {
	if avx2 {
		correlateTablex16(a, b, &x[0], &w[0], len(x), inv, table)
	}
	return avx2
}

//go:noescape
func correlateTablex16(a, b *[TableTries]float32, x, w *float32, n int, inv *[TableTries]float32, table *Halves)

//go:noescape
func correlatex24(sx, s2 *[Tries]float32, x, w *float32, n int, inv *[Tries]float32, lo, hi int32)

//go:noescape
func groupSumsx8(sl, sl2, slx *PerGroup, x, w *float32, n int, inv, lo *PerGroup, top int32)

//go:noescape
func groupErrorsx8(e *PerGroup, x, w *float32, n int, inv, lo *PerGroup, top int32, scale, least *PerGroup, absolute bool)
