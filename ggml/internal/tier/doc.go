// Package tier puts the kernels of all operations together: what the engine spends its time
// in. Packages vec, act, att and mat hold them by operation, for all CPUs; scalar what all of
// them have to equal; cpu the levels of features that they are written for.
//
// Every operation is defined by a scalar Go function, which fixes the order of
// its float operations. That function is the definition, the fallback on a CPU
// without assembly, and the oracle of the tests: a faster version of any
// [Tier] returns the same bits. NaN payloads are the one exception: a NaN stays
// a NaN, which one is not specified.
//
// # Order of operations
//
// All floats are binary32 and every operation rounds once. fma(x, y, z) is
// x*y+z with a single rounding ([scalar.FMA]); everywhere else a product is rounded
// before it is added.
//
// Float dot products (F32, F16 and BF16 weights, and all weights in exact mode,
// where they are first decoded to float32) use sixteen lanes: lane l sums the
// elements k with k%16 == l in increasing order, starting from +0,
//
//	lane[k%16] = fma(w[k], x[k], lane[k%16])
//
// as if both rows were padded with zeros to a multiple of 16, and [scalar.Fold] adds
// the lanes in halves: 16 to 8 to 4 to 2 to 1, lane l with lane l+half.
//
// Block dot products go over the 32-value blocks b of a row in increasing
// order, with one accumulator that starts from +0. The sum over a block of
// integer weight times int8 activation is exact, zero points included:
//
//	one scale   acc = fma(dw*da, float32(Σ w·q), acc)
//	minima      acc = fma(dw*da, float32(Σ w·q), acc); acc = fma(mw, da*float32(Σ q), acc)
//	two scales  acc = fma(dw*da, float32(s0·Σ₀w·q + s1·Σ₁w·q), acc)
//	and minima  and acc = fma(mw, da*float32(m0·Σ₀q + m1·Σ₁q), acc)
//
// w are the codes less their zero point, or what they stand for, dw and mw are the
// block's scale and minimum widened to float32, da is the activation's scale. The
// K, IQ and TQ types have a scale d for 256 values and small integers to multiply
// it with. Where there is one for each 32 values, dw is the product, which is
// exact: 11 bits times at most 6. So is mw; Q4_K and Q5_K are like Q4_1, the types
// with codebooks for 32 like Q4_0. Where there is one for each 16 (Q2_K, Q3_K,
// Q6_K, IQ2_XS, IQ2_S, IQ1_M), s and m stay integers. IQ1 types count in eighths:
// w is eight times a coordinate plus or minus 1, and dw an eighth.
//
// Activations are quantised in blocks of 32: with a the largest magnitude,
// d = a/127, q = round-half-even(x * (127/a)); if a is 0, or so small that 127/a
// overflows, d = 0 and q = 0. A block that holds an infinity or a NaN gets
// d = NaN and q = 0, so that it shows in every result.
//
// Attention treats the keys of a query in chunks of [att.Chunk] positions, see
// [att.Kernels.Attend].
package tier
