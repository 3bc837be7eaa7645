// Package check is what the tests of several packages share.
package check

import (
	"os"
	"path/filepath"
	"testing"
)

// RequireShared is the environment variable that turns a missing reference
// folder from a skip into a failure. CI sets it.
const RequireShared = "MPTGO_REQUIRE_SHARED"

// Shared returns the path of a file or folder in the reference data that lies
// beside the repository, in a folder named shared. Without it the test is
// skipped, or fails if [RequireShared] is set.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(append([]string{filepath.Dir(root), "shared"}, elem...)...)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv(RequireShared) != "" {
		t.Fatalf("%s is required and missing", path)
	}
	t.Skipf("needs the reference data %s", path)
	return ""
}

// Root returns the folder of the module: the nearest one above the working
// directory that holds go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", os.ErrNotExist
		}
		dir = up
	}
}
