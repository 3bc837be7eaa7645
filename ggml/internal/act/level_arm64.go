//go:build !purego

package act

var levels = map[string]Kernels{
	"neon":    Fast,
	"dotprod": Fast,
	"i8mm":    Fast,
}
