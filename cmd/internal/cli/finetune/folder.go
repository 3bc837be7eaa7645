package finetune

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mptgo/internal/filelock"
	"mptgo/internal/newfile"
	"mptgo/mpt/tune"
)

// lockName is a file in the folder of a run while it is at work.
const lockName = ".lock"

// writes reports whether the command writes to a folder.
func (f *options) writes() bool { return !f.dryRun && f.dumpGrads == "" }

// checkFolder refuses a folder that holds something else, and one that cannot be written to: before data
// are read, which may take long.
func (f *options) checkFolder() error {
	if f.out == "" || !f.writes() {
		return nil
	}
	if err := newfile.Writable(filepath.Join(existing(f.out), "adapter")); err != nil {
		return fmt.Errorf("finetune: --lora-out: %w", err)
	}
	if f.resume != "" || f.force {
		return nil
	}
	entries, err := os.ReadDir(f.out)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finetune: --lora-out: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lockName && !tune.Unfinished(e.Name()) {
			return f.notEmpty()
		}
	}
	return nil
}

// notEmpty is the error of a folder that holds something.
func (f *options) notEmpty() error {
	steps, err := tune.Checkpoints(f.out)
	if err != nil {
		return err
	}
	if len(steps) == 0 {
		return fmt.Errorf("finetune: %s is not empty, and has no checkpoint to go on from: give --force to write over it", f.out)
	}
	return fmt.Errorf("finetune: %s is not empty: go on with its run by --resume %s, or give --force to write over it", f.out, f.out)
}

// existing returns the nearest folder above path, or path itself, that is there.
func existing(path string) string {
	for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
	}
}

// lock takes the folder of the run for this process, if it is there. Two runs in a folder would remove each
// other's checkpoints.
func (r *run) lock(dir string) error {
	if info, err := os.Stat(dir); r.locked != nil || !r.writes() || err != nil || !info.IsDir() {
		return nil // who makes the folder, or fails to, comes back
	}
	l, err := filelock.Take(filepath.Join(dir, lockName))
	var held *filelock.HeldError
	switch {
	case errors.As(err, &held):
		return fmt.Errorf("finetune: another run writes to %s: %s: wait for its end, or name another folder (--lora-out)", dir, held.Holder)
	case err != nil:
		return fmt.Errorf("finetune: the lock of the folder: %w", err)
	}
	r.locked = l
	return nil
}

// unlock gives the folder back.
func (r *run) unlock() {
	if err := r.locked.Release(); err != nil {
		r.note("the lock of the folder: %v", err)
	}
	r.locked = nil
}

// openFolder sees whether there is room, makes the folder of the run, clears up what one that was killed has
// left, and opens the figures. The checkpoints of a run that is written over (--force) go: they would be
// taken for newer ones of this run.
func (r *run) openFolder() error {
	dir := r.options.out
	if err := r.checkRoom(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("finetune: --lora-out: %w", err)
	}
	if err := r.claim(dir); err != nil {
		return err
	}
	if err := errors.Join(tune.Clear(dir), clear(dir)); err != nil {
		return err
	}
	if r.resume == "" {
		if err := tune.RemoveCheckpoints(dir); err != nil {
			return err
		}
	}
	return r.openLog()
}

// claim takes a new folder, where another run may have begun meanwhile, or begun and ended.
func (r *run) claim(dir string) error {
	if r.locked != nil {
		return nil
	}
	if err := r.lock(dir); err != nil {
		return err
	}
	return r.checkFolder()
}

// clear removes files that a run which was killed has not finished.
func clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	mine := []string{"README.md", "metrics.jsonl", "metrics.csv", "loss.svg", "loss.png", "adapter"}
	for _, e := range entries {
		if slices.Contains(mine, newfile.Unfinished(e.Name())) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// checkRoom refuses a disk that is too full for the checkpoints of the run, one of them in the making, and
// for the adapter, which is there as PEFT has it, as GGUF and, with evaluations, as the last one.
func (r *run) checkRoom() error {
	t := r.trainer
	room, ok := newfile.Room(existing(r.options.out))
	there, bytes := checkpoints(r.options.out)
	if r.resume == "" { // they make room
		room, there = room+bytes, 0
	}
	const all = 3 // if all are kept (--keep 0), so many must fit
	most := all
	if r.keep > 0 {
		most = r.keep + 1
	}
	n := min(most, (t.Steps()-t.Done())/r.saveSteps+1+there) - there
	need := int64(max(n, 1))*t.CheckpointBytes() + 3*t.AdapterBytes() + 1<<20
	if ok && room < need {
		return fmt.Errorf("finetune: %s has room for %s, and checkpoints and adapter take %s: make room, or name a folder on another disk (--lora-out)",
			r.options.out, size(room), size(need))
	}
	return nil
}

// checkpoints returns how many there are in dir, and the bytes of their files.
func checkpoints(dir string) (n int, bytes int64) {
	steps, err := tune.Checkpoints(dir)
	if err != nil {
		return 0, 0 // there is no such folder yet
	}
	for _, step := range steps {
		bytes += filesBelow(filepath.Join(dir, fmt.Sprintf("checkpoint-%d", step)))
	}
	return len(steps), bytes
}

// filesBelow returns the bytes of all files below dir.
func filesBelow(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}
