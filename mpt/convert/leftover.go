package convert

import (
	"os"
	"path/filepath"
	"regexp"
)

// leftover matches what follows the name of a file in that of an unfinished one: see
// gguf.Create.
var leftover = regexp.MustCompile(`^\.[0-9a-f]{8}\.tmp$`)

// claim is called before a file dst is made. It removes what conversions to dst that
// were killed have left beside it, and returns a function to call at the end.
//
// Every conversion shares a lock on its folder. Whoever has it alone knows that no
// unfinished file belongs to a conversion that still runs; where folders cannot be
// locked nothing is removed.
func claim(dst string, logf func(string, ...any)) (release func()) {
	dir, base := filepath.Split(dst)
	if dir == "" {
		dir = "."
	}
	f, err := os.Open(dir)
	if err != nil {
		return func() {} // creating the file says why
	}
	if lockAlone(f) {
		removeLeftovers(dir, base, logf)
	}
	lockShared(f)
	return func() { f.Close() }
}

// removeLeftovers removes the unfinished files of the name base in the folder dir.
func removeLeftovers(dir, base string, logf func(string, ...any)) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	prefix := "." + base
	for _, e := range entries {
		name := e.Name()
		if len(name) <= len(prefix) || name[:len(prefix)] != prefix || !leftover.MatchString(name[len(prefix):]) || !e.Type().IsRegular() {
			continue
		}
		if path := filepath.Join(dir, name); os.Remove(path) == nil {
			logf("%s, left by a conversion that was killed, is removed", path)
		}
	}
}
