// Package recipes says which type each tensor of a model gets: [Parse] finds a recipe
// by its name, such as Q4_K_M, [Recipe.TensorType] asks it, and [Choices] change what it
// says for single tensors. The rules are those of llama-quantize.
//
// This package is not stable yet: names may change from one minor version to the next.
package recipes
