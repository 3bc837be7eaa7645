//go:build unix

package mpt

import (
	"context"
	"fmt"
	"io"
	"mptgo/internal/forge"
	"os"
	"strings"
	"testing"

	"mptgo/gguf"
)

// cut takes the bytes of a file away, all or those behind the first page.
func cut(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// TestTruncatedWhileMapped shortens a model's file at every stage of its use. What
// touches the lost part fails with an error; the process lives, and so does what
// needs no weights.
func TestTruncatedWhileMapped(t *testing.T) {
	for _, size := range []int64{0, 4096} {
		t.Run(fmt.Sprint("to ", size, ", before the weights are looked at"), func(t *testing.T) {
			path := mini().onDisk(t)
			f, err := gguf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			cut(t, path, size)
			m, err := Load(f, Threads(2))
			if err == nil {
				m.Close()
			}
			wantFault(t, err)
		})
		t.Run(fmt.Sprint("to ", size, ", in the middle of a text"), func(t *testing.T) {
			path := mini().onDisk(t)
			m, err := Open(path, Threads(2))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			s := m.session(t)
			if err := s.Eval(context.Background(), []int32{1, 2, 3}); err != nil {
				t.Fatal(err)
			}
			cut(t, path, size)
			wantFault(t, s.Eval(context.Background(), []int32{4}))
			if s.Len() != 3 || s.Logits() != nil {
				t.Errorf("%d tokens after a failed one, logits %v", s.Len(), s.Logits() != nil)
			}
			for _, err := range s.Generate(context.Background(), GenerateOptions{MaxTokens: 3}) {
				if err == nil {
					t.Error("it goes on generating")
				}
			}
			if err := s.Truncate(1); err != nil {
				t.Error(err)
			}
			wantFault(t, s.Save(io.Discard))
			s.Close()
		})
	}
}

func wantFault(t *testing.T, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "became shorter") && !strings.Contains(err.Error(), "truncated or replaced") {
		t.Errorf("got %v, want an error about the file", err)
	}
}

// TestReplacedWhileMapped gives the name of a model's file to another one, and to
// none: the model goes on as if nothing had happened.
func TestReplacedWhileMapped(t *testing.T) {
	path := mini().onDisk(t)
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	next := func() string {
		s := m.session(t)
		defer s.Close()
		if err := s.Eval(context.Background(), []int32{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(s.Logits())
	}
	want := next()
	if err := os.Rename((miniature{new(forge.Mini)}).onDisk(t), path); err != nil {
		t.Fatal(err)
	}
	if next() != want {
		t.Error("another file at the same path changed the model")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if next() != want {
		t.Error("the model changed with its file's name gone")
	}
}
