package tune

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mptgo/mpt/checkpoint"
)

// The files of a checkpoint beside those of the adapter, whose names are PEFT's.
const (
	stateName     = "trainer_state.json"
	optimizerName = "optimizer.safetensors"
	runName       = "run.json"
	folderPrefix  = "checkpoint-"
)

// runFile is run.json: what the run is, and what the other files of the checkpoint must hold.
type runFile struct {
	Identity identity          `json:"identity"`
	Flags    json.RawMessage   `json:"flags,omitempty"` // of the command, for who goes on with it
	Files    map[string]string `json:"sha256"`
}

// Save writes a checkpoint into a new folder of dir, checkpoint-N, and then removes the oldest ones, so
// that keep are left; 0 keeps all. What is there is whole at any time: a folder gets its name when all of
// it is on the disk. flags, JSON or nil, are kept with it. It returns the folder, also if there is one and
// only older ones could not be removed.
func (t *Trainer) Save(dir, base string, flags json.RawMessage, keep int) (string, error) {
	id, err := t.identify()
	if err != nil {
		return "", err
	}
	temporary, err := t.disk.temporary(dir, temporaryCheckpoint)
	if err != nil {
		return "", fmt.Errorf("tune: a checkpoint: %w", err)
	}
	defer t.disk.remove(temporary)
	run := runFile{Identity: id, Flags: flags}
	if err := t.write(temporary, base, &run); err != nil {
		return "", fmt.Errorf("tune: a checkpoint: %w", err)
	}
	name := filepath.Join(dir, folderPrefix+strconv.Itoa(t.step))
	if err := t.name(temporary, name, &run); err != nil {
		return "", fmt.Errorf("tune: a checkpoint: %w", err)
	}
	return name, t.prune(dir, keep)
}

// name gives a checkpoint that is complete its name. One that is there already and holds the same stays:
// there would be none between its removal and the renaming.
func (t *Trainer) name(temporary, name string, run *runFile) error {
	if there, err := readRun(name); err != nil || !maps.Equal(there.Files, run.Files) {
		if err := t.disk.remove(name); err != nil {
			return err
		}
		if err := t.disk.rename(temporary, name); err != nil {
			return err
		}
	}
	return t.disk.sync(filepath.Dir(name))
}

// write writes the files of a checkpoint, and fills in what they are.
func (t *Trainer) write(dir, base string, run *runFile) error {
	if err := t.WriteAdapter(dir, base); err != nil {
		return err
	}
	err := writeFile(t.disk, filepath.Join(dir, optimizerName), func(w io.Writer) error { return writeTensors(w, t.moments()) })
	if err != nil {
		return err
	}
	if err := writeJSON(t.disk, filepath.Join(dir, stateName), t.state()); err != nil {
		return err
	}
	if run.Files, err = hashes(dir); err != nil {
		return err
	}
	if err := writeJSON(t.disk, filepath.Join(dir, runName), run); err != nil {
		return err
	}
	return t.disk.sync(dir)
}

// hashes returns the SHA-256 of the files of a folder.
func hashes(dir string) (map[string]string, error) {
	sums := map[string]string{}
	for _, name := range []string{configName, adapterName, optimizerName, stateName} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return nil, err
		}
		sums[name] = hex.EncodeToString(h.Sum(nil))
	}
	return sums, nil
}

// moments returns those of the optimiser.
func (t *Trainer) moments() []tensor {
	named := func(name string, list []tensor) []tensor {
		for i := range list {
			list[i].name = name + "." + list[i].name
		}
		return list
	}
	all := named("exp_avg", t.tensors(func(m *module) [2][]float32 { return m.m }, ""))
	if t.c.Optimizer.moments() > 1 {
		all = append(all, named("exp_avg_sq", t.tensors(func(m *module) [2][]float32 { return m.v }, ""))...)
	}
	return all
}

func (t *Trainer) state() state {
	s := state{Step: t.step, Epoch: t.order.epochs(t.step), Updates: t.updates, MaxStep: t.Steps(), Best: t.best.Loss, History: t.history}
	if t.c.Plan == nil {
		s.Place = t.step % t.order.perEpoch()
	}
	if t.best.Loss != nil {
		name := folderPrefix + strconv.Itoa(t.best.Step)
		s.BestAt = &name
	}
	return s
}

