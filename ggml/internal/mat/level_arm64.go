//go:build !purego

package mat

var levels = map[string]Kernels{
	"neon":    neon,
	"dotprod": dotProd,
	"i8mm":    i8mm,
}
