package convert

import (
	"context"
	"os"
	"path/filepath"

	"mptgo/internal/newfile"
)

// isLeftover reports whether name is that of an unfinished file of the name base, or of
// an unfinished one that was to be [Aside].
func isLeftover(name, base string) bool {
	for range 2 {
		if name = newfile.Unfinished(name); name == "" {
			return false
		}
		if name == newfile.Short(base) {
			return true
		}
	}
	return false
}

// Aside converts src to a file beside dst, or what a link at dst leads to, that is only needed for
// a while: remove ends that. Until then no other conversion takes it for one that was left behind.
// If it fails, the path is what the error calls it.
func Aside(ctx context.Context, src, dst string, opt Options) (path string, remove func(), err error) {
	if target, err := newfile.Follow(dst); err == nil {
		dst = target
	}
	release := claim(dst, opt.withLog())
	path = newfile.Name(dst)
	if _, err := Convert(ctx, src, path, opt); err != nil {
		release()
		return path, nil, err
	}
	return path, func() { os.Remove(path); release() }, nil
}

// Tidy removes what conversions to dst that were killed have left, which the next one would do. Logf,
// if not nil, is told of each file.
func Tidy(dst string, logf func(format string, args ...any)) {
	claim(dst, Options{Logf: logf}.withLog())()
}

// claim is called before a file dst is made. It removes what conversions to dst that
// were killed have left beside it, and returns a function to call at the end.
//
// Every conversion shares a lock on its folder. Whoever has it alone knows that no
// unfinished file belongs to a conversion that still runs; where folders cannot be
// locked nothing is removed.
func claim(dst string, logf func(string, ...any)) (release func()) {
	if target, err := newfile.Follow(dst); err == nil {
		dst = target
	}
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
	for _, e := range entries {
		if !isLeftover(e.Name(), base) || !e.Type().IsRegular() {
			continue
		}
		if path := filepath.Join(dir, e.Name()); os.Remove(path) == nil {
			logf("%s, left by a conversion that was killed, is removed", path)
		}
	}
}
