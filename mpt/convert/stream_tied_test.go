package convert

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestStreamSameAsFolder has checkpoints whose matrices have to be compared before it is
// known what becomes of them: as they come they give the file that the folder gives, with
// the same notes, and besides one that says what comes twice.
func TestStreamSameAsFolder(t *testing.T) {
	head := func(change func(w *weight)) []weight {
		ws := tiny(t)
		w := *find(ws, "wte.weight")
		w.name, w.data = "lm_head.weight", slices.Clone(w.data)
		change(&w)
		return append(ws, w)
	}
	again := tiny(t)
	norm := *find(again, "norm_f.weight")
	norm.name = "transformer.norm_f.weight"
	only := tiny(t)
	find(only, "wte.weight").name = "lm_head.weight"
	for _, c := range []struct {
		name  string
		ws    []weight
		tied  bool
		twice bool
		note  string
	}{
		{"a head that differs", head(func(w *weight) { putFloat(w, 5, 7) }), true, true, "differs from wte.weight: it is kept"},
		{"a head that differs at the end", head(func(w *weight) { w.data[len(w.data)-2] ^= 1 }), true, true, "it is kept"},
		{"a copy", head(func(*weight) {}), true, true, ""},
		{"a copy in float64", head(asDoubles), true, true, ""},
		{"a head that is not tied", head(func(*weight) {}), false, false, ""},
		{"a tensor twice", append(again, norm), true, false, "is there twice"},
		{"the head only", only, true, false, "under the name of the output matrix only"},
	} {
		dir := forged(t, c.ws, map[string]any{"tie_word_embeddings": c.tied})
		want, log := logged(t, dir, "Q8_0")
		got, slog, err := streamed(t, &folderRemote{dir: dir})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: a different file, %v", c.name, err)
		}
		const says = "the two are read and compared first"
		if !strings.Contains(log, c.note) || strings.Contains(slog, says) != c.twice {
			t.Errorf("%s: the notes are %q and %q", c.name, log, slog)
		}
		for line := range strings.Lines(log) {
			if !strings.Contains(slog, line) {
				t.Errorf("%s: the note %q is missing", c.name, line)
			}
		}
	}
}

func streamed(t *testing.T, r Remote) (file []byte, log string, err error) {
	t.Helper()
	var text strings.Builder
	dst := filepath.Join(t.TempDir(), "out.gguf")
	opt := Options{Type: "Q8_0", Logf: func(f string, a ...any) { fmt.Fprintf(&text, f+"\n", a...) }}
	if _, err := Stream(context.Background(), r, dst, opt); err != nil {
		return nil, text.String(), err
	}
	file, err = os.ReadFile(dst)
	return file, text.String(), err
}

// A fickle remote has other bytes when they are read than when they come.
type fickle struct {
	folderRemote
	at int64 // byte that differs, from the end of the file
}

func (f *fickle) Weights(name string) (io.ReaderAt, int64, error) {
	b, err := os.ReadFile(filepath.Join(f.dir, name))
	b[int64(len(b))-f.at] ^= 1
	return bytes.NewReader(b), int64(len(b)), err
}

// TestStreamFickle has a server that shows another output matrix before than it sends:
// what was decided by it does not hold.
func TestStreamFickle(t *testing.T) {
	ws := tiny(t)
	w := *find(ws, "wte.weight")
	w.name = "lm_head.weight"
	dir := forged(t, append(ws, w), nil)
	for _, at := range []int64{1, int64(len(w.data))/2 + 1, int64(len(w.data))} {
		_, _, err := streamed(t, &fickle{folderRemote{dir: dir}, at})
		if err == nil || !strings.Contains(err.Error(), "is not what was read of it before") {
			t.Errorf("byte %d from the end: %v", at, err)
		}
	}
}

// TestStreamLinks writes where a link leads, and keeps the permissions of what was there.
func TestStreamLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "there", "b.gguf"), filepath.Join(dir, "a.gguf")
	if err := os.Mkdir(filepath.Dir(target), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	saveEvery(t, 1)
	src := caseDir("hf-bf16-sharded")
	opt := Options{Type: "Q8_0", Force: true}
	if _, err := Stream(context.Background(), &folderRemote{dir: src, cut: 80_000}, link, opt); err == nil {
		t.Fatal("it is not cut off")
	}
	part, err := os.Stat(filepath.Join(dir, "there", ".b.gguf.part"))
	if err != nil || part.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("the unfinished file: %v, %v", part, err)
	}
	if _, err := Stream(context.Background(), &folderRemote{dir: src}, link, opt); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(target)
	if err != nil || !bytes.Equal(b, convertBytes(t, src, Options{Type: "Q8_0"})) {
		t.Errorf("another file behind the link, %v", err)
	}
	info, err := os.Lstat(link)
	to, errTo := os.Stat(target)
	if err != nil || errTo != nil || info.Mode()&os.ModeSymlink == 0 || to.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("the link is %v, the file %v", info, to)
	}
	for _, d := range []string{dir, filepath.Dir(target)} {
		if left, _ := filepath.Glob(filepath.Join(d, ".*")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}
