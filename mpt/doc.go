// Package mpt runs MosaicML's MPT language models: decoder-only transformers, most of
// them with ALiBi attention, a GELU feed-forward layer and tied embeddings. What else
// the family's training code can express runs as well or is refused by name.
//
// [Open] maps a GGUF file (made with mpt-quantize) into memory. A [Model] is
// immutable and serves any number of [Session] values at the same time; each
// session holds the keys and values of one conversation. [Session.Eval] appends
// tokens, [Session.Generate] continues them; [Generation] is the same one token at
// a time, with the reason why it ended.
//
// Several sessions are evaluated together, in one pass over the weights, by
// [Model.Run], whose caller decides what goes into a batch, or by a [Batcher], for
// programs with a goroutine for each session. Sessions take memory in pages of 32
// tokens from one account, [Model.Memory].
//
// LoRA adapters run beside the weights: [LoRA] gives them to all sessions of a model,
// [Model.LoadAdapter] and [Session.SetAdapters] to one.
//
// The same model, tokens and sampler, at the same place of its random numbers, give the same bits,
// whatever the number of threads, the size of the batches, what else is in them, and whether a prefix was
// evaluated, copied with [Session.Fork] or restored from disk.
//
// Package talk keeps conversations, package measure tells how good a model is.
//
// Start with [Open], [Model.NewSession], [Session.Eval] and [Session.Generate]; for a chat, with
// package talk; for a model inside the program, with package builtin. This package is stable: what
// it exports changes only with a new major version.
package mpt
