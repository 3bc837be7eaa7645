//go:build !race

package check

const Race = false

const slow = 1
