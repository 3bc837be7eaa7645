package data

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"mptgo/mpt/tokenizer"
)

// vocabulary returns a tokenizer of 500 tokens, with those of ChatML if that is wanted.
func vocabulary(t testing.TB, chatML bool) *tokenizer.Tokenizer {
	t.Helper()
	text, err := os.ReadFile("../../tokenizer/testdata/tiny.tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := tokenizer.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	more := ""
	if chatML {
		more = `, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]`
	}
	if err := v.Configure(tokenizer.Beside{Config: []byte(`{"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"` + more + `}`)}); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.New(v)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func options(t testing.TB) Options {
	return Options{Tokenizer: vocabulary(t, true), Context: 512, TempDir: t.TempDir()}
}

// write writes a file into a new folder and returns its path.
func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// open reads files that have to be good.
func open(t testing.TB, opt Options, paths ...string) *Set {
	t.Helper()
	set, err := Open(paths, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

// fails checks that files are refused with all of some words.
func fails(t *testing.T, opt Options, path string, words ...string) {
	t.Helper()
	set, err := Open([]string{path}, opt)
	if err == nil {
		set.Close()
		t.Errorf("%s is accepted", path)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error %q does not say %q", err, w)
		}
	}
	left, err := os.ReadDir(opt.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// show decodes a row with its targets marked.
func show(t testing.TB, set *Set, i int) string {
	t.Helper()
	row, err := set.Row(i)
	if err != nil {
		t.Fatal(err)
	}
	coded := make([]int32, len(row.Tokens))
	for j, id := range row.Tokens {
		switch row.Labels[j] {
		case id:
			coded[j] = id
		case noTarget:
			coded[j] = ^id
		default:
			t.Fatalf("row %d: token %d is %d with label %d", i, j, id, row.Labels[j])
		}
	}
	return set.Summary.decode(coded)
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(b, nil)
}

// pairs is the same rows in some formats.
var pairs = [][2]string{
	{"What is a duck?", "A bird."}, {"Say \"hi\", please\nnow", "hi,\tyou"}, {"naïve 東京?", "yes\n\nno"},
}

func jsonLines() []byte {
	var b bytes.Buffer
	for _, p := range pairs {
		fmt.Fprintf(&b, "{\"prompt\": %q, \"response\": %q, \"id\": 3}\n", p[0], p[1])
	}
	return b.Bytes()
}
