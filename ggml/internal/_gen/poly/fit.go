package main

import (
	"math"
	"math/big"
)

// A fit asks for the polynomial p of one degree that makes the largest
// weight(x)·|p(x) − f(x)| over [lo, hi] smallest. The coefficients of the
// lowest powers may be fixed.
type fit struct {
	f      func(x *big.Float) *big.Float
	weight func(x float64) float64
	lo, hi float64
	degree int
	fixed  []float32
}

// sample is one point of the interval.
type sample struct {
	x, y   *big.Float
	weight float64
}

const (
	points = 400 // samples of an interval
	rounds = 80  // of reweighting
)

// solve returns float32 coefficients, lowest power first, and the largest
// weighted error of the polynomial that they make. It rounds the coefficient of
// the lowest free power, fixes it, and fits the others again, so that they make
// up for most of the rounding.
func (f fit) solve() ([]float32, float64) {
	all := f.samples()
	c := f.fixed
	for len(c) <= f.degree {
		free := lawson(all, c, f.degree+1-len(c))
		next, _ := free[0].Float32()
		c = append(c[:len(c):len(c)], next)
	}
	worst := 0.0
	for i := range all {
		worst = max(worst, all[i].error(widen(c)))
	}
	return c, worst
}

// samples returns Chebyshev points: the error of a polynomial oscillates
// fastest at the ends.
func (f fit) samples() []sample {
	all := make([]sample, points)
	for i := range all {
		x := (f.lo+f.hi)/2 - (f.hi-f.lo)/2*math.Cos(math.Pi*(float64(i)+0.5)/points)
		all[i] = sample{number(x), f.f(number(x)), f.weight(x)}
	}
	return all
}

// error returns weight·|p(x) − y|.
func (s *sample) error(p []*big.Float) float64 {
	e, _ := difference(horner(p, s.x), s.y).Float64()
	return s.weight * math.Abs(e)
}

// lawson returns the n coefficients that follow the fixed ones in the weighted
// minimax polynomial. It repeats a least-squares fit, each time multiplying the
// share of a point by the error there: points of small error lose their say,
// and the error levels out [Lawson, 1961].
func lawson(all []sample, fixed []float32, n int) []*big.Float {
	share := make([]float64, len(all))
	for i := range share {
		share[i] = 1 / float64(len(all))
	}
	var best []*big.Float
	least := math.Inf(1)
	for range rounds {
		free := leastSquares(all, fixed, n, share)
		p := append(widen(fixed), free...)
		worst, sum := 0.0, 0.0
		for i := range all {
			e := all[i].error(p)
			worst = max(worst, e)
			share[i] *= e
			sum += share[i]
		}
		for i := range share {
			share[i] /= sum
		}
		if worst < least {
			best, least = free, worst
		}
	}
	return best
}

// leastSquares minimises Σ share·(weight·(p(x) − y))² over the n free
// coefficients, by the normal equations; the precision makes up for their
// condition.
func leastSquares(all []sample, fixed []float32, n int, share []float64) []*big.Float {
	m := make([][]*big.Float, n)
	for i := range m {
		m[i] = make([]*big.Float, n+1)
		for j := range m[i] {
			m[i][j] = number(0)
		}
	}
	for i := range all {
		s := &all[i]
		power := number(1)
		for range fixed {
			power = product(power, s.x)
		}
		row := make([]*big.Float, n+1)
		for k := range n {
			row[k] = power
			power = product(power, s.x)
		}
		row[n] = difference(s.y, horner(widen(fixed), s.x))
		weight := number(share[i] * s.weight * s.weight)
		for r := range n {
			scaled := product(weight, row[r])
			for k := range row {
				m[r][k].Add(m[r][k], product(scaled, row[k]))
			}
		}
	}
	return gauss(m)
}

// gauss solves the positive definite system whose rows end in the right side.
func gauss(m [][]*big.Float) []*big.Float {
	n := len(m)
	for col := range n {
		for r := range n {
			if r == col {
				continue
			}
			factor := quotient(m[r][col], m[col][col])
			for k := col; k <= n; k++ {
				m[r][k] = difference(m[r][k], product(factor, m[col][k]))
			}
		}
	}
	x := make([]*big.Float, n)
	for i := range m {
		x[i] = quotient(m[i][n], m[i][i])
	}
	return x
}
