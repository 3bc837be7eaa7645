//go:build !purego

package att

var levels = map[string]Kernels{
	"neon":    neon,
	"dotprod": neon,
	"i8mm":    neon,
}
