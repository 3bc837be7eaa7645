//go:build nobuiltin

package builtin_test

import (
	"errors"
	"testing"

	"mptgo/mpt/builtin"
)

func TestAbsent(t *testing.T) {
	if _, err := builtin.Open(); !errors.Is(err, builtin.ErrAbsent) {
		t.Errorf("error %v, want ErrAbsent", err)
	}
}
