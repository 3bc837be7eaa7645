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

	mu    sync.Mutex
	all   map[string]*list.Element // of *block, by name
	order *list.List               // newest use first
	bytes int64
	took  float64 // seconds to read a block; 0: not known
}

type block struct {
	name string
	size int64
}

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
		case time.Since(info.ModTime()) > time.Hour:
			os.Remove(filepath.Join(dir, x.Name())) // of a server that was killed
		}
	}
	slices.SortFunc(found, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range found {
		d.insert(info.Name(), info.Size())
	}
	d.shrink(0)
	return d, nil
}

// insert counts a file as used now.
func (d *blocks) insert(name string, size int64) {
	if d.all[name] == nil {
		d.all[name] = d.order.PushFront(&block{name, size})
		d.bytes += size
	}
}

// shrink removes what was used longest ago until there is room for so many bytes.
func (d *blocks) shrink(room int64) {
	for d.bytes > 0 && d.bytes+room > d.budget {
		d.remove(d.order.Back().Value.(*block).name)
	}
}

// remove deletes a file.
func (d *blocks) remove(name string) {
	if x := d.all[name]; x != nil {
		d.bytes -= x.Value.(*block).size
		d.order.Remove(x)
		delete(d.all, name)
		os.Remove(filepath.Join(d.dir, name))
	}
}

// drop removes a file that is of no use.
func (d *blocks) drop(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(name)
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
		os.Chtimes(filepath.Join(d.dir, name), at, at)
	}
}

// size returns the bytes of all files.
func (d *blocks) size() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}

// readTime estimates how long reading n blocks takes.
func (d *blocks) readTime(n int) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(float64(n) * d.took * float64(time.Second))
}

// read appends blocks to a session until one is not what it is to be, which is deleted, or
// stop says so.
func (d *blocks) read(s *mpt.Session, names []string, stop func() bool) {
	n := 0
	for ; n < len(names) && !stop(); n++ {
		begun := time.Now()
		if err := d.readBlock(s, names[n]); err != nil {
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

func (d *blocks) readBlock(s *mpt.Session, name string) error {
	f, err := os.Open(filepath.Join(d.dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = s.RestorePages(bufio.NewReaderSize(f, 1<<18))
	return err
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
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shrink(size)
	if err := os.Rename(f.Name(), filepath.Join(d.dir, name)); err != nil {
		return err
	}
	d.insert(name, size)
	return nil
}
