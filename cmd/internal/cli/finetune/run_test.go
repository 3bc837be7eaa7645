package finetune

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mptgo/internal/filelock"
	"mptgo/mpt/builtin"
	"mptgo/mpt/tune"
	"mptgo/mpt/tune/data"
	"mptgo/mpt/tune/report"
)

// oneRow is data of one row.
type oneRow []int32

func (oneRow) Len() int                    { return 1 }
func (x oneRow) Row(int) (data.Row, error) { return data.Row{Tokens: x, Labels: x}, nil }

// runOf returns a run of two steps on the built-in model, with a folder, and what it says to people.
func runOf(t *testing.T, out string) (*run, *bytes.Buffer) {
	t.Helper()
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	o, err := tune.Defaults(tune.AdamW)
	if err != nil {
		t.Fatal(err)
	}
	rows := oneRow{5, 6, 7}
	tr, err := tune.New(m, rows, 0, tune.Config{
		LoRA: tune.LoRA{Rank: 1, Alpha: 1}, Optimizer: o, Schedule: tune.Schedule{Name: "constant"}, Batch: 1, MaxSteps: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	l, err := report.Open(t.TempDir(), -1, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var said bytes.Buffer
	return &run{
		options: &options{out: out, output: "text", logEvery: 1, typ: "F32", saveTime: time.Duration(math.MaxInt64)},
		ctx:     t.Context(), out: io.Discard, err: &said, model: m, trainer: tr, log: l, saved: time.Now(), saveSteps: 1,
	}, &said
}

// TestNoCheckpoint: a checkpoint that cannot be written is told of once, and that training goes on only as
// long as it does.
func TestNoCheckpoint(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, said := runOf(t, filepath.Join(file, "below"))
	for r.trainer.Done() < r.trainer.Steps() {
		if err := r.step(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.finish(); err == nil || !strings.Contains(err.Error(), "neither the last checkpoint nor the adapter") {
		t.Error(err)
	}
	text := strings.Join(strings.Fields(said.String()), " ")
	const going, ended = "could not be written, and training goes on; there is none yet", "could not be written; there is none yet"
	if strings.Count(text, going) != 1 || strings.Count(text, ended) != 1 || strings.Count(text, "could not be written") != 2 {
		t.Error(text)
	}
}

// TestCheckpoints: of a folder that is written over only checkpoints make room, for they alone are removed.
func TestCheckpoints(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"checkpoint-1/a": 10, "checkpoint-20/b": 5, "checkpoint-x/c": 100, "mine": 1000} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, bytes := checkpoints(dir); n != 2 || bytes != 15 {
		t.Errorf("%d checkpoints of %d bytes", n, bytes)
	}
	if n, bytes := checkpoints(filepath.Join(dir, "none")); n != 0 || bytes != 0 {
		t.Errorf("%d checkpoints of %d bytes", n, bytes)
	}
}

// TestClaim: who finds a new folder taken is told that alone, and not to go on with the other's run.
func TestClaim(t *testing.T) {
	dir := t.TempDir()
	l, err := filelock.Take(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "checkpoint-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := &run{options: &options{out: dir}}
	switch err := r.claim(dir); {
	case err == nil:
		t.Error("two have the folder")
	case !strings.Contains(err.Error(), "another run writes to") && !strings.Contains(err.Error(), "not empty"): // without locks
		t.Error(err)
	case strings.Contains(err.Error(), "another run writes to") && strings.Contains(err.Error(), "--resume"):
		t.Error(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if err := r.claim(dir); err == nil || !strings.Contains(err.Error(), "go on with its run by --resume") {
		t.Error(err)
	}
	r.unlock()
	if err := os.Remove(filepath.Join(dir, "checkpoint-1")); err != nil {
		t.Fatal(err)
	}
	if err := r.claim(dir); err != nil || r.locked == nil {
		t.Error(err)
	}
	r.unlock()
}
