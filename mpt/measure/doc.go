// Package measure tells how good a model is and which of its weights matter: perplexity
// ([Perplexity]), the KL divergence from a better model ([SaveLogits], [Divergence]), and
// importance matrices for quantising, on a text ([CollectImatrix]) or on one that the model
// writes itself ([CollectImatrixSelf]). It uses what package mpt offers to everybody.
//
// Start with [Perplexity], or [Quantize] for a good smaller file. This package is not stable yet:
// names may change from one minor version to the next.
package measure
