package measure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/convert"
)

// tinyF16 returns a GGUF file to quantise.
func tinyF16(t *testing.T) string {
	t.Helper()
	src := filepath.Join(t.TempDir(), "f16.gguf")
	if _, err := convert.Convert(t.Context(), check.Shared(t, "testdata", "cases", "hf-tiny"), src, convert.Options{Type: "F16"}); err != nil {
		t.Fatal(err)
	}
	return src
}

// withRoom makes folders have so much room while a test runs.
func withRoom(t *testing.T, bytes func(dir string) int64) {
	t.Helper()
	old := roomOf
	t.Cleanup(func() { roomOf = old })
	roomOf = func(dir string) (int64, bool) { return bytes(dir), true }
}

// TestAsideRoom: what is wanted is the temporary file and the output, with the types that they
// have; with less a GGUF file is measured itself, and a line says so, but not a folder.
func TestAsideRoom(t *testing.T) {
	folder, src := check.Shared(t, "testdata", "cases", "hf-tiny"), tinyF16(t)
	for _, less := range []int64{0, 1} {
		withRoom(t, func(string) int64 { return roomWanted(t, src) - less })
		prepared, notes := quantizeNotes(t, src, filepath.Join(t.TempDir(), "q.gguf"))
		said := strings.Contains(notes, "no room beside") && strings.Contains(notes, src+" is measured itself")
		if prepared != (less == 0) || said != (less == 1) {
			t.Errorf("with %d bytes less than it takes there is a temporary file: %v; notes:\n%s", less, prepared, notes)
		}
		withRoom(t, func(string) int64 { return roomWanted(t, folder) - less })
		_, err := Quantize(t.Context(), folder, filepath.Join(t.TempDir(), "q.gguf"), convert.Options{Type: "Q4_K_M"}, SelfOptions{Self: SelfAlways})
		if (err == nil) != (less == 0) || err != nil && !strings.Contains(err.Error(), "without self-calibration") {
			t.Errorf("a folder, with %d bytes less than it takes: %v", less, err)
		}
	}
}

// roomWanted returns the bytes of the two files that are made of src.
func roomWanted(t *testing.T, src string) int64 {
	t.Helper()
	s, err := convert.Examine(src)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(roomSlack)
	for _, typ := range []string{"Q4_K_M", asideType} {
		n, err := s.FileBytes(convert.Options{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// quantizeNotes quantises and returns whether a temporary file was prepared, and what was said.
func quantizeNotes(t *testing.T, src, dst string) (prepared bool, notes string) {
	t.Helper()
	var lines strings.Builder
	opt := convert.Options{Type: "Q4_K_M", Logf: func(format string, args ...any) { fmt.Fprintf(&lines, format+"\n", args...) }}
	self := SelfOptions{Self: SelfAlways, Progress: func(what string, _, _ int) { prepared = prepared || what == "prepared" }}
	if _, err := Quantize(t.Context(), src, dst, opt, self); err != nil {
		t.Fatal(err)
	}
	return prepared, lines.String()
}

// TestAsideLeftover: the temporary file of a run that was killed goes before anybody looks for
// room, and one line says so.
func TestAsideLeftover(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders cannot be locked")
	}
	dir := t.TempDir()
	left := filepath.Join(dir, ".q.gguf.0123abcd.tmp")
	if err := os.WriteFile(left, []byte("most of a model"), 0o666); err != nil {
		t.Fatal(err)
	}
	withRoom(t, func(string) int64 {
		if _, err := os.Stat(left); err == nil {
			return 0
		}
		return 1 << 40
	})
	prepared, notes := quantizeNotes(t, tinyF16(t), filepath.Join(dir, "q.gguf"))
	if !prepared || strings.Count(notes, left) != 1 || !strings.Contains(notes, "is removed") {
		t.Errorf("a temporary file: %v; notes:\n%s", prepared, notes)
	}
	checkAlone(t, dir, "q.gguf")
}

// TestAsideErrors: an error about the temporary file tells what it is for, beside what, why, and
// what to do, but not its name.
func TestAsideErrors(t *testing.T) {
	src := tinyF16(t)
	s, err := convert.Examine(src)
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "nowhere", "q.gguf")
	_, err = openAside(t.Context(), src, dst, s, convert.Options{Type: "Q4_K_M"}, func(string, int, int) {})
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, want := range []string{"temporary file that is measured", "Q8_0", "beside " + dst, "cannot be written", "free room", "without self-calibration"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), ".tmp") {
		t.Errorf("%v: names the temporary file", err)
	}
}

// TestAsideExplains: errors that others than the disk are to blame for advise nothing.
func TestAsideExplains(t *testing.T) {
	const path = "/out/.q.gguf.0123abcd.tmp"
	full := &aside{path: path, dst: "/out/q.gguf"}
	open := &aside{path: path, dst: "/out/q.gguf", m: new(mpt.Model), remove: func() {}}
	for text, c := range map[string]struct {
		a       *aside
		advises bool
	}{
		"convert: " + path + `: not finished: gguf: ` + path + `: tensor "x": no space left on device`: {full, true},
		"convert: gguf: " + path + ": reserve 9 bytes: no space left on device":                        {full, true},
		"convert: " + path + ": not finished: tensor x: rows from 0: NaN":                              {full, false},
		"mpt: " + path + ": reading failed":                                                            {open, false},
	} {
		got := c.a.explain(fmt.Errorf("%s%w", text, context.Canceled))
		if s := got.Error(); strings.Contains(s, path) || strings.Contains(s, "free room") != c.advises || !strings.Contains(s, "beside /out/q.gguf") {
			t.Errorf("%s: %v", text, got)
		}
		if !errors.Is(got, context.Canceled) {
			t.Errorf("%s: the error is lost", text)
		}
	}
	if err := errors.New("another error"); full.explain(err) != err || full.explain(nil) != nil {
		t.Error("errors about other things are changed")
	}
}

// TestCalibrationCancel: a block under measurement does not go on when the output has failed.
func TestCalibrationCancel(t *testing.T) {
	m, err := mpt.Open(tinyF16(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := newCalibration(t.Context(), m, [][]int32{{1, 2, 3}}, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	name := m.Matrices()[0].Name
	if c.Want(name); name == "" {
		t.Fatal("no matrix")
	}
	c.Cancel(errors.New("the disk is full"))
	if _, err := c.Entry(name); !errors.Is(err, context.Canceled) && (err == nil || !strings.Contains(err.Error(), "full")) {
		t.Errorf("measured after all: %v", err)
	}
}
