// Package ggml computes: it takes a [Graph] of operations on tensors, plans
// where their values live, and runs them on a [Pool] of workers with the best
// kernels of the CPU.
//
// # The numerical contract
//
// The same graph and the same input give the same bits, whatever the number of
// workers, the size of the batch, the memory address and the CPU. Three rules
// make it so:
//
//   - every kernel has a scalar definition that fixes the order of its float
//     operations (see internal/tier);
//   - work is split over the elements of an output, never over a sum;
//   - a row of a batch gets the arithmetic that it would get alone.
//
// # How a graph runs
//
// A graph is built once for a largest batch and run with any number of rows up
// to that. [Compile] joins neighbouring operations (matrix product with bias,
// clamp, GELU and residual; norm with the quantisation of its result), gives
// every tensor a place in one arena according to its lifetime, and turns each
// operation into steps. A step is a number of independent tasks; each worker has a
// run of neighbouring ones, takes over from others when it has done its own, and
// all meet after the last.
//
// Start with [Build] and [Compile]. This package is not stable yet: names may change from one minor
// version to the next.
package ggml
