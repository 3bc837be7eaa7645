package errkind

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestAs(t *testing.T) {
	if As(nil, errors.ErrUnsupported) != nil {
		t.Error("no error has become one")
	}
	inner := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
	err := fmt.Errorf("mpt: %w", As(inner, errors.ErrUnsupported))
	var path *fs.PathError
	if !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &path) || errors.Is(err, fs.ErrExist) {
		t.Errorf("%v is not of its kinds", err)
	}
	if got, want := err.Error(), "mpt: "+inner.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
