package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch"
)

// A request that was delivered so often is answered in a process of its own: perhaps it ended
// its workers, perhaps they were killed. That decides nothing, and costs time alone.
const aloneFrom = 4

// A request that was begun alone so often, and never came back, is not tried any more: it ends
// machines, not processes. What stops workers in order does not count.
const mostAlone = 6

// result computes the result of a request.
func (w *worker) result(m jetstream.Msg, p place, line batch.Line) (batch.Result, error) {
	d, err := m.Metadata()
	if err != nil || d.NumDelivered < aloneFrom {
		return w.o.Answerer.Answer(w.compute, line)
	}
	line.Alone = true
	n := w.begin(p)
	if n > mostAlone {
		w.q.o.Note("batch %s: line %d is given up: it was begun alone %d times", p.batch, p.line, n-1)
		return w.o.Answerer.GiveUp(line)
	}
	w.q.o.Note("batch %s: line %d was delivered %d times: it is answered in a process of its own",
		p.batch, p.line, d.NumDelivered)
	res, err := w.o.Answerer.Answer(w.compute, line)
	w.ended(p, err == nil)
	return res, err
}

func aloneKey(p place) string { return fmt.Sprintf("%s.alone.%d", p.batch, p.line) }

// begin counts that a request is begun alone, and returns how often it was.
func (w *worker) begin(p place) (n int) {
	w.adjust(p, func(old int) int { n = old + 1; return n })
	return n
}

// ended tells that the process lives after a request that it had begun alone.
func (w *worker) ended(p place, done bool) {
	w.adjust(p, func(old int) int {
		if done {
			return 0
		}
		return max(old-1, 0)
	})
}

// adjust changes the count of a request. Where the server cannot be asked there is no count.
func (w *worker) adjust(p place, change func(int) int) {
	ctx, cancel := w.q.brief(context.WithoutCancel(w.compute))
	defer cancel()
	kv, err := w.q.js.KeyValue(ctx, batchBucket)
	for err == nil && ctx.Err() == nil {
		var v jetstream.KeyValueEntry
		old, revision := 0, uint64(0)
		if v, err = kv.Get(ctx, aloneKey(p)); err == nil {
			old, _ = strconv.Atoi(string(v.Value()))
			revision = v.Revision()
		} else if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return
		}
		n := change(old)
		switch {
		case n == 0 && revision == 0:
			return
		case n == 0:
			err = kv.Delete(ctx, aloneKey(p), jetstream.LastRevision(revision))
		case revision == 0:
			_, err = kv.Create(ctx, aloneKey(p), []byte(strconv.Itoa(n)))
		default:
			_, err = kv.Update(ctx, aloneKey(p), []byte(strconv.Itoa(n)), revision)
		}
		if !isStale(err) {
			return
		}
		err = nil
	}
}
