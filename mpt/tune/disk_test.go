package tune

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

var errFull = errors.New("no space left on device")

// badDisk fails at some of its operations, counted from 1. A write that fails has written a half.
type badDisk struct {
	systemDisk
	fails func(n int) bool
	count int
}

func (d *badDisk) next() error {
	if d.count++; d.fails(d.count) {
		return errFull
	}
	return nil
}

func (d *badDisk) create(path string) (file, error) {
	if err := d.next(); err != nil {
		return nil, err
	}
	f, err := d.systemDisk.create(path)
	return &badFile{f, d}, err
}

func (d *badDisk) temporary(dir, pattern string) (string, error) {
	if err := d.next(); err != nil {
		return "", err
	}
	return d.systemDisk.temporary(dir, pattern)
}

func (d *badDisk) rename(from, to string) error {
	return errors.Join(d.next(), unless(d, func() error { return d.systemDisk.rename(from, to) }))
}

func (d *badDisk) remove(path string) error {
	return errors.Join(d.next(), unless(d, func() error { return d.systemDisk.remove(path) }))
}

func (d *badDisk) sync(dir string) error { return d.next() }

// unless does something unless the operation has failed.
func unless(d *badDisk, do func() error) error {
	if d.fails(d.count) {
		return nil
	}
	return do()
}

type badFile struct {
	file
	d *badDisk
}

func (f *badFile) Write(p []byte) (int, error) {
	if err := f.d.next(); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *badFile) Sync() error  { return f.d.next() }
func (f *badFile) Close() error { return errors.Join(f.file.Close(), f.d.next()) }

// saves is a run that saves after each, on a disk that fails. After every save the newest
// checkpoint must be whole, and of this step unless Save has failed. It returns how many saves failed.
func saves(t *testing.T, dir string, c Config, d *badDisk, keep int) (adapter []byte, failed int) {
	t.Helper()
	tr := trainerOf(t, variants[0].model(t), someRows(9), c)
	tr.disk = d
	last := 0
	for tr.Done() < tr.Steps() {
		if _, err := tr.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		name, err := tr.Save(dir, "base", nil, keep)
		if err != nil && !errors.Is(err, errFull) {
			t.Fatal(err)
		}
		if err != nil {
			failed++
		}
		if name != "" {
			last = tr.Done()
		}
		path, _, _, err := newest(dir)
		steps, _ := Checkpoints(dir)
		if last > 0 && (err != nil || len(steps) == 0 || steps[len(steps)-1] < last) {
			t.Fatalf("behind step %d, the last save was at %d: %q, %v", tr.Done(), last, path, err)
		}
	}
	return adapterOf(t, tr), failed
}

// resumed returns the adapter of a run that goes on from what is in dir, with a checkpoint at its end.
func resumed(t *testing.T, dir string, c Config) []byte {
	t.Helper()
	tr := trainerOf(t, variants[0].model(t), someRows(9), c)
	tr.disk = &badDisk{fails: func(int) bool { return false }}
	if notes, err := tr.Resume(dir); err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	for tr.Done() < tr.Steps() {
		if _, err := tr.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tr.Save(dir, "base", nil, 1); err != nil {
		t.Fatal(err)
	}
	return adapterOf(t, tr)
}

// TestBadDisk has every single operation on the disk fail, alone or with all that follow: as when a process
// is killed there. Training goes on, a whole checkpoint is left, and who goes on from it gets the same bits.
func TestBadDisk(t *testing.T) {
	c := small()
	c.MaxSteps, c.LoRA.Dropout = 3, 0.1
	good := &badDisk{fails: func(int) bool { return false }}
	want, _ := saves(t, t.TempDir(), c, good, 1)
	each := good.count / 3
	for at := each + 1; at <= 2*each+1; at++ { // the first save may not fail: there is nothing before it
		for name, fails := range map[string]func(n int) bool{
			"one": func(n int) bool { return n == at },
			"all": func(n int) bool { return n >= at },
		} {
			dir := t.TempDir()
			got, failed := saves(t, dir, c, &badDisk{fails: fails}, 1+at%2)
			if !bytes.Equal(got, want) {
				t.Errorf("operation %d, %s: another adapter", at, name)
			}
			if name == "all" && failed == 0 {
				t.Errorf("operation %d, %s: no save failed", at, name)
			}
			if err := Clear(dir); err != nil {
				t.Fatal(err)
			}
			if got := resumed(t, dir, c); !bytes.Equal(got, want) {
				t.Errorf("operation %d, %s: another adapter after going on", at, name)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); left != nil {
				t.Errorf("operation %d, %s: left behind: %v", at, name, left)
			}
		}
	}
	t.Logf("%d operations in three saves", good.count)
}

// TestPlaceOnBadDisk: the adapter in a folder is that of before or the new one, whole, whatever fails.
func TestPlaceOnBadDisk(t *testing.T) {
	c := small()
	c.MaxSteps = 5
	tr, other := trainerOf(t, variants[0].model(t), someRows(9), c), trainerOf(t, variants[0].model(t), someRows(9), c)
	step := func() {
		if _, err := tr.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	content := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, adapterName))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	step()
	step()
	dir := t.TempDir()
	if err := tr.PlaceAdapter(dir, "base"); err != nil {
		t.Fatal(err)
	}
	before, snapshot := content(dir), tr.Snapshot("base")
	step()
	good := &badDisk{fails: func(int) bool { return false }}
	tr.disk = good
	if err := tr.PlaceAdapter(dir, "base"); err != nil {
		t.Fatal(err)
	}
	after := content(dir)
	if before == after {
		t.Fatal("a step changes nothing")
	}
	for at := 1; at <= good.count; at++ {
		if err := snapshot.Place(dir); err != nil || content(dir) != before {
			t.Fatal("the snapshot is another adapter", err)
		}
		tr.disk = &badDisk{fails: func(n int) bool { return n >= at }}
		err := tr.PlaceAdapter(dir, "base")
		if got := content(dir); got != before && got != after || err == nil && got != after {
			t.Errorf("operation %d: %v, and %d bytes of an adapter", at, err, len(got))
		}
		if err := errors.Join(Clear(dir), other.loadAdapter(dir)); err != nil {
			t.Errorf("operation %d: %v", at, err)
		}
	}
}

// TestPruneAfterDamage: of a checkpoint that was damaged, and one of an earlier step that was used and saved
// anew, the one that can be used stays.
func TestPruneAfterDamage(t *testing.T) {
	c := small()
	c.MaxSteps = 5
	dir := t.TempDir()
	good := &badDisk{fails: func(int) bool { return false }}
	want, _ := saves(t, dir, c, good, 0)
	for _, n := range []string{"4", "5"} {
		if err := os.Truncate(filepath.Join(dir, folderPrefix+n, adapterName), 100); err != nil {
			t.Fatal(err)
		}
	}
	tr := trainerOf(t, variants[0].model(t), someRows(9), c)
	if notes, err := tr.Resume(dir); err != nil || len(notes) != 2 || tr.Done() != 3 {
		t.Fatal(notes, err, tr.Done())
	}
	if _, err := tr.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Save(dir, "base", nil, 1); err != nil {
		t.Fatal(err)
	}
	if got := resumed(t, dir, c); !bytes.Equal(got, want) {
		t.Error("another adapter")
	}
}
