// Package imatrix holds importance matrices: how large the inputs of a model's
// matrices are, column by column, while it reads a text. A column that is
// multiplied with large values deserves a smaller error. The searches of package
// quantize take one weight for each column: the mean square of its input.
//
// Files are llama.cpp's, of both kinds. The older one, usually called .dat, is
// little-endian and has nothing before it:
//
//	number of entries                     i32
//	of each entry: name                   i32 length, bytes
//	               calls, values n        i32, i32
//	               mean square * calls    n x f32
//	chunks, name of the text              i32, i32 length, bytes: may be missing
//
// The newer one is a GGUF file of type imatrix with two tensors for every matrix
// NAME: NAME.in_sum2, the sums of squares, and NAME.counts, how many rows they are
// sums of. What the older one calls calls is the number of batches. A third one,
// NAME.in_prod, is ours: see [Entry].
//
// Start with [Read]; package measure makes what it reads. This package is not stable yet: names may
// change from one minor version to the next.
package imatrix
