// Package train holds the operations that training is made of: those of a decoder, forward and
// backward, over the tokens of several examples at a time.
//
// Backward of an operation takes dY, the gradient of the loss by its result, and makes dX, that by its
// input. Weights are frozen and lie as they are in the model's file; what is trained are changes of
// low rank ([LowRank]), whose gradients are added up example by example.
//
// Forward makes the bits that the operations of package ggml make, and every sum of both directions
// has an order that the examples alone decide: no result depends on the number of workers, on the tier
// of kernels, or on which examples are computed together.
//
// Start with [New] and [Engine.MatMul]. This package is not stable yet: names may change from one
// minor version to the next.
package train
