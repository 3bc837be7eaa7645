//go:build !race

package check

const slow = 1
