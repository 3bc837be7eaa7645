package queue

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// held is the requests that a worker is at. The server hears of each before it would give it to
// another.
type held struct {
	mu  sync.Mutex
	all map[jetstream.Msg]struct{}
}

func (h *held) add(m jetstream.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[jetstream.Msg]struct{}{}
	}
	h.all[m] = struct{}{}
}

func (h *held) drop(m jetstream.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, m)
}

func (h *held) list() (all []jetstream.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for m := range h.all {
		all = append(all, m)
	}
	return all
}

// keep tells the server of all every so often. What is lost on the way does not matter: a
// request that goes to another worker as well has one result.
func (h *held) keep(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		for _, m := range h.list() {
			m.InProgress()
		}
	}
}
