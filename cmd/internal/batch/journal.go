package batch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mptgo/internal/filelock"
)

// How much work a crash of the system may cost.
const (
	syncEvery   = time.Second
	syncRecords = 100
)

// journal is the file that keeps results until all are there. It is locked as long as it is
// open.
type journal struct {
	path   string
	noSync bool

	mu      sync.Mutex
	f       *os.File
	size    int64
	waiting int // records that were written and not synced
	timer   *time.Timer
	err     error // of a sync
}

var errLocked = errors.New("another process is at work on it")

// openJournal opens a journal, or an empty file for one, and locks it.
func openJournal(path string, noSync bool) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	j := &journal{path: path, noSync: noSync, f: f}
	if err = filelock.LockFile(f); errors.Is(err, filelock.ErrLocked) {
		err = errLocked
	}
	if err == nil {
		err = j.stillNamed() // its owner removes it at the end
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

func (j *journal) stillNamed() error {
	info, err := j.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNoJournal
	}
	if !filelock.Named(j.f, j.path) {
		return errLocked
	}
	j.size = info.Size()
	return nil
}

// load reads what is there and cuts off what was not written whole. It returns the header that
// counts: that of the file, or if there is none yet, want. Results are told to visit.
func (j *journal) load(want *Header, visit func(*record) error) (h *Header, cut int64, err error) {
	end, err := readRecords(j.f, j.size, func(r *record) error {
		if r.kind == isHeader != (h == nil) {
			return errNoJournal
		}
		if r.kind != isHeader {
			return visit(r)
		}
		if h, err = readHeader(r); err != nil {
			return err
		}
		return h.Differs(want)
	})
	if err == nil && h == nil && j.size > end+frameSize+maxHeader {
		err = errors.New("its header is damaged")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", j.path, j.advise(err))
	}
	if cut = j.size - end; h == nil {
		cut = j.size
		want.Created = now(want.Created)
		return want, cut, j.begin(want)
	}
	j.size = end
	return h, cut, j.f.Truncate(end)
}

// forget drops all that was kept.
func (j *journal) forget() error {
	j.size = 0
	return j.f.Truncate(0)
}

// maxHeader is more than a header has: what is shorter, and not whole, was cut off.
const maxHeader = 1 << 16

// advise adds what to do.
func (j *journal) advise(err error) error {
	if errors.Is(err, errNoJournal) || errors.Is(err, errLocked) {
		return err
	}
	return fmt.Errorf("%w: remove it to begin anew, or name another output", err)
}

// begin writes the header of a new journal.
func (j *journal) begin(h *Header) error {
	b, err := json.Marshal(h)
	if err == nil {
		err = j.f.Truncate(0)
	}
	if err != nil {
		return err
	}
	j.size = 0
	if _, err = j.write(append([]byte(magic), frame(append([]byte{isHeader}, b...))...)); err != nil {
		return err
	}
	return errors.Join(j.sync(), syncFolder(filepath.Dir(j.path), j.noSync))
}

// add appends a record and returns where it begins.
func (j *journal) add(payload []byte) (at int64, err error) { return j.write(frame(payload)) }

func (j *journal) write(b []byte) (at int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return 0, j.err
	}
	at = j.size
	if n, err := j.f.WriteAt(b, at); err != nil {
		if n > 0 {
			j.f.Truncate(at)
		}
		return 0, fmt.Errorf("%s: %w", j.path, err)
	}
	j.size += int64(len(b))
	j.waiting++
	switch {
	case j.noSync:
	case j.waiting >= syncRecords:
		return at, j.syncLocked()
	case j.timer == nil:
		j.timer = time.AfterFunc(syncEvery, func() { j.sync() })
	}
	return at, nil
}

// sync has what was written survive a crash of the system.
func (j *journal) sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.syncLocked()
}

func (j *journal) syncLocked() error {
	if j.timer != nil {
		j.timer.Stop()
		j.timer = nil
	}
	if j.waiting == 0 || j.noSync || j.err != nil || j.f == nil {
		return j.err
	}
	j.waiting = 0
	if err := j.f.Sync(); err != nil {
		j.err = fmt.Errorf("%s: %w", j.path, err) // what was lost nobody knows: nothing more is promised
	}
	return j.err
}

// close closes the journal, and removes it if there is nothing in it.
func (j *journal) close() error {
	err := j.sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	if j.size == 0 {
		return errors.Join(err, j.discardLocked())
	}
	err = errors.Join(err, j.f.Close())
	j.f = nil
	return err
}

// discard removes the journal, as long as it is locked where that is possible: afterwards the
// name may be that of another process's.
func (j *journal) discard() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.discardLocked()
}

func (j *journal) discardLocked() error {
	if j.timer != nil { // it may be on its way: then it finds no file
		j.timer.Stop()
		j.timer = nil
	}
	removed := os.Remove(j.path)
	err := j.f.Close()
	j.f = nil
	if removed != nil { // Windows keeps open files
		removed = os.Remove(j.path)
	}
	return errors.Join(err, removed)
}

// syncFolder has new names in a folder survive a crash of the system, where that can be asked.
func syncFolder(dir string, noSync bool) error {
	if noSync {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	d.Sync() // not every system can
	return d.Close()
}
