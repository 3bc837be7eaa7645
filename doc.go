// Package mptgo is the root of the module; it holds no code of its own.
//
// A Go program that wants a language model imports package mpt of this module, one that wants to
// talk to it mpt/talk, and one that wants it built in mpt/builtin. The first two have examples
// that run.
//
// ARCHITECTURE.md shows the layers and follows a token through the files. To read the code, read
// in this order: gguf (the file format), quantize (what a block of weights means), ggml (how a
// graph is computed), mpt (what MPT computes), sampling (how a token is chosen), cmd/mpt (the
// commands).
//
// Stable are gguf, sampling, mpt, mpt/tokenizer, mpt/chat and mpt/talk. Every package says
// what it is for, what to look at first, and whether it is stable.
package mptgo
