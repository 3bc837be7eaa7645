//go:build !purego

package vec

var levels = map[string]Kernels{
	"neon":    Fast,
	"dotprod": Fast,
	"i8mm":    Fast,
}
