package convert

import (
	"cmp"
	"context"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"io"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"mptgo/mpt/checkpoint"
	"mptgo/quantize"
)

// A Remote is a checkpoint that comes over a network.
type Remote interface {
	checkpoint.Source
	// ID names the checkpoint and its version.
	ID() string
	// Stream returns the bytes of a file of weights from byte from on.
	Stream(ctx context.Context, name string, from int64) (io.ReadCloser, error)
	// Hash returns what such a file is verified with, and the sum of all its bytes in
	// hexadecimal digits; nil if it is not known.
	Hash(name string) (h hash.Hash, sum string)
}

// Stream is [Convert] for a checkpoint that comes over a network: the headers of its files
// first, then each file once, from the start to the end, converted as it comes and kept
// nowhere. The file has the same bytes that [Convert] would give it. It appears when the
// hashes of all files are right. If the process ends before, it is gone on with the next
// time.
//
// What needs the weights more than once, an importance matrix and a number of bits per
// weight among it, is refused.
func Stream(ctx context.Context, src Remote, dst string, opt Options) (*Summary, error) {
	s, err := stream(ctx, src, dst, opt)
	if err != nil {
		return nil, fmt.Errorf("convert: %w", err)
	}
	return s, nil
}

func stream(ctx context.Context, src Remote, dst string, opt Options) (*Summary, error) {
	if opt.Imatrix != nil || opt.TargetBPW != 0 {
		return nil, errors.New("an importance matrix or a number of bits per weight needs the weights more than once: download the checkpoint first")
	}
	recipe, err := opt.recipe()
	if err != nil {
		return nil, err
	}
	opt = opt.withDefaults(recipe)
	taps := &taps{Remote: src, of: map[string]*tap{}}
	ck, err := checkpoint.OpenSource(taps)
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	p, err := planCheckpoint(ck, recipe, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Dir(), err)
	}
	shards, err := p.shards()
	if err != nil {
		return nil, err
	}
	return p.stream(ctx, taps, shards, dst, opt)
}

// taps are the files of weights of a Remote, which are read directly for their headers
// and then as they come.
type taps struct {
	Remote
	of map[string]*tap
}

// A tap is one file of weights.
type tap struct {
	io.ReaderAt
	size  int64
	seen  []*seen                // what the plan was made from, which no hash has verified
	comes atomic.Pointer[inflow] // nil: nothing comes yet
}

func (t *taps) Weights(name string) (io.ReaderAt, int64, error) {
	r, size, err := t.Remote.Weights(name)
	if err != nil {
		return nil, 0, err
	}
	t.of[name] = &tap{ReaderAt: r, size: size}
	return t.of[name], size, nil
}

func (t *tap) ReadAt(p []byte, off int64) (int, error) {
	if w := t.comes.Load(); w != nil {
		return w.ReadAt(p, off)
	}
	n, err := t.ReaderAt.ReadAt(p, off)
	if n > 0 {
		t.seen = append(t.seen, &seen{from: off, to: off + int64(n), sum: maphash.Bytes(seed, p[:n])})
	}
	return n, err
}

// seen is a range of a file that was read, and what came of it since: matrices are read
// to compare them, so that the bytes are not kept.
type seen struct {
	from, to int64
	sum      uint64

	next int64 // byte up to which it has come from its start on
	come maphash.Hash
}

// seed is secret: no server can make other bytes of the same sum.
var seed = maphash.MakeSeed()

// agrees reports whether bytes that come, p from byte at on, are those that were read
// before.
func (t *tap) agrees(p []byte, at int64) bool {
	for _, s := range t.seen {
		if !s.agrees(p, at) {
			return false
		}
	}
	return true
}

func (s *seen) agrees(p []byte, at int64) bool {
	lo, hi := max(at, s.from), min(at+int64(len(p)), s.to)
	if lo >= hi {
		return true
	}
	if lo == s.from {
		s.come.SetSeed(seed)
		s.next = lo
	}
	if lo != s.next {
		return true // its start has come before the process ended
	}
	s.come.Write(p[lo-at : hi-at])
	s.next = hi
	return hi < s.to || s.come.Sum64() == s.sum
}

