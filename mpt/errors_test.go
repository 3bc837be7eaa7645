package mpt_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
)

// storiesWith returns the built-in model's file with one key changed, or left out if v is nil.
func storiesWith(t *testing.T, key string, v any) []byte {
	t.Helper()
	f, err := builtin.File()
	if err != nil {
		t.Skip(err)
	}
	var meta []gguf.KV
	for _, kv := range f.ModelMeta() {
		if kv.Key != key {
			meta = append(meta, kv)
		}
	}
	if v != nil {
		meta = append(meta, gguf.KV{Key: key, Value: v})
	}
	var infos []gguf.TensorInfo
	var data [][]byte
	for _, x := range f.Tensors() {
		infos = append(infos, gguf.TensorInfo{Name: x.Name, Type: x.Type, Shape: x.Shape})
		data = append(data, x.Data())
	}
	b, err := gguf.Encode(meta, infos, data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A model that does not run here is told from one that is damaged.
func TestErrorKinds(t *testing.T) {
	for _, c := range []struct {
		key   string
		value any
		want  error
	}{
		{"general.architecture", "llama", errors.ErrUnsupported},
		{"general.type", "adapter", errors.ErrUnsupported},
		{"mpt.ext.features", []string{"mixture of experts"}, errors.ErrUnsupported},
		{"mpt.ext.activation", "maxout", errors.ErrUnsupported},
		{"mpt.attention.causal", false, errors.ErrUnsupported},
		{"mpt.expert_count", uint32(8), errors.ErrUnsupported},
		{"tokenizer.ggml.model", "bert", errors.ErrUnsupported},
		{"tokenizer.ggml.pre", "llama-bpe", errors.ErrUnsupported},
		{"tokenizer.ggml.add_eos_token", true, errors.ErrUnsupported},
		{"tokenizer.ggml.tokens", []string{"a", "a"}, gguf.ErrFormat},
		{"tokenizer.ggml.tokens", make([]string, 1<<16), gguf.ErrFormat},
		{"mpt.block_count", nil, gguf.ErrFormat},
		{"mpt.block_count", uint32(0), gguf.ErrFormat},
		{"mpt.block_count", uint32(99), gguf.ErrFormat},
		{"mpt.attention.head_count", uint32(7), gguf.ErrFormat},
	} {
		_, err := mpt.OpenFS(fstest.MapFS{"m.gguf": {Data: storiesWith(t, c.key, c.value)}}, "m.gguf")
		for _, kind := range []error{errors.ErrUnsupported, gguf.ErrFormat} {
			if errors.Is(err, kind) != (kind == c.want) {
				t.Errorf("%s %v: %v: is it of kind %v?", c.key, c.value, err, kind)
			}
		}
	}
	if _, err := mpt.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// A model that is read into memory is the model that is mapped.
func TestOpenFS(t *testing.T) {
	b := storiesWith(t, "general.name", "stories")
	path := filepath.Join(t.TempDir(), "stories.gguf")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	mapped, err := mpt.Open(path, mpt.Threads(1))
	if err != nil {
		t.Fatal(err)
	}
	defer mapped.Close()
	want, err := mapped.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	for what, open := range map[string]func() (*mpt.Model, error){
		"file system": func() (*mpt.Model, error) {
			return mpt.OpenFS(os.DirFS(filepath.Dir(path)), filepath.Base(path), mpt.Threads(1))
		},
		"reader": func() (*mpt.Model, error) {
			return mpt.OpenReaderAt("m", bytes.NewReader(b), int64(len(b)), mpt.Threads(1))
		},
	} {
		m, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Fingerprint(); err != nil || got != want {
			t.Errorf("%s: another model, %v", what, err)
		}
		m.Close()
	}
}

// Used after Close, a model and a session say so.
func TestErrClosed(t *testing.T) {
	m, err := builtin.Open(mpt.Threads(1))
	if err != nil {
		t.Skip(err)
	}
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := s.Eval(t.Context(), []int32{1}); !errors.Is(err, mpt.ErrClosed) {
		t.Errorf("a closed session: %v", err)
	}
	m.Close()
	if _, err := m.NewSession(); !errors.Is(err, mpt.ErrClosed) {
		t.Errorf("a closed model: %v", err)
	}
	if id, err := m.Fingerprint(); !errors.Is(err, mpt.ErrClosed) {
		t.Errorf("the fingerprint of a closed model: %x, %v", id, err)
	}
}

// The log tells what was done.
func TestLogger(t *testing.T) {
	var b bytes.Buffer
	m, err := builtin.Open(mpt.Threads(1), mpt.Logger(slog.New(slog.NewTextHandler(&b, nil))), mpt.MemoryBudget(1<<20))
	if err != nil {
		t.Skip(err)
	}
	var memory *mpt.MemoryError
	if _, err := m.NewSession(); !errors.As(err, &memory) {
		t.Errorf("a megabyte is enough: %v", err)
	}
	m.Close()
	for _, want := range []string{`msg="model opened" file=mpt-stories`, "threads=1", `level=WARN msg="session refused"`, `msg="model closed"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("there is no %s in\n%s", want, b.String())
		}
	}
}
