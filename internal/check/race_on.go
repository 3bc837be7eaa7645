//go:build race

package check

// slow is how many times longer things take than without the race detector, at most.
const slow = 20
