// Package convert makes GGUF files: from a HuggingFace checkpoint folder, from
// another GGUF file whose tensors get other types, or from a LoRA adapter of PEFT; and it
// merges adapters into models.
//
// A conversion is first planned from headers alone: which tensors the file will
// hold, of which types, and which rows of the source each is made of. Whatever is
// wrong with a source that its headers can tell is found there, before anything is
// written. Then workers take pieces of about a megabyte, read, convert and write
// them, so memory depends on the number of workers and not on the model. The
// output has a temporary name until it is complete; its bytes depend neither on
// the number of workers nor on their order.
//
// What the plan does to a checkpoint's weights changes no result: names become
// those of llama.cpp, separate query, key and value matrices are stacked, and
// scales that are powers of two are multiplied into the weights beside them. Other
// scales become keys of this project; the file then also withholds a key that
// other readers require, so that they refuse the model rather than run it wrong.
//
// Start with [Convert] and [Options]. This package is not stable yet: names may change from one
// minor version to the next.
package convert
