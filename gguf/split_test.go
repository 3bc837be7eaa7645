package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// part is one file of a split model.
type part struct {
	no, count any
	total     int32
	tensors   []string
}

// split writes the parts PREFIX-00001-of-... and returns their paths. Each
// tensor is one float whose bytes are its name; the first part has all of
// allValues.
func split(t *testing.T, parts ...part) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for i, p := range parts {
		meta := []KV{{KeySplitNo, p.no}, {KeySplitCount, p.count}, {KeySplitTensors, p.total}}
		if i == 0 {
			meta = append(meta, allValues...)
		}
		var infos []TensorInfo
		var data [][]byte
		for _, name := range p.tensors {
			infos = append(infos, TensorInfo{name, F32, []int{1}})
			data = append(data, []byte(fmt.Sprintf("%4s", name)))
		}
		b, err := Encode(meta, infos, data)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, save(t, dir, fmt.Sprintf("m-%05d-of-%05d.gguf", i+1, len(parts)), b))
	}
	return paths
}

func TestSplit(t *testing.T) {
	paths := split(t,
		part{uint16(0), uint16(3), 3, nil},
		part{uint16(1), uint16(3), 3, []string{"b", "a"}},
		part{int32(2), int32(3), 3, []string{"c"}})
	f := open(t, paths[0])
	if !reflect.DeepEqual(f.ModelMeta(), allValues) {
		t.Errorf("metadata %v", f.ModelMeta())
	}
	if len(f.Meta()) != len(allValues)+3 || f.Name() != paths[0] {
		t.Errorf("%d keys in %s", len(f.Meta()), f.Name())
	}
	var names []string
	for _, w := range f.Tensors() {
		names = append(names, w.Name)
		if got := string(w.Data()); got != fmt.Sprintf("%4s", w.Name) {
			t.Errorf("%s is %q", w.Name, got)
		}
		if byName, _ := f.Tensor(w.Name); byName != w {
			t.Errorf("%s: not found by its name", w.Name)
		}
	}
	if !reflect.DeepEqual(names, []string{"b", "a", "c"}) {
		t.Errorf("tensors %v", names)
	}
	size := int64(0)
	for _, p := range paths {
		one, err := openOne(p)
		if err != nil {
			t.Fatal(err)
		}
		size += one.Size()
		one.Close()
	}
	if f.Size() != size {
		t.Errorf("size %d, want %d", f.Size(), size)
	}
	if _, err := Open(paths[1]); err == nil || !strings.HasSuffix(err.Error(), "file 2 of a split model: open the first, "+paths[0]) {
		t.Errorf("second file: %v", err)
	}
}

func TestSplitRefuses(t *testing.T) {
	u := func(n uint16) any { return n }
	for _, c := range []struct {
		name  string
		parts []part
		want  string // DIR stands for the folder
	}{
		{"total", []part{{u(0), u(2), 3, []string{"a"}}, {u(1), u(2), 3, []string{"b"}}},
			`gguf: DIR/m-00001-of-00002.gguf: key "split.tensors.count": 3, but the 2 files hold 2 tensors`},
		{"duplicate", []part{{u(0), u(2), 2, []string{"a"}}, {u(1), u(2), 2, []string{"a"}}},
			`gguf: DIR/m-00002-of-00002.gguf: tensor "a" is in an earlier file too (file 2 of 2 of a split model)`},
		{"number", []part{{u(0), u(2), 2, []string{"a"}}, {u(0), u(2), 2, []string{"b"}}},
			`gguf: DIR/m-00002-of-00002.gguf: its keys say file 1 of 2: it belongs to another model or was renamed (file 2 of 2 of a split model)`},
		{"count", []part{{u(0), u(2), 2, []string{"a"}}, {u(1), u(3), 2, []string{"b"}}},
			`gguf: DIR/m-00002-of-00002.gguf: its keys say file 2 of 3: it belongs to another model or was renamed (file 2 of 2 of a split model)`},
		{"whole file", []part{{u(0), u(2), 2, []string{"a"}}, {u(0), u(1), 2, []string{"b"}}},
			`gguf: DIR/m-00002-of-00002.gguf: its keys say file 1 of 1: it belongs to another model or was renamed (file 2 of 2 of a split model)`},
		{"name", []part{{u(0), u(3), 2, []string{"a"}}, {u(1), u(3), 2, []string{"b"}}},
			`gguf: DIR/m-00001-of-00002.gguf: file 1 of a model split in 3, but its name does not end in -00001-of-00003.gguf: give all files their names back`},
		{"type", []part{{"0", u(2), 2, []string{"a"}}, {u(1), u(2), 2, []string{"b"}}},
			`gguf: DIR/m-00001-of-00002.gguf: key "split.no": is string, want uint16`},
	} {
		paths := split(t, c.parts...)
		_, err := Open(paths[0])
		want := strings.ReplaceAll(c.want, "DIR/", filepath.Dir(paths[0])+string(filepath.Separator))
		if !errors.Is(err, ErrFormat) || err.Error() != want {
			t.Errorf("%s: got  %v\nwant %s", c.name, err, want)
		}
	}
}

func TestSplitMissing(t *testing.T) {
	paths := split(t, part{uint16(0), uint16(2), 2, []string{"a"}}, part{uint16(1), uint16(2), 2, []string{"b"}})
	if err := os.Remove(paths[1]); err != nil {
		t.Fatal(err)
	}
	_, err := Open(paths[0])
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), paths[1]) {
		t.Errorf("missing file: %v", err)
	}
}