// Checkpoints returns the numbers of the checkpoints in dir, the oldest first.
func Checkpoints(dir string) (steps []int, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("tune: %w", err)
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), folderPrefix)
		n, err := strconv.Atoi(number)
		if ok && err == nil && n >= 0 && number == strconv.Itoa(n) {
			steps = append(steps, n)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// RemoveCheckpoints removes all checkpoints in dir.
func RemoveCheckpoints(dir string) error {
	steps, err := Checkpoints(dir)
	if err != nil {
		return err
	}
	for _, n := range steps {
		if err := os.RemoveAll(filepath.Join(dir, folderPrefix+strconv.Itoa(n))); err != nil {
			return fmt.Errorf("tune: %w", err)
		}
	}
	return nil
}

// prune removes all but the newest checkpoints. Those of later steps than that of the trainer go first:
// they are damaged, else the run would have gone on from them.
func (t *Trainer) prune(dir string, keep int) error {
	steps, err := Checkpoints(dir)
	if err != nil || keep < 1 {
		return err
	}
	later := func(n int) bool { return n > t.step }
	gone := slices.DeleteFunc(slices.Clone(steps), func(n int) bool { return !later(n) })
	steps = slices.DeleteFunc(steps, later)
	for _, n := range append(gone, steps[:max(0, len(steps)-keep)]...) {
		if err := t.disk.remove(filepath.Join(dir, folderPrefix+strconv.Itoa(n))); err != nil {
			return fmt.Errorf("tune: an older checkpoint: %w", err)
		}
	}
	return nil
}

// ReadFlags returns the flags that were kept with the newest whole checkpoint in dir.
func ReadFlags(dir string) (json.RawMessage, error) {
	_, run, _, err := newest(dir)
	return run.Flags, err
}

// newest returns the newest checkpoint in dir that is whole, and what is wrong with newer ones.
func newest(dir string) (path string, run runFile, notes []string, err error) {
	steps, err := Checkpoints(dir)
	if err != nil {
		return "", run, nil, err
	}
	for _, n := range slices.Backward(steps) {
		path := filepath.Join(dir, folderPrefix+strconv.Itoa(n))
		run, err := readRun(path)
		if err == nil {
			return path, run, notes, nil
		}
		notes = append(notes, fmt.Sprintf("%s is damaged (%v): the checkpoint before is used", path, err))
	}
	if len(notes) > 0 {
		return "", run, notes, fmt.Errorf("tune: no checkpoint in %s is whole: %s", dir, strings.Join(notes, "; "))
	}
	return "", run, nil, fmt.Errorf("tune: there is no checkpoint in %s: nothing to go on with", dir)
}

// readRun reads run.json of a checkpoint and compares the other files with it.
func readRun(dir string) (run runFile, err error) {
	b, err := os.ReadFile(filepath.Join(dir, runName))
	if err != nil {
		return run, err
	}
	if err := json.Unmarshal(b, &run); err != nil {
		return run, fmt.Errorf("%s: %w", runName, err)
	}
	sums, err := hashes(dir)
	if err != nil {
		return run, err
	}
	for name, sum := range sums {
		if run.Files[name] != sum {
			return run, fmt.Errorf("%s has changed since it was written", name)
		}
	}
	return run, nil
}

// Resume goes on from the newest checkpoint in dir that is whole. Notes say what is wrong with newer ones.
// What would change the result must be as it was.
func (t *Trainer) Resume(dir string) (notes []string, err error) {
	path, run, notes, err := newest(dir)
	if err != nil {
		return notes, err
	}
	id, err := t.identify()
	if err != nil {
		return notes, err
	}
	if list := id.differences(run.Identity); list != nil {
		return notes, fmt.Errorf("tune: %s is of another run: %s", path, strings.Join(list, "; "))
	}
	var s state
	b, err := os.ReadFile(filepath.Join(path, stateName))
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return notes, fmt.Errorf("tune: %s: %w", path, err)
	}
	if s.Step > t.Steps() {
		return notes, fmt.Errorf("tune: %s is of step %d, the run has %d", path, s.Step, t.Steps())
	}
	if s.MaxStep != t.Steps() && t.c.Schedule.Name != "constant" {
		notes = append(notes, fmt.Sprintf("the run now has %d steps, not %d: the learning rate goes on by the new length", t.Steps(), s.MaxStep))
	}
	if err := t.loadAdapter(path); err != nil {
		return notes, err
	}
	if err := t.readMoments(filepath.Join(path, optimizerName)); err != nil {
		return notes, fmt.Errorf("tune: %s: %w", path, err)
	}
	t.step, t.updates, t.history, t.best = s.Step, s.Updates, s.History, best{s.Best, 0}
	if s.BestAt != nil {
		t.best.Step, _ = strconv.Atoi(strings.TrimPrefix(*s.BestAt, folderPrefix))
	}
	return notes, nil
}

// readMoments reads those of the optimiser.
func (t *Trainer) readMoments(path string) error {
	f, err := checkpoint.OpenSafetensors(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, want := range t.moments() {
		x, ok := f.Tensor(want.name)
		if !ok || len(x.Shape) != 2 || x.Shape[0] != want.rows || x.Shape[1] != want.cols || x.Bytes() != 4*want.rows*want.cols {
			return fmt.Errorf("%s is missing or of another shape", want.name)
		}
		b := make([]byte, x.Bytes())
		if err := x.ReadRows(b, 0, want.rows); err != nil {
			return err
		}
		for i := range want.values {
			want.values[want.at(i)] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
	return nil
}

// Log adds an entry to the history that checkpoints hold.
func (t *Trainer) Log(e Entry) { t.history = append(t.history, e) }

// History returns all entries.
func (t *Trainer) History() []Entry { return slices.Clone(t.history) }
