// Package sampling chooses the next token from a model's logits.
//
// A [Chain] is a row of samplers in the order that the user asked for. Each
// changes logits (penalties, DRY, temperature) or drops candidates (top-k,
// top-p, min-p, ...); what is left is drawn from, or the best of it taken:
//
//	params, err := sampling.Parse("top_k=40,top_p=0.95,temp=0.8,seed=1")
//	chain, err := sampling.New(params, nil)
//	for {
//		id, err := chain.Sample(logits)
//		chain.Accept(id)
//	}
//
// Names, defaults, order and meaning are those of llama.cpp. The random
// numbers are not: the same seed gives another text there.
//
// # Reproducibility
//
// A chain is a function of its parameters, the logits and the tokens that it
// was told of: the same bits come out on every CPU. That is why exp and log are
// this package's own (math has assembly for them on some architectures), why
// every float product is rounded before it is added (the compiler may fuse
// them otherwise) and why equal logits are ordered by token id. Sums and
// probabilities are float64, logits and the stored probabilities float32. The
// generator is PCG-DXSM; a token costs it one number, and one more if XTC is on.
//
// Start with [Parse], [New] and [Chain.Sample]. This package is stable: what it exports changes
// only with a new major version.
package sampling
