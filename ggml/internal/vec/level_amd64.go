//go:build !purego

package vec

var levels = map[string]Kernels{
	"avx2":       Fast,
	"avxvnni":    Fast,
	"avx512":     Fast,
	"avx512vbmi": Fast,
	"amx":        Fast,
}
