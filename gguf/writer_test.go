package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// create starts the tiny file at path.
func create(t *testing.T, path string, opt Options) *Writer {
	t.Helper()
	w, err := Create(path, tinyMeta, tinyTensors, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// fill writes the content of the tiny file.
func fill(t *testing.T, w *Writer) {
	t.Helper()
	for i, p := range tinyData {
		if n, err := w.WriteAt(i, p, 0); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
}

// list returns the names in the folder of path.
func list(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("%s: %q, %v; want %q", path, b, err, want)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.gguf")
	w := create(t, path, Options{})
	if w.Size() != int64(len(tiny)) {
		t.Errorf("size %d, want %d", w.Size(), len(tiny))
	}
	names := list(t, path)
	if len(names) != 1 || !strings.HasPrefix(names[0], ".out.gguf.") || !strings.HasSuffix(names[0], ".tmp") {
		t.Errorf("while it is written the folder holds %q", names)
	}
	if info, err := os.Stat(filepath.Join(filepath.Dir(path), names[0])); err != nil || info.Size() != w.Size() {
		t.Errorf("the temporary file has not got its size: %v, %v", info, err)
	}
	fill(t, w)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, tiny)
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if names := list(t, path); !reflect.DeepEqual(names, []string{"out.gguf"}) {
		t.Errorf("in the end the folder holds %q", names)
	}
	wantError(t, w.Commit(), "gguf: "+path+": committed or aborted already")
	if _, err := w.WriteAt(0, []byte{1}, 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("write after Commit: %v", err)
	}
	// Umask aside, the file must not be private as temporary files are.
	if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm()&0o400 == 0 || info.Mode().Perm()&0o111 != 0) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestWriterRelative writes into the working directory, by a bare name.
func TestWriterRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	w := create(t, "out.gguf", Options{})
	fill(t, w)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, "out.gguf", tiny)
}

// TestWriterPieces writes one byte at a time from many goroutines.
func TestWriterPieces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.gguf")
	w := create(t, path, Options{})
	var wg sync.WaitGroup
	for i, p := range tinyData {
		for j := range p {
			wg.Go(func() {
				if _, err := w.WriteAt(i, p[j:j+1], int64(j)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, tiny)
}

func TestWriterMissingBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.gguf")
	w := create(t, path, Options{})
	for _, off := range []int64{0, 0, 20} { // twice the same does not count twice
		if _, err := w.WriteAt(0, tinyData[0][off:off+16], off); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, w.Commit(), "gguf: "+path+`: tensor "w": 4 of 36 bytes have not been written, the first at 16`)
	if _, err := w.WriteAt(0, tinyData[0], 0); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.Commit(), "gguf: "+path+`: tensor "b": 4 of 4 bytes have not been written, the first at 0`)
	fill(t, w)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, tiny)
}

func TestWriterBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.gguf")
	w := create(t, path, Options{})
	for _, c := range []struct {
		tensor int
		n      int
		off    int64
		want   string
	}{
		{-1, 1, 0, `tensor -1 of 2 does not exist`},
		{2, 1, 0, `tensor 2 of 2 does not exist`},
		{0, 37, 0, `tensor "w": 37 bytes at 0 do not fit in 36`},
		{0, 1, 36, `tensor "w": 1 bytes at 36 do not fit in 36`},
		{0, 1, -1, `tensor "w": 1 bytes at -1 do not fit in 36`},
		{1, 1, math.MaxInt64, `tensor "b": 1 bytes at 9223372036854775807 do not fit in 4`},
	} {
		n, err := w.WriteAt(c.tensor, make([]byte, c.n), c.off)
		wantError(t, err, "gguf: "+path+": "+c.want)
		if n != 0 {
			t.Errorf("%s: wrote %d", c.want, n)
		}
	}
}

func TestWriterAbort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.gguf")
	w := create(t, path, Options{})
	fill(t, w)
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
	}
	if names := list(t, path); len(names) != 0 {
		t.Errorf("the folder holds %q", names)
	}
	wantError(t, w.Commit(), "gguf: "+path+": committed or aborted already")
}

func TestWriterExisting(t *testing.T) {
	path := save(t, t.TempDir(), "out.gguf", []byte("old"))
	refusal := "gguf: " + path + ": file already exists: choose another name, or allow to replace it"
	_, err := Create(path, tinyMeta, tinyTensors, Options{})
	wantError(t, err, refusal)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v does not wrap fs.ErrExist", err)
	}
	if names := list(t, path); len(names) != 1 {
		t.Errorf("the folder holds %q", names)
	}

	w := create(t, path, Options{Force: true})
	fill(t, w)
	wantContent(t, path, "old")
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, tiny)
}

