// Package tune trains LoRA adapters of MPT models [Hu et al., "LoRA: Low-Rank Adaptation of Large
// Language Models", 2021; Dettmers et al., "QLoRA", 2023]: the model's file, quantised or not, stays as
// it is and mapped, and thin matrices beside its own are trained in float32.
//
// The same model, rows, configuration and seed give the same adapter, to the bit, for any number of
// threads, any micro-batch, any level of recomputation and any tier of kernels, also if the run is
// interrupted and goes on from a checkpoint.
//
// Start with [New] and [Trainer.Step]; [Trainer.WriteAdapter] writes what was learned. This package
// is not stable yet: names may change from one minor version to the next.
package tune
