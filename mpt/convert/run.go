package convert

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"mptgo/gguf"
	"mptgo/quantize"
)

// pieceBytes is how much of a source one task reads, give or take a row. Larger
// pieces gain no speed and cost memory in every worker.
const pieceBytes = 1 << 20

// A task is a piece of a tensor: rows of one part of it.
type task struct {
	tensor int
	part   part
	first  int   // row in the source tensor
	rows   int   // how many
	offset int64 // of the result in the tensor, in bytes
}

// A run is a plan that is being carried out.
type run struct {
	plan *plan
	file *gguf.Writer
	fail context.CancelCauseFunc // ends the run with an error

	mu         sync.Mutex
	done       int64 // source bytes
	total      int64
	progress   func(done, total int64)
	underflows int64
}

// A canceler is [Inputs] that can be told to give up: what they measure may take minutes, and
// nobody wants it when the file cannot be written.
type canceler interface{ Cancel(cause error) }

// write carries out the plan. If it fails no file is left, under any name.
func (p *plan) write(ctx context.Context, dst string, opt Options) (s *Summary, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: not started: %w", dst, context.Cause(ctx))
	}
	defer claim(dst, opt.Logf)()
	w, err := gguf.Create(dst, p.meta, p.infos(), gguf.Options{Force: opt.Force})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	r := &run{plan: p, file: w, fail: cancel, total: p.sourceBytes(), progress: opt.Progress}
	if opt.Inputs != nil {
		p.orderByBlocks()
	}
	if c, ok := opt.Inputs.(canceler); ok {
		defer context.AfterFunc(ctx, func() { c.Cancel(context.Cause(ctx)) })()
	}
	r.work(ctx, opt.Threads, opt.Search)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: not finished: %w", dst, context.Cause(ctx))
	}
	if err := w.Commit(); err != nil {
		return nil, err
	}
	discardPart(dst)
	return r.summary(opt.Logf), nil
}

// work feeds all tasks to n workers and waits for them.
func (r *run) work(ctx context.Context, n int, search quantize.Search) {
	tasks := make(chan task)
	var wg sync.WaitGroup
	var spare spares
	for range n {
		wg.Go(func() {
			k := worker{encoder: quantize.Encoder{Search: search}, spare: &spare, threads: n}
			for t := range tasks {
				if ctx.Err() != nil {
					continue
				}
				if err := r.do(&k, t); err != nil {
					r.fail(err)
				}
			}
		})
	}
	for t := range r.plan.tasks() {
		select {
		case tasks <- t:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(tasks)
	wg.Wait()
}

// tasks yields the pieces of all tensors, in the order of the file unless there is another.
func (p *plan) tasks() iter.Seq[task] {
	return func(yield func(task) bool) {
		for at := range p.tensors {
			i := at
			if p.order != nil {
				i = p.order[at]
			}
			t := &p.tensors[i]
			outBytes := t.rowBytes()
			row := 0 // of the output
			for _, q := range t.parts {
				step := max(1, pieceBytes/q.src.rowBytes)
				for r := 0; r < q.rows; r += step {
					n := min(step, q.rows-r)
					if !yield(task{i, q, q.first + r, n, int64(row+r) * outBytes}) {
						return
					}
				}
				row += q.rows
			}
		}
	}
}

// do converts one piece and writes it.
func (r *run) do(k *worker, t task) error {
	out := &r.plan.tensors[t.tensor]
	b, err := k.convert(t, out)
	if err != nil {
		return fmt.Errorf("tensor %s: rows from %d: %w", out.info.Name, t.first, err)
	}
	if _, err := r.file.WriteAt(t.tensor, b, t.offset); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.underflows += k.underflows
	r.done += int64(t.rows) * int64(t.part.src.rowBytes)
	if r.progress != nil {
		r.progress(r.done, r.total)
	}
	return nil
}

// summary counts what was written.
func (r *run) summary(logf func(string, ...any)) *Summary {
	s := &Summary{
		Tensors:     len(r.plan.tensors),
		SourceBytes: r.total,
		Bytes:       r.file.Size(),
		Types:       map[gguf.Type]int{},
		Underflows:  r.underflows,
	}
	for _, t := range r.plan.tensors {
		n := int64(1)
		for _, d := range t.info.Shape {
			n *= int64(d)
		}
		s.Parameters += n
		s.Types[t.info.Type]++
	}
	if s.Underflows > 0 {
		logf("%d of %d weights are too small for F16 and became 0; BF16 and F32 keep them", s.Underflows, s.Parameters)
	}
	return s
}
