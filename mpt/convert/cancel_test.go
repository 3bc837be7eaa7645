package convert

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mptgo/gguf"
	"mptgo/quantize/imatrix"
)

// slowInputs measure until they are cancelled.
type slowInputs struct {
	asked, cancelled chan struct{}
}

func (s *slowInputs) Want(string) bool { return true }
func (s *slowInputs) Done(string)      {}
func (s *slowInputs) Cancel(error)     { close(s.cancelled) }
func (s *slowInputs) Entry(string) (*imatrix.Entry, error) {
	close(s.asked)
	select {
	case <-s.cancelled:
		return nil, errors.New("cancelled")
	case <-time.After(time.Minute):
		return nil, errors.New("measured to the end")
	}
}

// TestInputsCancelled: what is measured for a file that fails ends with it, and the failure is
// what is told.
func TestInputsCancelled(t *testing.T) {
	dir, full := t.TempDir(), errors.New("no space left")
	in := &slowInputs{make(chan struct{}), make(chan struct{})}
	slow := source{typ: gguf.F32, rows: 1, rowBytes: 32 * 4, read: func([]byte, int, int) error { return nil }}
	failing := slow
	failing.read = func([]byte, int, int) error { <-in.asked; return full }
	p := &plan{tensors: []output{
		{info: gguf.TensorInfo{Name: "blk.0.a.weight", Type: gguf.Q8_0, Shape: []int{32, 1}}, row: 32, parts: []part{slow.whole()}},
		{info: gguf.TensorInfo{Name: "blk.0.b.weight", Type: gguf.Q8_0, Shape: []int{32, 1}}, row: 32, parts: []part{failing.whole()}},
	}}
	p.tensors[0].setFeedback(in, nil)
	_, err := p.write(t.Context(), filepath.Join(dir, "out.gguf"), Options{Inputs: in, Threads: 2, Logf: t.Logf})
	if !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	select {
	case <-in.cancelled:
	default:
		t.Error("nobody has told the inputs")
	}
	if list, _ := os.ReadDir(dir); len(list) > 0 {
		t.Errorf("%s is left", list[0].Name())
	}
}
