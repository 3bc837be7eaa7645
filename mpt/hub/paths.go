package hub

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxFiles is how many files a repository may have. Repositories of models have a few
// dozen.
const maxFiles = 10_000

// maxPath bounds the bytes of a path, and maxName those of one name in it.
const (
	maxPath = 1024
	maxName = 240
)

// notOnWindows are the printable characters that no name can have there. A cache may be
// shared or copied, so they are refused everywhere.
const notOnWindows = `\:<>"|?*`

// checkPath returns an error if a path in a repository could lead out of its folder, or
// cannot be had on some system.
func checkPath(path string) error {
	if len(path) > maxPath || !utf8.ValidString(path) || strings.ContainsFunc(path, strange) ||
		strings.ContainsAny(path, notOnWindows) {
		return fmt.Errorf("%q is not a safe path", path)
	}
	for name := range strings.SplitSeq(path, "/") {
		if err := checkName(name); err != nil {
			return fmt.Errorf("%q is not a safe path: %w", path, err)
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a name in it is empty")
	case name == "." || name == "..":
		return fmt.Errorf("it leads elsewhere")
	case len(name) > maxName:
		return fmt.Errorf("a name in it is too long")
	case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		return fmt.Errorf("Windows drops the dot or space at the end of a name")
	case isReserved(name):
		return fmt.Errorf("Windows reserves the name of a device")
	}
	return nil
}

// isReserved reports whether Windows takes name for a device, with any extension.
func isReserved(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	base = strings.TrimRight(base, " ")
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, base) {
		return true
	}
	digits, ok := strings.CutPrefix(base, "COM")
	if !ok {
		digits, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && slices.Contains([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"}, digits)
}

// checkFiles returns an error if files, which lie in one folder, cannot all be had: if a
// path is not safe, two are equal where case does not count, or one is a folder of
// another.
func checkFiles(files []File) error {
	if len(files) > maxFiles {
		return fmt.Errorf("%d files, more than the %d that are believed", len(files), maxFiles)
	}
	seen := make(map[string]string, len(files))
	for _, f := range files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		key := strings.ToLower(f.Path)
		if other, ok := seen[key]; ok {
			return fmt.Errorf("%q and %q are one file where case does not count", other, f.Path)
		}
		seen[key] = f.Path
	}
	for key, path := range seen {
		for i := range key {
			if other, ok := seen[key[:i]]; key[i] == '/' && ok {
				return fmt.Errorf("%q is a file and the folder of %q", other, path)
			}
		}
	}
	return nil
}
