//go:build !amd64 || purego

package vec

var avx2, avx512, f16c bool // there are only the definitions

func addScaledFast(y []float32, a float32, x []float32) int { return 0 }

func addProductsFast(y []float32, ldy, n int, a, x []float32, ldx int) int { return 0 }

func dotFast(sum *[lanes]float64, x, y []float64) int { return 0 }

func dotWideFast(sum *[lanes]float64, x, y []float32) int { return 0 }

func correlateFast(sx, s2 *[Tries]float32, x, w []float32, inv *[Tries]float32, lo, hi int32) bool {
	return false
}

func groupSumsFast(sl, sl2, slx *PerGroup, x, w []float32, inv, lo *PerGroup, top int32) bool {
	return false
}

func groupErrorsFast(e *PerGroup, x, w []float32, inv, lo *PerGroup, top int32, scale, least *PerGroup, absolute bool) bool {
	return false
}

func codesFast(codes []uint8, x []float32, c *Code) int { return 0 }

func decodeF16Fast(dst []float32, src []byte) int { return 0 }

func truncatedFast(codes []uint8, x []float32, lo, scale, half float32, most int32) int { return 0 }

func roundedFast(codes []uint8, x []float32, scale float32) int { return 0 }

func extremeFast(x []float32) (float32, bool) { return 0, false }

func spanFast(x []float32) (lo, hi float32, ok bool) { return 0, 0, false }

func correlateTableFast(a, b *[TableTries]float32, x, w []float32, inv *[TableTries]float32, table *Halves) bool {
	return false
}

func placesFast(l *Lattice, at *LatticePlaces, v []float32, inv *LatticeScales, n int) bool {
	return false
}

func nearestFast(l *Lattice, p, at *LatticePlaces, v, root []float32, scales *LatticeScales, n int) bool {
	return false
}

func latticeCorrelateFast(l *Lattice, a, b *LatticeScales, v, w []float32, p *LatticePlaces, n int) bool {
	return false
}
