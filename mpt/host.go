package mpt

import (
	"errors"
	"sync"

	"mptgo/ggml"
)

// Host is what several models of a process share: threads, which they use by turns, batch by
// batch, and one account of memory. A model is put on it with [OnHost].
//
// What is left of the memory beside the weights and activations of all models is for keys and
// values: what [Model.Reserve] keeps for one model nobody else gets, and the rest goes to
// whoever asks first. No result depends on who else is there.
type Host struct {
	pool *ggml.Pool
	turn chan struct{} // held while a batch of any model is evaluated

	mu      sync.Mutex
	asked   bool
	limit   MemoryLimit // zero: not known, or not asked for
	tenants map[*tenant]bool
}

// tenant is what a model of a host takes, in bytes. Its fields are under the host's lock. A nil
// tenant is that of a model without a host.
type tenant struct {
	h       *Host
	weights int64
	heap    int64 // adapters, unless they were there before the account was opened
	arena   int64 // activations
	used    int64 // keys and values
	reserve int64 // of these, kept for the model
}

// NewHost starts the threads; 0 means one for each CPU that the process may use.
func NewHost(threads int) *Host {
	return &Host{pool: ggml.NewPool(threads), turn: make(chan struct{}, 1), tenants: map[*tenant]bool{}}
}

// OnHost has a model use the threads and the memory of a host. The options of memory of the
// first model count for all.
func OnHost(h *Host) Option { return func(o *options) { o.host = h } }

// Close ends the threads. Models must be closed before.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.tenants) > 0 {
		return errors.New("mpt: Close of a host with open models")
	}
	h.pool.Close()
	return nil
}

// enter adds a model with its adapters.
func (h *Host) enter(weights, adapters int64) *tenant {
	t := &tenant{h: h, weights: weights}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked {
		t.heap = adapters
	}
	h.tenants[t] = true
	return t
}

// leave takes a model out.
func (t *tenant) leave() {
	if t != nil {
		t.h.mu.Lock()
		defer t.h.mu.Unlock()
		delete(t.h.tenants, t)
	}
}

// open returns how much memory there is for all models, which is asked once.
func (t *tenant) open(ask func() (MemoryLimit, bool)) (MemoryLimit, bool) {
	if t == nil {
		return ask()
	}
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	if !t.h.asked {
		t.h.asked = true
		t.h.limit, _ = ask()
	}
	return t.h.limit, t.h.limit != MemoryLimit{}
}

// holds is what a model takes of the memory for keys and values.
func (t *tenant) holds() int64 { return max(t.used, t.reserve) }

// free returns what no model takes and is kept for none; it is negative if there is less than
// they take. The caller has the lock.
func (h *Host) free() int64 {
	n := h.limit.Bytes
	for t := range h.tenants {
		n -= t.weights + t.heap + t.arena + t.holds()
	}
	return n
}

// take counts n more bytes of keys and values, if there is room for them.
func (t *tenant) take(n int64) bool {
	if t == nil {
		return true
	}
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	more := max(t.used+n, t.reserve) - t.holds()
	if more > 0 && t.h.limit != (MemoryLimit{}) && more > t.h.free() {
		return false
	}
	t.used += n
	return true
}

// give counts n bytes less.
func (t *tenant) give(n int64) {
	if t != nil {
		t.h.mu.Lock()
		defer t.h.mu.Unlock()
		t.used -= n
	}
}

// most returns how much the keys and values of the model may take now; negative: all.
func (t *tenant) most() int64 {
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	if t.h.limit == (MemoryLimit{}) {
		return -1
	}
	return t.holds() + max(t.h.free(), 0)
}

// setArena sets what the activations of the model take.
func (t *tenant) setArena(n int64) {
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	t.arena = n
}

// others returns what the other models take of the account, and what of that the system does
// not know of: their files are mapped, and what they reserve is not there yet.
func (t *tenant) others() (all, unseen int64) {
	if t == nil {
		return 0, 0
	}
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	for x := range t.h.tenants {
		if x != t {
			all += x.weights + x.heap + x.arena + x.holds()
			unseen += x.weights + x.holds() - x.used
		}
	}
	return all, unseen
}

// Reserve keeps memory for the keys and values of so many tokens, whatever other models of the
// host take. Without a host it does nothing. If there is not enough left it fails, with a
// [*MemoryError].
func (m *Model) Reserve(tokens int) error {
	if m.tenant == nil {
		return nil
	}
	if err := m.checkMemory(tokens); err != nil {
		return err
	}
	m.tenant.h.mu.Lock()
	defer m.tenant.h.mu.Unlock()
	m.tenant.reserve = m.CacheBytes(tokens)
	return nil
}
