package cli

import (
	"bytes"
	"errors"
	"testing"
)

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestHelpThatCannotBePrinted(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"run", "--help"}, {"help"}, {"help", "run"}} {
		var stderr bytes.Buffer
		root := Mpt()
		root.SetOut(full{})
		root.SetErr(&stderr)
		if status := Main(root, args); status != 1 || stderr.String() != "mpt: disk full\n" {
			t.Errorf("mpt %q: status %d, message %q", args, status, stderr.String())
		}
	}
}
