// Package search finds scales and codes for groups of values that make the weighted
// squared error small. It knows no format: a format says which codes there are and
// stores what is found.
//
// There are two kinds of searches. Those of scale.go, positive.go, scalemin.go,
// nonlinear.go and lattice.go are ggml's, to the bit: [FitScale] is the simplest. Those
// of better_*.go look further, from sums in binary64: [FitSingle] is the simplest. Points of
// codebooks are found by an index, see lattice_index.go.
package search
