package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"mptgo/mpt"
)

// disk moves prefixes between the cache in memory and the one on disk. Goroutines of its own
// read and write; the scheduler hands them sessions that nobody else uses meanwhile.
type disk struct {
	e      *Engine
	log    *slog.Logger
	blocks *blocks

	// What the scheduler alone knows.
	unsaved []unsaved  // what was put into the cache and not looked at yet, the oldest first
	saving  *prefix    // whose pages are being written; nil: none
	filling []*reading // whose sessions are being filled, of ended requests, too
	read    int64      // tokens that came from disk
	pause   time.Time  // after an error

	saved   chan error  // of the one write under way
	fetched []*reading  // filled sessions, under the engine's lock
	stop    atomic.Bool // no more is written
	yield   atomic.Bool // the write under way is to end: its pages are wanted
}

// unsaved is a sequence of tokens that the cache in memory holds, or held.
type unsaved struct {
	group string
	chain chain
	ids   []int32
}

const (
	// mostUnsaved is how many sequences may wait to be written; the oldest are forgotten.
	mostUnsaved = 1024
	// diskPause is how long nothing is written after an error.
	diskPause = time.Minute
)

// openDisk opens the cache on disk, if there is to be one.
func (e *Engine) openDisk() (*disk, error) {
	o := &e.opt
	if o.CacheDir == "" {
		return nil, nil
	}
	if o.DiskBytes == 0 {
		o.DiskBytes = 4 << 30
	}
	if least := blockBytes(e.m); o.DiskBytes < least {
		return nil, fmt.Errorf("serve: %d bytes for the cache on disk: want at least %d, for %d tokens of this model",
			o.DiskBytes, least, blockTokens)
	}
	if o.CacheBytes < 0 {
		return nil, errors.New("serve: a cache on disk without one in memory: what is written comes from there")
	}
	b, err := o.Caches.open(o.CacheDir, o.DiskBytes)
	if err != nil {
		return nil, fmt.Errorf("serve: the cache on disk: %w", err)
	}
	if e.sched.cache.budget < e.sched.cache.pageBytes() {
		o.Log.Warn("nothing will be kept on disk: there is no memory for the prefix cache, which it comes from")
	}
	return &disk{e: e, log: o.Log, blocks: b, saved: make(chan error, 1)}, nil
}

// blockBytes is about how large the file of a block is, never less.
func blockBytes(m *mpt.Model) int64 { return m.CacheBytes(blockTokens) * 11 / 10 }

// alwaysFetch is set by tests, whose model may evaluate a prompt sooner than a file is open.
var alwaysFetch = false

// keep notes that the cache in memory holds something new.
func (d *disk) keep(group string, c chain, ids []int32) {
	if len(ids) < blockTokens {
		return
	}
	d.unsaved = append(d.unsaved, unsaved{group, c, slices.Clone(ids)})
	if len(d.unsaved) > mostUnsaved {
		d.unsaved = slices.Delete(d.unsaved, 0, 1)
	}
}

// save has the next prefix written that is not on disk, unless one is being written.
func (d *disk) save(p *prefixes) {
	if d.saving != nil {
		select {
		case err := <-d.saved:
			d.saving = nil
			if err != nil {
				d.pause = time.Now().Add(diskPause)
				d.log.Warn("the prefix cache cannot be written to disk", "error", err, "again_in", diskPause)
			}
		default:
			return
		}
	}
	for len(d.unsaved) > 0 && time.Now().After(d.pause) && !d.stop.Load() {
		next := d.unsaved[0]
		d.unsaved = slices.Delete(d.unsaved, 0, 1)
		if d.begin(p, next) {
			return
		}
	}
}

// begin begins to write what is left of a prefix in memory. It reports whether anything is.
func (d *disk) begin(p *prefixes, next unsaved) bool {
	x, n := p.find(next.group, next.ids)
	if x == nil {
		return false
	}
	names := next.chain.names(next.ids[:n])
	names = names[:min(len(names), int(d.blocks.budget/blockBytes(d.e.m)))]
	if len(names) == 0 {
		return false
	}
	f, err := x.session.Fork()
	if err != nil {
		return false
	}
	d.saving = x
	d.yield.Store(false)
	go func() {
		err := d.blocks.write(f, names, func() bool { return d.stop.Load() || d.yield.Load() })
		f.Close()
		d.saved <- err
		d.e.rouse()
	}()
	return true
}

// fetch begins to fill the session of a text from disk, if that is faster than to evaluate
// its tokens.
func (d *disk) fetch(t *reading, pace *pace) error {
	had := t.session.Len()
	from := had / blockTokens
	if len(t.ids)-had <= blockTokens {
		return nil
	}
	names := t.q.chain.names(t.ids)[from:]
	n := d.blocks.run(names)
	gain := (from+n)*blockTokens - had
	const batch = 512
	if gain < blockTokens ||
		d.blocks.slower(n, pace.expect(batch)*time.Duration(gain)/batch) && !alwaysFetch {
		return nil
	}
	if err := t.session.Truncate(from * blockTokens); err != nil {
		return err
	}
	t.done = from * blockTokens
	t.fetching, t.begun = true, time.Now()
	d.filling = append(d.filling, t)
	go func() {
		d.blocks.read(t.session, names[:n], t.ids[t.done:], t.stop.Load)
		d.e.mu.Lock()
		d.fetched = append(d.fetched, t)
		d.e.mu.Unlock()
		d.e.rouse()
	}()
	return nil
}

// collectFetched takes back the sessions that are filled. The logits of a prompt's last token
// are not on disk: it is evaluated again.
func (s *scheduler) collectFetched() {
	d := s.disk
	s.e.mu.Lock()
	all := d.fetched
	d.fetched = nil
	s.e.mu.Unlock()
	for _, t := range all {
		t.fetching = false
		d.filling = without(d.filling, t)
		if t.q.ended {
			t.session.Close()
			continue
		}
		if err := t.session.Truncate(min(t.session.Len(), len(t.ids)-1)); err != nil {
			s.end(t.q, err)
			continue
		}
		d.read += int64(t.session.Len() - t.done)
		s.begun(t, t.session.Len()-t.done)
	}
}

// interrupt has the goroutines that hold pages, those that fill sessions and the one that
// writes, stop soon.
func (d *disk) interrupt() {
	d.yield.Store(d.saving != nil)
	for _, t := range d.filling {
		t.stop.Store(true)
	}
}

// moving reports whether anything is on its way from or to the disk.
func (d *disk) moving() bool { return d.saving != nil || len(d.filling) > 0 }

// DiskStats tells of the cache on disk.
type DiskStats struct {
	Bytes, Limit int64
	Tokens       int64 // that were read instead of being evaluated
}

func (d *disk) stats() DiskStats {
	return DiskStats{Bytes: d.blocks.size.Load(), Limit: d.blocks.budget, Tokens: d.read}
}
