//go:build !purego

package att

var levels = map[string]Kernels{
	"avx2":       avx2,
	"avxvnni":    avx2,
	"avx512":     avx512,
	"avx512vbmi": avx512,
	"amx":        avx512,
}
