// Package lora reads LoRA adapters for MPT models: folders that PEFT wrote, with
// adapter_config.json and adapter_model.safetensors or .bin, and adapter files of
// llama.cpp, which are GGUF.
//
// An adapter changes a matrix W by the product of two thin ones: y = W·x becomes
// y = W·x + s·B·(A·x) [Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models",
// 2021]. Both kinds of file are read into the same [Adapter], whose names are those of the
// tensors of a model file. What package mpt computes and package convert writes or
// merges is decided there; here everything about a file is checked that can be checked
// without the model.
//
// Features of PEFT that would change the result and are not known are refused by name,
// in an error that wraps errors.ErrUnsupported. What is the fault of a file wraps
// [ErrFormat].
//
// Start with [Open]. To run an adapter use mpt's Model.LoadAdapter. This package is not stable yet:
// names may change from one minor version to the next.
package lora