// A piece that comes is a task and where its bytes lie.
type coming struct {
	task
	from, to int64
}

// A shard is a file of weights and what is made of it, in the order of its bytes.
type shard struct {
	name  string
	tasks []coming
}

// shards returns the tasks by the files that they read.
func (p *plan) shards() ([]shard, error) {
	of := map[string][]coming{}
	for t := range p.tasks() {
		if t.part.src.tensor == nil {
			return nil, fmt.Errorf("tensor %s is not in a file: download the checkpoint first", p.tensors[t.tensor].info.Name)
		}
		file, from, to, ok := t.part.src.tensor.Span(t.first, t.first+t.rows)
		if !ok {
			return nil, fmt.Errorf("tensor %s is stored in another order than its rows: download the checkpoint first", t.part.src.tensor.Name)
		}
		of[file] = append(of[file], coming{t, from, to})
	}
	var all []shard
	for name, tasks := range of {
		slices.SortStableFunc(tasks, func(a, b coming) int { return cmp.Compare(a.from, b.from) })
		all = append(all, shard{name, tasks})
	}
	slices.SortFunc(all, func(a, b shard) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}

// A streamer carries out a plan while its sources come.
type streamer struct {
	*run
	src     *taps
	threads int
	search  quantize.Search
	logf    func(string, ...any)
	journal *journal
}

// stream carries out the plan. If it fails, what there is of the file is kept for the
// next time.
func (p *plan) stream(ctx context.Context, src *taps, shards []shard, dst string, opt Options) (s *Summary, err error) {
	defer claim(dst, opt.Logf)()
	j, w, err := openJournal(dst, src.ID(), p, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	r := &run{plan: p, file: w, total: p.sourceBytes(), progress: growing(opt.Progress)}
	st := &streamer{run: r, src: src, threads: opt.Threads, search: opt.Search, logf: opt.Logf, journal: j}
	for i, sh := range shards {
		if err := st.shard(ctx, i, sh); err != nil {
			return nil, fmt.Errorf("%s: not finished: %w", dst, err)
		}
	}
	if err := w.Commit(); err != nil {
		return nil, err
	}
	j.remove()
	return r.summary(opt.Logf), nil
}

// shard makes what is made of shard i. It comes once more, from the start, if its hash
// is not right.
func (s *streamer) shard(ctx context.Context, i int, sh shard) error {
	name := filepath.Base(sh.name)
	for again := range 2 {
		at, state := s.journal.start(i)
		if at < 0 { // this shard is done
			s.had(sh.tasks, math.MaxInt64)
			return nil
		}
		if again == 0 && at > 0 {
			s.logf("%s: going on at byte %d", name, at)
		}
		sum, err := s.once(ctx, i, sh, at, state)
		if err != nil {
			return err
		}
		_, want := s.src.Hash(sh.name)
		if sum == want {
			return s.journal.finish(i)
		}
		s.journal.forget(i)
		if again == 1 {
			return fmt.Errorf("%s: its hash is %s, that of the bytes which come is %s", name, want, sum)
		}
		s.logf("%s: its hash is %s, not %s: reading it once more", name, sum, want)
		s.mu.Lock()
		s.done -= bytesOf(sh.tasks)
		s.mu.Unlock()
	}
	return nil
}

// had says that what is made of tasks before byte at is there already.
func (s *streamer) had(tasks []coming, at int64) (rest []coming) {
	n := 0
	for n < len(tasks) && tasks[n].from < at {
		n++
	}
	for _, t := range tasks[:n] {
		size := s.plan.tensors[t.tensor].rowBytes() * int64(t.rows)
		s.file.Had(t.tensor, t.offset, size)
	}
	s.mu.Lock()
	s.done += bytesOf(tasks[:n])
	s.mu.Unlock()
	return tasks[n:]
}

func bytesOf(tasks []coming) (n int64) {
	for _, t := range tasks {
		n += int64(t.rows) * int64(t.part.src.rowBytes)
	}
	return n
}

// once reads a shard from byte at on, where its hash has a state, and returns its hash.
func (s *streamer) once(ctx context.Context, i int, sh shard, at int64, state []byte) (sum string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h, _ := s.src.Hash(sh.name)
	if m, ok := h.(encoding.BinaryUnmarshaler); ok && at > 0 {
		if err := m.UnmarshalBinary(state); err != nil {
			return "", err
		}
	}
	tap := s.src.of[sh.name]
	w := newInflow(at, roomFor(sh.tasks, s.threads))
	tap.comes.Store(w)
	defer tap.comes.Store(nil)
	context.AfterFunc(ctx, func() { w.fail(context.Cause(ctx)) })
	q := &queue{in: w, tasks: s.had(sh.tasks, at), marks: []mark{{at, state}}}
	q.finished = make([]bool, len(q.tasks))
	q.move()
	came := make(chan error, 1)
	go func() {
		err := s.receive(ctx, sh.name, at, h, q)
		if err != nil {
			w.fail(err) // what has come is converted all the same
		}
		came <- err
	}()
	s.fail = cancel
	s.convert(ctx, q, func() error { return s.journal.save(i, q, journalBytes) })
	err = <-came
	if cause := context.Cause(ctx); cause != nil && (err == nil || !errors.Is(cause, err)) {
		err = cause
	}
	if err != nil {
		return "", errors.Join(err, s.journal.save(i, q, 1))
	}
	if h == nil {
		return "", nil
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// roomFor returns how many bytes an inflow has to hold: enough for the pieces that are
// converted at once, and some more.
func roomFor(tasks []coming, threads int) int64 {
	most := int64(0)
	for _, t := range tasks {
		most = max(most, t.to-t.from)
	}
	return max(8<<20, int64(threads+2)*most)
}

// receive reads a shard into the inflow and hashes it.
func (s *streamer) receive(ctx context.Context, name string, at int64, h hash.Hash, q *queue) error {
	tap := s.src.of[name]
	body, err := s.src.Stream(ctx, name, at)
	if err != nil {
		return err
	}
	defer body.Close()
	b := make([]byte, inflowBlock)
	for at < tap.size {
		n, err := body.Read(b[:min(tap.size-at, int64(len(b)))])
		if !tap.agrees(b[:n], at) {
			return fmt.Errorf("%s: what comes is not what was read of it before: try again", name)
		}
		for p := b[:n]; len(p) > 0; { // the hash stops where a task begins: there it may be gone on with
			k := min(int64(len(p)), q.boundary(at)-at)
			if h != nil {
				h.Write(p[:k])
			}
			at, p = at+k, p[k:]
			q.mark(at, h)
		}
		if !q.in.add(b[:n]) {
			return context.Cause(ctx)
		}
		if err != nil && (err != io.EOF || at < tap.size) {
			return err
		}
	}
	return nil
}

// convert gives the tasks to workers and waits for them. It calls save after each.
func (s *streamer) convert(ctx context.Context, q *queue, save func() error) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range s.threads {
		wg.Go(func() {
			k := worker{encoder: quantize.Encoder{Search: s.search}}
			for i := range next {
				if ctx.Err() != nil {
					continue
				}
				err := s.do(&k, q.tasks[i].task)
				if err == nil {
					q.done(i)
					err = save()
				}
				if err != nil {
					s.fail(err)
				}
			}
		})
	}
	for i := range q.tasks {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
}

// growing returns a function that passes on what does not decrease: a shard that comes
// twice is done twice.
func growing(progress func(done, total int64)) func(done, total int64) {
	if progress == nil {
		return nil
	}
	most := int64(0)
	return func(done, total int64) {
		most = max(most, done)
		progress(most, total)
	}
}
