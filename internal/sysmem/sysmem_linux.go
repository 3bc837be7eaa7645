package sysmem

import "os"

// Available returns how much memory the process may still take; ok is false if the
// system does not tell.
func Available() (l Limit, ok bool) { return read(os.DirFS("/")) }
