package mpt

import (
	"os"
	"path/filepath"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/forge"
)

// miniature is a model that fits into a few kilobytes, in parts that tests exchange.
type miniature struct{ *forge.Mini }

func mini() miniature        { return miniature{forge.NewMini()} }
func miniAdapter() miniature { return miniature{forge.NewMiniAdapter()} }

// set changes a key; nil removes it.
func (m miniature) set(key string, value any) miniature { return miniature{m.Set(key, value)} }

// loaded opens the model that a file in memory holds.
func loaded(b []byte, opts ...Option) (*Model, error) {
	f, err := gguf.Parse("mini", b)
	if err != nil {
		return nil, err
	}
	return Load(f, append([]Option{Threads(1), BatchSize(8), IgnoreMemory()}, opts...)...)
}

// open opens m until the end of the test.
func (m miniature) open(t testing.TB, opts ...Option) *Model {
	t.Helper()
	model, err := loaded(m.File(t), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := model.Close(); err != nil {
			t.Error(err)
		}
	})
	return model
}

// session returns a session of m until the end of the test.
func (m *Model) session(t testing.TB, opts ...SessionOption) *Session {
	t.Helper()
	s, err := m.NewSession(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// onDisk writes m to a file.
func (m miniature) onDisk(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mini.gguf")
	if err := os.WriteFile(path, m.File(t), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// newSessionOf returns a session that is not checked against the memory.
func newSessionOf(t testing.TB, m *Model, context int) *Session {
	t.Helper()
	s, err := m.newSession(context)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
