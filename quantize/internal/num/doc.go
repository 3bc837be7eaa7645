// Package num is the arithmetic that formats and searches share: roundings, limits and
// sums in binary32, each with the bits of ggml's reference code on every architecture.
// Package quantize says what that needs.
package num
