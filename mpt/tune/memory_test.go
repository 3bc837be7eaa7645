package tune

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mptgo/mpt"
)

// TestCheck refuses by the memory that there is, without rows: what New would take of rows so long.
func TestCheck(t *testing.T) {
	m := variants[0].model(t, mpt.MemoryBudget(1<<40))
	c := small()
	e, err := Check(m, 20, c)
	if err != nil {
		t.Fatal(err)
	}
	if e.Program < code || e.Total() != e.Weights+e.Adapter+e.Workspace+e.Buffers+e.Program {
		t.Errorf("%+v", e)
	}
	half := variants[0].model(t, mpt.MemoryBudget(e.Total()/2))
	var short *MemoryError
	if _, err := Check(half, 20, c); !errors.As(err, &short) || !strings.Contains(err.Error(), "are allowed") {
		t.Errorf("half of the memory: %v", err)
	}
	if _, err := Check(variants[0].model(t, mpt.MemoryBudget(1), mpt.IgnoreMemory()), 20, c); err != nil {
		t.Errorf("memory that nobody looks at: %v", err)
	}
	learned := variants[slices.IndexFunc(variants, func(v variant) bool { return v.positions })].model(t)
	if _, err := Check(learned, 1<<20, c); err == nil || !strings.Contains(err.Error(), "learned positions for") {
		t.Errorf("more rows than positions: %v", err)
	}
	c.LoRA.Targets = []string{"lm_head"}
	if _, err := Check(m, 20, c); err == nil || !strings.Contains(err.Error(), "--lora-target") {
		t.Errorf("a module that cannot be trained: %v", err)
	}
}

// TestTrial: a trial changes nothing.
func TestTrial(t *testing.T) {
	c := small()
	c.LoRA.Dropout = 0.1
	want := adapterOf(t, trainerOf(t, variants[0].model(t), someRows(9), c))
	tr := trainerOf(t, variants[0].model(t), someRows(9), c)
	left := tr.TokensLeft()
	for tr.Done() < tr.Steps() {
		if p, err := tr.Trial(t.Context()); err != nil || p.Step <= 0 || p.Evaluate <= 0 || p.Evaluate > p.Step {
			t.Fatal(p, err)
		}
		if _, err := tr.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := adapterOf(t, tr); !bytes.Equal(got, want) {
		t.Error("another adapter after trials")
	}
	if left <= 0 || tr.TokensLeft() != 0 {
		t.Errorf("%d tokens, in the end %d", left, tr.TokensLeft())
	}
}

// TestProgram: what the process has already is no less than its heap.
func TestProgram(t *testing.T) {
	heap := bytes.Repeat([]byte("x"), 64<<20)
	with := programBytes()
	runtime.KeepAlive(heap)
	if with < 64<<20+code {
		t.Errorf("%d bytes with a heap of %d", with, len(heap))
	}
	if os.Getenv("GOGC") == "" && collected() != 1 {
		t.Errorf("the collector lets %v of the heap be", collected())
	}
}
