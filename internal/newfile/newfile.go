// Package newfile is about files that take the place of others when they are complete: what
// they are called until then, where they lie, and whose permissions they have.
package newfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"unicode/utf8"
)

const (
	maxName  = 255                            // bytes of a name in most file systems
	maxBase  = maxName - len(".") - len(tail) // of the name of the file to be
	tail     = ".00000000.tmp"
	maxLinks = 40 // as in Linux
)

// unfinished matches the names of unfinished files, with the beginning of that of the file to be.
var unfinished = regexp.MustCompile(`^\.(.+)\.[0-9a-f]{8}\.tmp$`)

// Unfinished returns the name of the file, or its beginning, if that is long, that an
// unfinished file of this name is to become; "" if it is not called like one.
func Unfinished(name string) string {
	m := unfinished.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	return m[1]
}

// Short returns a name as it is in the names of unfinished files.
func Short(base string) string {
	if len(base) <= maxBase {
		return base
	}
	n := maxBase
	for n > 0 && !utf8.RuneStart(base[n]) {
		n--
	}
	return base[:n]
}

// Name returns a name for an unfinished file beside path.
func Name(path string) string {
	dir, base := filepath.Split(path)
	return fmt.Sprintf("%s.%s.%08x.tmp", dir, Short(base), rand.Uint32())
}

// Follow returns the file that path stands for: where its links lead to, even if there is
// nothing yet.
func Follow(path string) (string, error) {
	at := path
	for range maxLinks {
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return at, nil
		} else if err != nil {
			return "", named(path, err)
		}
		to, err := os.Readlink(at)
		if err != nil {
			return "", named(path, err)
		}
		if !filepath.IsAbs(to) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(at)) // for what has .. in it
			if err != nil {
				return "", named(path, err)
			}
			to = filepath.Join(dir, to)
		}
		at = to
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("too many links")}
}

// Create creates an unfinished file beside target, where [Follow] has led from path. It has the
// permissions of the file that is there, or those of an ordinary new file, which
// os.CreateTemp would not give it. An error names path.
func Create(path, target string) (*os.File, error) {
	mode := fs.FileMode(0o666)
	if info, err := os.Stat(target); err == nil {
		mode = info.Mode().Perm()
	}
	for {
		f, err := os.OpenFile(Name(target), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, named(path, err)
		}
		return f, nil
	}
}

// Rename gives a finished file, which is closed, the name target, and the owner and the
// permissions of the file that has it now. It does not sync.
func Rename(file, target string) error {
	if info, err := os.Stat(target); err == nil {
		keepOwner(file, info) // first: it may take permissions away
		if err := os.Chmod(file, info.Mode().Perm()); err != nil {
			return named(target, err)
		}
	}
	return named(target, os.Rename(file, target))
}

// Writable returns an error if there cannot be a new file at path, or one in the place of
// the one there: before hours of work, not after them. A folder that takes no file and a file
// that is none are refused.
func Writable(path string) error {
	target, err := Follow(path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: exists and is not a regular file", path)
	}
	f, err := Create(path, target)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// named returns err with another path: that of an unfinished file means nothing to who reads it.
func named(path string, err error) error {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: p.Op, Path: path, Err: p.Err}
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: l.Op, Path: path, Err: l.Err}
	}
	return err
}

// Same reports whether two names stand for one file that exists.
func Same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
