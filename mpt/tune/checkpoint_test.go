package tune

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/mpt"
)

// interrupted runs two steps, ends in the middle of the third, and saves.
func interrupted(t *testing.T, dir string, c Config) *Trainer {
	t.Helper()
	tr := trainerOf(t, variants[0].model(t), someRows(9), c)
	for range 2 {
		if _, err := tr.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Save(dir, "base", nil, 2); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.Step(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("a step that is cancelled: %v", err)
	}
	return tr
}

// Every optimiser goes on from every checkpoint to the same bits, also in another way of computing.
func TestResume(t *testing.T) {
	for _, name := range Optimizers {
		c := small()
		c.MaxSteps, c.LoRA.Dropout = 5, 0.1
		c.Optimizer.Name, c.Optimizer.LR = name, 1e-3
		want := adapterOf(t, trainerOf(t, variants[0].model(t), someRows(9), c))
		dir := t.TempDir()
		if got := adapterOf(t, interrupted(t, dir, c)); !bytes.Equal(got, want) {
			t.Errorf("%s: a cancelled step has changed something", name)
		}
		for range 2 { // the second time from the checkpoint before
			other := c
			other.Threads, other.MicroBatch = 1, 30
			tr := trainerOf(t, variants[0].model(t), someRows(9), other)
			if notes, err := tr.Resume(dir); err != nil {
				t.Fatal(notes, err)
			}
			if got := adapterOf(t, tr); !bytes.Equal(got, want) {
				t.Errorf("%s: another adapter after going on", name)
			}
			os.RemoveAll(filepath.Join(dir, "checkpoint-2"))
		}
	}
}

// A checkpoint that is damaged anywhere is noticed, and the one before is used.
func TestDamagedCheckpoint(t *testing.T) {
	for _, file := range []string{"adapter_model.safetensors", "adapter_config.json", optimizerName, stateName, runName} {
		for _, damage := range []string{"missing", "cut", "changed"} {
			dir := t.TempDir()
			c := small()
			c.MaxSteps = 5
			interrupted(t, dir, c)
			path := filepath.Join(dir, "checkpoint-2", file)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			switch damage {
			case "missing":
				os.Remove(path)
			case "cut":
				os.WriteFile(path, b[:len(b)/2], 0o644)
			case "changed":
				b[0] ^= 0x20
				os.WriteFile(path, b, 0o644)
			}
			tr := trainerOf(t, variants[0].model(t), someRows(9), c)
			notes, err := tr.Resume(dir)
			if err != nil || tr.Done() != 1 || len(notes) != 1 || !strings.Contains(notes[0], "checkpoint-2 is damaged") {
				t.Errorf("%s %s: going on behind step %d, %v, %v", file, damage, tr.Done(), notes, err)
			}
		}
	}
}

// What changes the result is refused on going on; what does not is not.
func TestResumeRefuses(t *testing.T) {
	dir := t.TempDir()
	c := small()
	c.MaxSteps = 5
	interrupted(t, dir, c)
	for want, change := range map[string]func(c *Config){
		"--lr is 0.5, was 0.01": func(c *Config) { c.Optimizer.LR = 0.5 },
		"--seed":                func(c *Config) { c.Seed = 7 },
		"--batch":               func(c *Config) { c.Batch = 3 },
		"--lora-dropout":        func(c *Config) { c.LoRA.Dropout = 0.5 },
		"--lora-r":              func(c *Config) { c.LoRA.Rank = 4 },
		"--lora-target":         func(c *Config) { c.LoRA.Targets = []string{"Wqkv"} },
		"--optim":               func(c *Config) { c.Optimizer.Name = DecoupledAdamW },
	} {
		other := c
		change(&other)
		tr := trainerOf(t, variants[0].model(t), someRows(9), other)
		if _, err := tr.Resume(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	tr := trainerOf(t, variants[0].model(t), someRows(8), c)
	if _, err := tr.Resume(dir); err == nil || !strings.Contains(err.Error(), "data is ") {
		t.Errorf("other rows: %v", err)
	}
	tr = trainerOf(t, variants[1].model(t), someRows(9), c)
	if _, err := tr.Resume(dir); err == nil || !strings.Contains(err.Error(), "base model is ") {
		t.Errorf("another model: %v", err)
	}
	held := c
	held.Held = someRows(2)
	tr = trainerOf(t, variants[0].model(t), someRows(9), held)
	if _, err := tr.Resume(dir); err == nil || !strings.Contains(err.Error(), "data to evaluate is ") {
		t.Errorf("rows to evaluate: %v", err)
	}
	if _, err := tr.Resume(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("an empty folder: %v", err)
	}
}

// A folder that is there is whole, however many are kept.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	c := small()
	c.MaxSteps = 5
	tr := trainerOf(t, variants[0].model(t), someRows(9), c)
	for range 5 {
		if _, err := tr.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Save(dir, "", nil, 3); err != nil {
			t.Fatal(err)
		}
	}
	steps, err := Checkpoints(dir)
	if err != nil || len(steps) != 3 || steps[0] != 3 || steps[2] != 5 {
		t.Errorf("checkpoints %v, %v", steps, err)
	}
	if list, _ := filepath.Glob(filepath.Join(dir, ".*")); list != nil {
		t.Errorf("left behind: %v", list)
	}
}

// A loss that is no number ends a run with the step and the module, and changes nothing.
func TestDiverged(t *testing.T) {
	c := small()
	tr := trainerOf(t, variants[0].model(t), someRows(9), c)
	m := tr.modules[1]
	m.change.A[3] = float32(math.NaN())
	tr.pack()
	before := append([]float32(nil), m.change.B...)
	_, err := tr.Step(t.Context())
	var diverged *DivergedError
	if !errors.As(err, &diverged) || diverged.Step != 1 || len(diverged.Rows) != 4 || diverged.Module == "" {
		t.Errorf("got %v", err)
	}
	for i, v := range before {
		if m.change.B[i] != v {
			t.Fatal("the step was applied")
		}
	}
}

// Eight rows are learned by heart.
func TestOverfit(t *testing.T) {
	lc := loadCase(t, "adamw-cosine-accumulate")
	c := small()
	c.LoRA, c.Exact = LoRA{Rank: 16, Alpha: 32}, false
	c.Optimizer.LR, c.Optimizer.WeightDecay, c.MaxSteps, c.Batch, c.Schedule = 1e-2, 0, 100, 8, Schedule{Name: "linear", Warmup: 3}
	m, err := mpt.Open(lc.file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, rows := lc.plan.Config()
	tr, err := New(m, rows.(rowList)[:8], 0, c)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	var first, last float64
	for tr.Done() < tr.Steps() {
		r, err := tr.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if last = r.Loss; r.Step == 1 {
			first = r.Loss
		}
	}
	t.Logf("loss %v, then %v", first, last)
	if last > first/20 {
		t.Errorf("the loss fell from %v to %v only", first, last)
	}
}

// Steps without a target are left out, and rows that cannot be trained on are refused.
func TestRows(t *testing.T) {
	m := variants[0].model(t)
	rows := someRows(3)
	for i := range rows[1].Labels {
		rows[1].Labels[i] = noTarget
	}
	c := small()
	c.Batch, c.NoShuffle, c.MaxSteps = 1, true, 3
	tr := trainerOf(t, m, rows, c)
	for k, skipped := range []bool{false, true, false} {
		if r, err := tr.Step(t.Context()); err != nil || r.Skipped != skipped || !skipped && r.Loss == 0 {
			t.Errorf("step %d: %+v, %v", k, r, err)
		}
	}
	for want, change := range map[string]func(r rowList) rowList{
		"no rows":                func(rowList) rowList { return nil },
		"the model has 257":      func(r rowList) rowList { r[0].Tokens[0] = 257; return r },
		"no row has a target":    func(r rowList) rowList { return rowList{rows[1]} },
		"row 0 has 3 tokens and": func(r rowList) rowList { r[0].Labels = nil; return r },
	} {
		if _, err := New(m, change(someRows(2)), 0, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
