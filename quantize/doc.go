// Package quantize defines what the blocks of every tensor type mean: how
// float32 values become blocks and blocks become float32 values, in plain Go
// that is read more often than it is run. Faster code elsewhere is tested
// against it.
//
// A row of a tensor is a sequence of blocks without gaps; [gguf.Type.Block]
// gives their size. A format is one file here, named after its type, with the
// layout of the block drawn at the top, and one row of the table in format.go.
// Read q8_0.go, q4_0.go and q6_k.go in that order.
//
// # Searches
//
// What codes and scales to choose for values is open. There are two ways:
// [SearchReference], that of scale.go, scalemin.go and lattice.go in internal/search, writes the bytes that ggml
// writes; [SearchBetter], that of better_*.go there, looks for a smaller error, asks the reference
// too, and keeps of every block the one with the smaller error; see opinion.go. With a
// [Feedback] a block begins with the better one of both, see descent.go; what its
// values should be depends on the blocks before it then.
//
// # Arithmetic
//
// The values, and the bytes of the reference search, are those of ggml's
// reference code, to the bit, on every architecture. So every float operation is
// binary32, rounds once, and runs in the order written; sums start from 0 and go
// up by index. (The better search sums in binary64, likewise in order.) The Go
// compiler may fuse a product with a later addition, which rounds once instead
// of twice: an explicit conversion, float32(x*y) + z, forbids it, and stands
// wherever a product meets an addition, a subtraction or the rounding of internal/num.
//
// Input is finite. Where the reference divides by zero or converts an infinity
// to an integer, which happens only for values too small for their scale to be
// stored, the scale counts as 0 (num.Inverse).
//
// Start with [EncodeRows] and [DecodeRow]; [Encoder] is for many rows. This package is not stable
// yet: names may change from one minor version to the next.
package quantize
