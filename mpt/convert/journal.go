package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"mptgo/gguf"
	"mptgo/internal/newfile"
)

// journalBytes is how much of a source may be read before it is noted how far the
// conversion is, with the file brought to the disk: what is lost when the process ends.
var journalBytes int64 = 256 << 20 // tests make it small

// A journal says how far a conversion from a network is. It lies beside the unfinished
// file: .NAME.part and .NAME.journal.
type journal struct {
	part, path string
	file       *gguf.Writer

	mu    sync.Mutex
	state journalState
	last  int64 // byte of the shard at the last save
}

type journalState struct {
	ID    string // of the checkpoint, and how it is converted
	Shard int    // those before it are finished
	At    int64  // all that begins before this byte of it is converted
	Hash  []byte // state before that byte
}

// openJournal opens the unfinished file of dst, and what is noted of it.
func openJournal(dst, id string, p *plan, opt Options) (*journal, *gguf.Writer, error) {
	j, f, err := openPart(dst)
	if err != nil {
		return nil, nil, err
	}
	if lockable && !lockAlone(f) {
		f.Close()
		return nil, nil, fmt.Errorf("%s: another process is making it", dst)
	}
	w, resumed, err := gguf.Resume(dst, f, p.meta, p.infos(), gguf.Options{Force: opt.Force})
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	j.file = w
	id = fmt.Sprintf("%s %s %v", id, opt.Type, opt.Search)
	b, err := os.ReadFile(j.path)
	if !resumed || err != nil || json.Unmarshal(b, &j.state) != nil || j.state.ID != id || j.state.At < 0 {
		j.state = journalState{ID: id}
		if err := j.write(); err != nil { // also takes the room for what is noted later
			return nil, nil, errors.Join(fmt.Errorf("%s: %w", dst, err), j.close())
		}
	}
	return j, w, nil
}

// partOf returns the names of the unfinished file of dst and of what is noted of it.
func partOf(dst string) (*journal, error) {
	target, err := newfile.Follow(dst)
	if err != nil {
		return nil, err
	}
	dir, base := filepath.Split(target)
	base = "." + newfile.Short(base)
	return &journal{part: filepath.Join(dir, base+".part"), path: filepath.Join(dir, base+".journal")}, nil
}

// openPart opens the unfinished file of dst, or begins one. Like any other it lies where
// links lead, and has the permissions of the file that it is to replace.
func openPart(dst string) (*journal, *os.File, error) {
	target, err := newfile.Follow(dst)
	if err != nil {
		return nil, nil, err
	}
	j, err := partOf(target)
	if err != nil {
		return nil, nil, err
	}
	mode := fs.FileMode(0o666)
	part, noPart := os.Lstat(j.part)
	if noPart == nil && !part.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: cannot be created: %s is not a regular file", dst, j.part)
	}
	if info, err := os.Stat(target); err == nil {
		mode = info.Mode().Perm() | 0o600
		if noPart == nil && os.SameFile(info, part) { // finished, by a process that was killed just then
			os.Remove(j.part)
			j.remove()
		}
	}
	f, err := os.OpenFile(j.part, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: cannot be created: %w", dst, err)
	}
	return j, f, nil
}

// start returns from which byte on shard i has to be read, -1 if not at all.
func (j *journal) start(i int) (at int64, state []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case i < j.state.Shard:
		return -1, nil
	case i > j.state.Shard || j.state.At == 0:
		j.state.Shard, j.state.At, j.state.Hash, j.last = i, 0, nil, 0
		return 0, nil
	}
	j.last = j.state.At
	return j.state.At, j.state.Hash
}

// save notes how far shard i is, if that is further than before by at least least bytes.
func (j *journal) save(i int, q *queue, least int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := q.safe()
	if m.at-j.last < least {
		return nil
	}
	if err := j.file.Flush(); err != nil {
		return err
	}
	j.last = m.at
	j.state.Shard, j.state.At, j.state.Hash = i, m.at, m.state
	return j.write()
}

// finish notes that shard i is finished and its hash right.
func (j *journal) finish(i int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.file.Flush(); err != nil {
		return err
	}
	j.state.Shard, j.state.At, j.state.Hash = i+1, 0, nil
	return j.write()
}

// forget notes that shard i has to be read from its start.
func (j *journal) forget(i int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.Shard, j.state.At, j.state.Hash = i, 0, nil
	j.write() // what is noted without it fails at the hash again
}

func (j *journal) write() error {
	b, err := json.Marshal(&j.state)
	if err != nil {
		return err
	}
	tmp := j.path + ".tmp"
	err = os.WriteFile(tmp, b, 0o666)
	if err == nil {
		return os.Rename(tmp, j.path)
	}
	os.Remove(tmp)
	if overwrite(j.path, b) == nil {
		return nil
	}
	return err
}

// overwrite writes a file in the place of the one there: what is left to do on a full disk,
// which has no room for another. One that is only written in part is no JSON, and of no use.
func overwrite(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	return errors.Join(err, f.Truncate(int64(len(b))), f.Close())
}

// close keeps the unfinished file, unless it is finished.
func (j *journal) close() error {
	return j.file.Keep()
}

// discardPart removes the unfinished file of dst that a conversion from a network has left,
// when dst has been made in another way and nobody will go on with it.
func discardPart(dst string) {
	j, err := partOf(dst)
	if err != nil {
		return
	}
	f, err := os.OpenFile(j.part, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if !lockable || lockAlone(f) {
		os.Remove(j.part)
		j.remove()
	}
}

// remove removes what was noted.
func (j *journal) remove() { os.Remove(j.path) }
