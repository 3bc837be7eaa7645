// Package checkpoint reads HuggingFace checkpoint folders of the MPT family:
// config.json, the small JSON files beside it, and weights in safetensors or
// torch files, single or sharded.
//
// Opening a checkpoint reads headers only. Weights are read row by row when
// asked for, with memory bounded by the caller's buffer, so a folder of any size
// costs a few kilobytes per tensor.
//
// Torch files are pickles, and a pickle is a program. The reader here is an
// interpreter of the instructions that build a dictionary of tensors; names of
// functions and classes are symbols looked up in a short list, nothing is ever
// imported or called. What is outside the list, as trainers save it beside the
// weights, is skipped without being built, and refused in the place of a weight.
//
// Every count, offset and name in a file is checked against the file before it is
// used. An error that is the file's fault wraps [ErrFormat]; one that names a
// feature which this module does not run wraps [errors.ErrUnsupported].
//
// Start with [Open] and [Checkpoint.Tensor]. This package is not stable yet: names may change from
// one minor version to the next.
package checkpoint
