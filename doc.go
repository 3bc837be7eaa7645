// Package mptgo is the root of the module; it holds no code of its own.
//
// ARCHITECTURE.md shows the layers and follows a token through the files. Read in
// this order: gguf (the file format), quantize (what a block of weights means), ggml
// (how a graph is computed), mpt (what MPT computes), sampling (how a token is
// chosen), cmd/mpt (the commands). A Go program that wants a language model imports
// mptgo/mpt.
package mptgo