// A file that is replaced leaves its permissions to the new one. Links lead to the file, even
// to one that there is not yet: that needs Force, for the name exists.
func TestWriterLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs links and permissions")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(in("old"), []byte("old"), 0o600), os.Symlink("old", in("link")), os.Symlink("none", in("dangling"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "dangling"} {
		if _, err := Create(in(name), tinyMeta, tinyTensors, Options{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, target := range map[string]string{"link": "old", "dangling": "none", strings.Repeat("n", 255): strings.Repeat("n", 255)} {
		w := create(t, in(name), Options{Force: true})
		fill(t, w)
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		wantContent(t, in(target), tiny)
		if to, err := os.Readlink(in(name)); name != target && (err != nil || to != target) {
			t.Errorf("%s: no link any more: %q, %v", name, to, err)
		}
	}
	if info, err := os.Stat(in("old")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := filepath.Glob(in(".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestWriterOvertaken has a file of the name appear while ours is written.
func TestWriterOvertaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.gguf")
	w := create(t, path, Options{})
	fill(t, w)
	save(t, filepath.Dir(path), "out.gguf", []byte("other"))
	if err := w.Commit(); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Commit: %v", err)
	}
	wantContent(t, path, "other")
	if err := os.Rename(path, path+".other"); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
	wantContent(t, path, tiny)
}

// TestWriterRobbed has the unfinished file disappear: the error names the file that
// there should be.
func TestWriterRobbed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be removed")
	}
	path := filepath.Join(t.TempDir(), "out.gguf")
	w := create(t, path, Options{})
	fill(t, w)
	temporary, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".out.gguf.*.tmp"))
	if err != nil || len(temporary) != 1 {
		t.Fatal(temporary, err)
	}
	if err := os.Remove(temporary[0]); err != nil {
		t.Fatal(err)
	}
	err = w.Commit()
	if want := "gguf: " + path + ": cannot give the new file its name: "; err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("got %v, want %s...", err, want)
	}
	save(t, filepath.Dir(path), filepath.Base(temporary[0]), nil) // for Abort to remove
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := Create(filepath.Join(dir, "none", "out.gguf"), nil, nil, Options{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if want := "gguf: " + filepath.Join(dir, "none", "out.gguf") + ": cannot write to folder " + filepath.Join(dir, "none") + ": "; !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("no folder: got %v, want %s...", err, want)
	}
	_, err = Create("", nil, nil, Options{Force: true})
	wantError(t, err, "gguf: create: the name of the file is empty")
	_, err = Create(dir, nil, nil, Options{Force: true})
	wantError(t, err, "gguf: "+dir+": exists and is not a regular file")
	_, err = Create(filepath.Join(dir, "x"), []KV{{"a", 1}}, nil, Options{})
	wantError(t, err, "gguf: "+filepath.Join(dir, "x")+`: key "a": an int has no size in a file: use int32, uint32 or a 64-bit type`)
	if names := list(t, filepath.Join(dir, "x")); len(names) != 0 {
		t.Errorf("the folder holds %q", names)
	}
}

// TestCreateNoSpace asks for more than any disk has.
func TestCreateNoSpace(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux reserves space")
	}
	values := int64(1 << 58)
	if values > math.MaxInt {
		t.Skip("an int has 32 bits here")
	}
	path := filepath.Join(t.TempDir(), "out.gguf")
	_, err := Create(path, nil, []TensorInfo{{"w", F32, []int{int(values)}}}, Options{})
	if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("gguf: %s: reserve %d bytes: ", path, 4*values+64)) {
		t.Errorf("got %v", err)
	}
	if names := list(t, path); len(names) != 0 {
		t.Errorf("the folder holds %q", names)
	}
}

