//go:build !linux

package check

import "time"

// threadTime is not known here.
func threadTime() time.Duration { return 0 }
