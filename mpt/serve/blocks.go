package serve

import (
	"bufio"
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mptgo/mpt"
)

// blockTokens is how many tokens a file of the cache on disk holds.
const blockTokens = 64

// chain names the tokens of a sequence from its first to some block's last: the SHA-256 of
// the one before and of the block's tokens. The first names what keys and values depend on
// beside tokens, so different models may share a folder.
type chain [sha256.Size]byte

// newChain begins the names of a request's blocks.
func newChain(s *mpt.Session, m *mpt.Model, salt string) (chain, error) {
	print, err := s.Fingerprint()
	keys, values := m.CacheType()
	return sha256.Sum256(fmt.Appendf(nil, "%x %d %v %v %q", print, mpt.NumericsVersion, keys, values, salt)), err
}

func (c chain) next(ids []int32) chain {
	b := slices.Clone(c[:])
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return sha256.Sum256(b)
}

// names returns the files of all whole blocks of ids.
func (c chain) names(ids []int32) (names []string) {
	for block := range slices.Chunk(ids, blockTokens) {
		if len(block) == blockTokens {
			c = c.next(block)
			names = append(names, hex.EncodeToString(c[:20])+".kv")
		}
	}
	return names
}

// leftAfter is after how long a file that is being written was left by a server that was
// killed: it takes less than a second.
const leftAfter = time.Minute

var blockName = regexp.MustCompile(`^[0-9a-f]{40}\.kv(\.[0-9]+\.tmp)?$`)

// blocks is the cache on disk: files of [blockTokens] tokens each, as [mpt.Session.SavePages]
// writes them, named by all tokens up to their last. What many prompts begin with is there
// once, and what a prompt can use is found by names alone. A file that is damaged, cut off or
// gone costs an evaluation and nothing else, so no write has to be waited for.
//
// Its methods may be called by any goroutine.
type blocks struct {
	dir    string
	budget int64

	size atomic.Int64 // bytes of all files

	// The scheduler waits for the lock: nothing is asked of the file system under it.
	mu    sync.Mutex
	all   map[string]*list.Element // of *block, by name
	order *list.List               // newest use first
	took  float64                  // seconds to read a block; 0: not known
}

type block struct {
	name string
	size int64
}

// beforeIO is called before a block is read or written: tests make the disk slow.
var beforeIO = func() {}

// openBlocks finds what a folder holds already, and shows that it can be written to.
func openBlocks(dir string, budget int64) (*blocks, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	probe, err := os.CreateTemp(dir, "*.tmp")
	if err != nil {
		return nil, err
	}
	probe.Close()
	os.Remove(probe.Name())
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	d := &blocks{dir: dir, budget: budget, all: map[string]*list.Element{}, order: list.New()}
	var found []fs.FileInfo
	for _, x := range entries {
		info, err := x.Info()
		switch {
		case err != nil || !info.Mode().IsRegular() || !blockName.MatchString(x.Name()):
		case filepath.Ext(x.Name()) == ".kv":
			found = append(found, info)
		case time.Since(info.ModTime()) > leftAfter:
			os.Remove(d.path(x.Name())) // of a server that was killed
		}
	}
	slices.SortFunc(found, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range found {
		d.insert(info.Name(), info.Size())
	}
	d.shrink(0)
	return d, nil
}

func (d *blocks) path(name string) string { return filepath.Join(d.dir, name) }

// insert counts a file as used now.
func (d *blocks) insert(name string, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all[name] == nil {
		d.all[name] = d.order.PushFront(&block{name, size})
		d.size.Add(size)
	}
}

// shrink deletes what was used longest ago until there is room for so many bytes.
func (d *blocks) shrink(room int64) {
	for d.size.Load()+room > d.budget {
		d.mu.Lock()
		last := d.order.Back()
		d.mu.Unlock()
		if last == nil {
			return
		}
		d.drop(last.Value.(*block).name)
	}
}

// drop deletes a file.
func (d *blocks) drop(name string) {
	d.mu.Lock()
	x := d.all[name]
	if x != nil {
		d.size.Add(-x.Value.(*block).size)
		d.order.Remove(x)
		delete(d.all, name)
	}
	d.mu.Unlock()
	if x != nil {
		os.Remove(d.path(name))
	}
}

// run returns how many of names, from the first, there are.
func (d *blocks) run(names []string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n < len(names) && d.all[names[n]] != nil {
		n++
	}
	return n
}

// use counts that blocks were used, the first as the newest: one is of no use without those
// before it.
func (d *blocks) use(names []string) {
	d.mu.Lock()
	for _, name := range slices.Backward(names) {
		if x := d.all[name]; x != nil {
			d.order.MoveToFront(x)
		}
	}
	d.mu.Unlock()
	now := time.Now()
	for i, name := range names { // for the next start
		at := now.Add(-time.Duration(i) * time.Millisecond)
		os.Chtimes(d.path(name), at, at)
	}
}

// slower reports whether reading n blocks takes longer than so long. What it knows of that
// fades when it says so: a disk that was slow once is tried again.
func (d *blocks) slower(n int, than time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	slower := float64(n)*d.took >= than.Seconds()
	if slower {
		d.took *= 0.9
	}
	return slower
}

// read appends blocks of ids to a session until one is not what it is to be, which is
// deleted, or stop says so.
func (d *blocks) read(s *mpt.Session, names []string, ids []int32, stop func() bool) {
	n := 0
	for ; n < len(names) && !stop(); n++ {
		begun := time.Now()
		if err := d.readBlock(s, names[n], ids[n*blockTokens:(n+1)*blockTokens]); err != nil {
			if errors.Is(err, mpt.ErrSession) || errors.Is(err, fs.ErrNotExist) {
				d.drop(names[n])
			}
			break
		}
		d.mu.Lock()
		learn(&d.took, time.Since(begun).Seconds())
		d.mu.Unlock()
	}
	d.use(names[:n])
}

func (d *blocks) readBlock(s *mpt.Session, name string, ids []int32) error {
	beforeIO()
	info, err := os.Lstat(d.path(name))
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file: %w", name, mpt.ErrSession) // a pipe would be waited for
	}
	f, err := os.Open(d.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	return s.RestorePages(bufio.NewReaderSize(f, 1<<18), ids)
}

// write saves the blocks of a session that are not there yet, until stop says so.
func (d *blocks) write(s *mpt.Session, names []string, stop func() bool) error {
	for i, name := range names {
		if stop() {
			return nil
		}
		if d.run(names[i:i+1]) == 1 {
			continue
		}
		if err := d.writeBlock(s, name, i*blockTokens); err != nil {
			return err
		}
	}
	d.use(names)
	return nil
}

// writeBlock writes a file under another name first, so that there is never a part of one.
func (d *blocks) writeBlock(s *mpt.Session, name string, from int) (err error) {
	beforeIO()
	f, err := os.CreateTemp(d.dir, name+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<18)
	if err := s.SavePages(w, from, from+blockTokens); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	d.shrink(size)
	if err := os.Rename(f.Name(), d.path(name)); err != nil {
		return err
	}
	d.insert(name, size)
	return nil
}