func TestEncodeRefuses(t *testing.T) {
	info := func(name string, typ Type, ne ...int) []TensorInfo { return []TensorInfo{{name, typ, ne}} }
	for _, c := range []struct {
		meta    []KV
		tensors []TensorInfo
		data    [][]byte
		want    string
	}{
		{meta: []KV{{"", true}}, want: `key of 0 bytes: want 1 to 65535`},
		{meta: []KV{{strings.Repeat("k", 65536), true}}, want: `key of 65536 bytes: want 1 to 65535`},
		{meta: []KV{{"a", true}, {"a", true}}, want: `key "a" appears twice`},
		{meta: []KV{{"a", nil}}, want: `key "a": a <nil> cannot be stored`},
		{meta: []KV{{"a", [][]int32{}}}, want: `key "a": a [][]int32 cannot be stored`},
		{meta: []KV{{"a", []int{}}}, want: `key "a": an int has no size in a file: use int32, uint32 or a 64-bit type`},
		{meta: []KV{{"a", F32}}, want: `key "a": a gguf.Type cannot be stored`},
		{meta: []KV{{"a", make([]uint8, maxElements+1)}}, want: `key "a": 16777217 elements: the limit is 16777216`},
		{meta: []KV{{"a", string(make([]byte, maxText+1))}}, want: `key "a": string of 67108865 bytes: the limit is 67108864`},
		{meta: make([]KV, maxKeys+1), want: `65537 keys: the limit is 65536`},
		{meta: []KV{{KeyAlignment, uint32(64)}}, want: `key "general.alignment": is 64, but files are written with 32: leave the key out`},
		{meta: []KV{{KeyAlignment, []uint32{32}}}, want: `key "general.alignment": is [32], but files are written with 32: leave the key out`},
		{tensors: make([]TensorInfo, maxTensors+1), want: `1048577 tensors: the limit is 1048576`},
		{tensors: info("", F32, 1), want: `tensor "": name of 0 bytes: want 1 to 63`},
		{tensors: info(strings.Repeat("n", 64), F32, 1), want: `tensor "` + strings.Repeat("n", 64) + `": name of 64 bytes: want 1 to 63`},
		{tensors: append(info("w", F32, 1), info("w", F32, 1)...), want: `tensor "w" appears twice`},
		{tensors: info("w", F32), want: `tensor "w": 0 dimensions: want 1 to 4`},
		{tensors: info("w", F32, 1, 1, 1, 1, 1), want: `tensor "w": 5 dimensions: want 1 to 4`},
		{tensors: info("w", F32, 1, 0), want: `tensor "w": dimension 1 is 0: want at least 1`},
		{tensors: info("w", Q4_0, 33), want: `tensor "w": rows of 33 values do not divide into Q4_0 blocks of 32`},
		{tensors: info("w", 5, 32), want: `tensor "w": type Q4_3 (5) was removed from the format: quantise the model again`},
		{tensors: append(info("w", I8, math.MaxInt-63), info("v", I8, 64)...), want: `tensor "v": 64 bytes after 9223372036854775744 of others: too many`},
		{tensors: info("w", I8, math.MaxInt-32), want: `9223372036854775776 bytes of tensors: too many`},
		{tensors: info("w", F32, 1), want: `data of 0 tensors, want 1`},
		{tensors: info("w", F32, 1), data: [][]byte{{1, 2, 3}}, want: `tensor "w": 3 bytes of data, want 4`},
	} {
		if strings.Contains(c.want, "92233720368547757") && math.MaxInt == math.MaxInt32 {
			continue // an int of 32 bits cannot ask for so much
		}
		_, err := Encode(c.meta, c.tensors, c.data)
		wantError(t, err, "gguf: "+c.want)
	}
}

// TestInfoSize holds the size of a planned tensor against that of a real one.
func TestInfoSize(t *testing.T) {
	f := mustParse(t, []byte(tiny))
	for _, w := range f.Tensors() {
		if n, err := w.Info().Size(); n != w.Size() || err != nil {
			t.Errorf("%s: %d, %v; want %d", w.Name, n, err, w.Size())
		}
	}
	_, err := TensorInfo{"w", Q4_0, []int{1}}.Size()
	wantError(t, err, `gguf: tensor "w": rows of 1 values do not divide into Q4_0 blocks of 32`)
}

// TestWriterFailure has a write fail, as on a full disk: of a large piece at
// once, of a small one when the file is to be finished, and not only then.
func TestWriterFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.gguf")
	w := create(t, path, Options{})
	fill(t, w)
	w.file.Close()
	for range 2 {
		err := w.Commit()
		if !errors.Is(err, fs.ErrClosed) || !strings.HasPrefix(err.Error(), "gguf: "+path+": ") {
			t.Errorf("got %v", err)
		}
	}
	_, err := w.WriteAt(1, tinyData[1], 0)
	if !errors.Is(err, fs.ErrClosed) || !strings.HasPrefix(err.Error(), "gguf: "+path+`: tensor "b": `) {
		t.Errorf("got %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if names := list(t, path); len(names) != 0 {
		t.Errorf("the folder holds %q", names)
	}
}
