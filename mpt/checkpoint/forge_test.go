package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zip"
)

// asm puts pickles together, one instruction after the other.
type asm struct{ bytes.Buffer }

func newPickle() *asm { a := &asm{}; a.WriteString("\x80\x02"); return a }

func (a *asm) op(s string) *asm { a.WriteString(s); return a }

func (a *asm) str(s string) *asm {
	a.WriteByte('X')
	binary.Write(a, binary.LittleEndian, uint32(len(s)))
	return a.op(s)
}

func (a *asm) int(n int) *asm {
	a.WriteByte('J')
	binary.Write(a, binary.LittleEndian, int32(n))
	return a
}

func (a *asm) ints(ns ...int) *asm {
	a.op("(")
	for _, n := range ns {
		a.int(n)
	}
	return a.op("t")
}

// storage pushes a reference to a storage.
func (a *asm) storage(class, key string, count int) *asm {
	return a.op("(").str("storage").op("ctorch\n" + class + "\n").str(key).str("cpu").int(count).op("tQ")
}

// tensor pushes a name and a tensor over a storage of floats.
func (a *asm) tensor(name, key string, count, offset int, shape, strides []int) *asm {
	a.str(name).op("ctorch._utils\n_rebuild_tensor_v2\n(").storage("FloatStorage", key, count)
	return a.int(offset).ints(shape...).ints(strides...).op("\x89ccollections\nOrderedDict\n)RtR")
}

func (a *asm) stop() []byte { return a.op(".").Bytes() }

// entry is a member of a forged zip file.
type entry struct {
	name   string
	data   []byte
	method uint16
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// torchZip is a torch file with this pickle and the given storages "0", "1", ...
func torchZip(t testing.TB, pickle []byte, storages ...[]byte) []byte {
	t.Helper()
	entries := []entry{{name: "archive/data.pkl", data: pickle}}
	for i, s := range storages {
		entries = append(entries, entry{name: "archive/data/" + string(rune('0'+i)), data: s})
	}
	return zipOf(t, entries...)
}

// torchLegacy is a legacy file with this object; each storage is a key, a count
// and bytes.
func torchLegacy(object []byte, key string, count int, data []byte) []byte {
	var b bytes.Buffer
	b.Write(legacyMagic)
	b.WriteString(".")
	b.Write(newPickle().op("M\xe9\x03").stop())
	b.Write(newPickle().op("}(").str("little_endian").op("\x88u").stop())
	b.Write(object)
	b.Write(newPickle().op("](").str(key).op("e").stop())
	binary.Write(&b, binary.LittleEndian, uint64(count))
	b.Write(data)
	return b.Bytes()
}

// safetensorsOf is a file with this header, which is JSON, and data.
func safetensorsOf(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

// floats returns n little-endian float32: 0, 1, 2, ...
func floats(n int) []byte {
	b := make([]byte, 4*n)
	for i := range n {
		if _, err := binary.Encode(b[4*i:], binary.LittleEndian, float32(i)); err != nil {
			panic(err)
		}
	}
	return b
}

// folder writes files into a new folder.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// caseDir is the folder of a reference checkpoint.
func caseDir(name string) string { return filepath.Join("..", "testdata", "cases", name) }

func readCase(t testing.TB, name, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(caseDir(name), file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// edit returns a JSON object with some fields set; nil removes one.
func edit(t testing.TB, object []byte, fields map[string]any) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(object, &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range fields {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
