//go:build race

package check

// Race says whether the race detector runs. It finds nothing in assembly and makes
// plain Go some 20 times slower, so tests of numbers that share nothing leave out
// what others have.
const Race = true

// slow is how many times longer things take than without the race detector, at most.
const slow = 20
