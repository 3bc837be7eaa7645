package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/internal/check"
)

func memSafetensors(b []byte) (*Container, error) {
	return newContainer("x.safetensors", bytes.NewReader(b), int64(len(b)), (*Container).readSafetensors)
}

func TestSafetensors(t *testing.T) {
	header := `{"__metadata__":{"format":"pt"},"b":{"dtype":"I32","shape":[2,2],"data_offsets":[8,24]},"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},` +
		`"empty":{"dtype":"F32","shape":[0,5],"data_offsets":[8,8]},"scalar":{"dtype":"F64","shape":[],"data_offsets":[24,32]}}  `
	data := make([]byte, 32)
	for i := range data {
		data[i] = byte(i)
	}
	c, err := memSafetensors(safetensorsOf(header, data))
	if err != nil {
		t.Fatal(err)
	}
	if c.Metadata()["format"] != "pt" || len(c.Tensors()) != 4 {
		t.Fatalf("metadata %v, %d tensors", c.Metadata(), len(c.Tensors()))
	}
	b, ok := c.Tensor("b")
	scalar := c.Tensors()[3]
	if _, none := c.Tensor("c"); !ok || none {
		t.Error("a tensor was not found by its name, or one that does not exist was")
	}
	got := make([]byte, 8)
	if err := b.ReadRows(got, 1, 2); err != nil || !bytes.Equal(got, data[16:24]) {
		t.Errorf("row 1: % x, %v", got, err)
	}
	if err := scalar.ReadRows(got, 0, 1); err != nil || !bytes.Equal(got, data[24:]) {
		t.Errorf("scalar: % x, %v", got, err)
	}
	for _, r := range [][2]int{{1, 3}, {-1, 1}, {2, 1}} {
		if err := b.ReadRows(make([]byte, 8*max(0, r[1]-r[0])), r[0], r[1]); err == nil {
			t.Errorf("rows %v of 2 were read", r)
		}
	}
	if err := b.ReadRows(got[:7], 0, 1); err == nil {
		t.Error("a row was read into too few bytes")
	}
	if _, err := b.Type(); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "I32") {
		t.Errorf("type of an integer tensor: %v", err)
	}
}

func TestSafetensorsErrors(t *testing.T) {
	one := func(dtype, shape, offsets string) []byte {
		return safetensorsOf(`{"w":{"dtype":"`+dtype+`","shape":`+shape+`,"data_offsets":`+offsets+`}}`, make([]byte, 16))
	}
	for _, c := range []struct {
		file []byte
		want string
	}{
		{nil, "the file is empty"},
		{[]byte("short"), "too few for a safetensors file"},
		{[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "git lfs pull"},
		{[]byte("GGUF\x03\x00\x00\x00\x00\x00\x00\x00"), "this is a GGUF file"},
		{binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "does not fit in a file of 8"},
		{binary.LittleEndian.AppendUint64(nil, 9), "does not fit in a file of 8"},
		{safetensorsOf(`[]`, nil), "not a JSON object"},
		{safetensorsOf(`{"w":`, nil), "header: "},
		{safetensorsOf(`{"w":5}`, nil), `tensor "w"`},
		{safetensorsOf(`{"__metadata__":{"a":5}}`, nil), "__metadata__"},
		{safetensorsOf(`{"w":{"dtype":"F32","shape":[1]}}`, nil), "data_offsets are missing"},
		{one("", "[4]", "[0,16]"), "dtype, shape or data_offsets are missing"},
		{one("F32", "[4]", "[0,17]"), "lie outside the 16 bytes of data: the file is truncated or damaged"},
		{one("F32", "[4]", "[8,4]"), "lie outside"},
		{one("F32", "[4]", "[-4,12]"), "lie outside"},
		{one("F32", "[5]", "[0,16]"), "takes 20 bytes, the file gives it 16"},
		{one("F32", "[-4]", "[0,16]"), "too large or negative"},
		{one("F32", "[4294967296,4294967296]", "[0,0]"), "too large or negative"},
		{one("F32", "[4611686018427387904,4]", "[0,0]"), "too large or negative"},
		{safetensorsOf(`{"w":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"v":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}}`, make([]byte, 5)), `"w" and "v" overlap`},
		{safetensorsOf(`{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, make([]byte, 2)), `two tensors are named "w"`},
		{safetensorsOf(`{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, make([]byte, 2)), "has no name"},
	} {
		_, err := memSafetensors(c.file)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "checkpoint: x.safetensors: ") {
			t.Errorf("got  %v\n\twant %s", err, c.want)
		}
	}
}

// TestSparse opens a file of 64 GB, of which only the header exists, and reads its
// last row: neither may depend on the size of the file.
func TestSparse(t *testing.T) {
	const rows, cols = 16 << 20, 1 << 10
	header := `{"w":{"dtype":"F32","shape":[16777216,1024],"data_offsets":[0,68719476736]}}`
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, safetensorsOf(header, nil), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 8+int64(len(header))+4*rows*cols); err != nil {
		t.Skipf("no sparse files here: %v", err)
	}
	c, err := OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	row := make([]byte, 4*cols)
	if err := c.Tensors()[0].ReadRows(row, rows-1, rows); err != nil {
		t.Error(err)
	}
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := c.Tensors()[0].ReadRows(row, rows-1, rows); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "ended") {
		t.Errorf("a file that has shrunk: %v", err)
	}
}

func FuzzSafetensorsHeader(f *testing.F) {
	f.Add([]byte(`{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"v":{"dtype":"I8","shape":[],"data_offsets":[16,17]}}`), uint16(17))
	f.Add([]byte(`{"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[0],"data_offsets":[4,4]}} `), uint16(9))
	f.Fuzz(func(t *testing.T, header []byte, data uint16) {
		file := safetensorsOf(string(header), make([]byte, data))
		check.Bounded(t, len(file), func() {
			if c, err := memSafetensors(file); err == nil {
				readAll(t, c)
			}
		})
	})
}

// readAll reads the tensors of a fuzzed file, which must have been checked well
// enough for that. Broadcast dimensions can make a tensor larger than its file.
func readAll(t *testing.T, c *Container) {
	t.Helper()
	for _, x := range c.Tensors() {
		if x.Bytes() > 1<<20 || x.Bytes() == 0 || x.dtype.isOpaque() {
			continue
		}
		if err := x.ReadRows(make([]byte, x.Bytes()), 0, x.Rows()); err != nil {
			t.Errorf("%s: %v", x.Name, err)
		}
	}
}
