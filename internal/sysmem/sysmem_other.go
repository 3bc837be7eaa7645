//go:build !linux && !darwin

package sysmem

// Available is not known here.
func Available() (l Limit, ok bool) { return Limit{}, false }
