//go:build !purego

package mat

var levels = map[string]Kernels{
	"avx2":       avx2,
	"avxvnni":    avxVNNI,
	"avx512":     avx512,
	"avx512vbmi": avx512VBMI,
	"amx":        amx,
}
