// Package kernel holds the arithmetic that the engine spends its time in, and
// all of its assembly.
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
// x*y+z with a single rounding ([FMA]); everywhere else a product is rounded
// before it is added.
//
// Float dot products (F32, F16 and BF16 weights, and all weights in exact mode,
// where they are first decoded to float32) use sixteen lanes: lane l sums the
// elements k with k%16 == l in increasing order, starting from +0,
//
//	lane[k%16] = fma(w[k], x[k], lane[k%16])
//
// as if both rows were padded with zeros to a multiple of 16, and [Fold] adds
// the lanes in halves: 16 to 8 to 4 to 2 to 1, lane l with lane l+half.
//
// Block dot products go over the 32-value blocks b of a row in increasing
// order, with one accumulator that starts from +0. The sum over a block of
// integer weight times int8 activation is exact, zero points included:
//
//	Q4_0 Q5_0 Q8_0  acc = fma(dw*da, float32(Σ (w-zero)·q), acc)
//	Q4_1 Q5_1       acc = fma(dw*da, float32(Σ w·q), acc); acc = fma(mw, sa, acc)
//	Q6_K            acc = fma(dw*da, float32(s0·Σ₀(w-32)·q + s1·Σ₁(w-32)·q), acc)
//
// dw and mw are the block's scale and minimum widened to float32, da is the
// activation's scale, sa = da*float32(Σ q). Q6_K has a scale d for 256 values
// and an int8 scale s for each 16: a 32-value block holds two of these.
//
// Activations are quantised in blocks of 32: with a the largest magnitude,
// d = a/127, q = round-half-even(x * (127/a)); if a is 0, or so small that 127/a
// overflows, d = 0 and q = 0. A block that holds an infinity or a NaN gets
// d = NaN and q = 0, so that it shows in every result.
//
// Attention treats the keys of a query in chunks of [Chunk] positions, see
// [Tier.Attend].
package kernel
