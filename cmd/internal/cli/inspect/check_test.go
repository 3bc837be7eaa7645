package inspect_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/cmd/internal/cli"
	"mptgo/gguf"
	"mptgo/internal/check"
	"mptgo/quantize"
)

// TestInspectCheck breaks scales of every type that can be written, and finds them.
func TestInspectCheck(t *testing.T) {
	var infos []gguf.TensorInfo
	var data [][]byte
	for typ := gguf.Type(0); typ < 64; typ++ {
		f, ok := quantize.Lookup(typ)
		if !ok || f.Encode == nil {
			continue
		}
		info := gguf.TensorInfo{Name: typ.String(), Type: typ, Shape: []int{512, 3}}
		n, err := info.Size()
		if err != nil {
			t.Fatal(err)
		}
		infos, data = append(infos, info), append(data, make([]byte, n))
	}
	infos, data = append(infos, gguf.TensorInfo{Name: "numbers", Type: gguf.I32, Shape: []int{1}}), append(data, make([]byte, 4))
	file := filepath.Join(t.TempDir(), "m.gguf")
	check := func() (string, string, int) {
		b, err := gguf.Encode(nil, infos, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o666); err != nil {
			t.Fatal(err)
		}
		root := cli.Mpt()
		var out, errs bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&errs)
		code := cli.Main(root, []string{"inspect", "--check", file})
		return out.String(), errs.String(), code
	}
	if out, errs, code := check(); code != 0 || !strings.Contains(out, "all weights are finite") || !strings.Contains(out, "numbers: not checked") {
		t.Fatalf("good weights: %q %q %d", out, errs, code)
	}
	broken := 0
	for i, info := range infos {
		// The first block of the last row that bytes of 0xff make NaN, if any do.
		row := len(data[i]) / 3
		if n, _, err := quantize.NotFinite(info.Type, bytes.Repeat([]byte{0xff}, row)); err != nil || n == 0 {
			continue
		}
		for j := range row {
			data[i][2*row+j] = 0xff
		}
		broken++
	}
	out, errs, code := check()
	if code != 1 || strings.Count(out, "infinite or NaN") != broken || broken < 20 {
		t.Errorf("%d types broken, found:\n%s%s", broken, out, errs)
	}
	for _, want := range []string{"F32: F32: 512 of 1536 values are infinite or NaN, the first is number 1024\n",
		"Q4_0: Q4_0: 16 of 48 blocks of 32 values have a scale that is infinite or NaN, the first is number 32\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

// TestInspectCheckCheckpoint does it with a checkpoint.
func TestInspectCheckCheckpoint(t *testing.T) {
	root, err := check.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "mpt", "testdata", "cases", "hf-tiny")
	b, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[len(b)-4:], math.Float32bits(float32(math.Inf(-1))))
	file := filepath.Join(t.TempDir(), "bad.safetensors")
	if err := os.WriteFile(file, b, 0o666); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "14 tensors checked: all weights are finite", file: "1 of ", filepath.Join(dir, "model.safetensors"): "all weights are finite"} {
		root := cli.Mpt()
		var out, errs bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&errs)
		code := cli.Main(root, []string{"inspect", "--check", path})
		if !strings.Contains(out.String(), want) || (code == 0) != (path != file) {
			t.Errorf("%s: %d, %s%s", path, code, &out, &errs)
		}
	}
}
