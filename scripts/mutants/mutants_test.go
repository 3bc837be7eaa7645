package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestFresh: what every mutant changes is once in its file, so that none is out of date when it
// is wanted.
func TestFresh(t *testing.T) {
	for _, m := range mutants {
		source, err := os.ReadFile(filepath.Join("../..", m.file))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if n := bytes.Count(source, []byte(m.from)); n != 1 {
			t.Errorf("%s: %s holds %q %d times, want once", m.name, m.file, m.from, n)
		}
	}
}
