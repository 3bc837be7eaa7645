package mpt

import (
	"fmt"

	"mptgo/ggml"
)

// MemoryError says that a session needs more memory than there is.
type MemoryError struct {
	Context int // tokens that the session was to hold

	// What is needed, in bytes: for the file, which is mapped and must stay in memory
	// to be fast; for the keys and values of Context tokens; for activations; and what the
	// other sessions and models take.
	Weights, Cache, Activations, Others int64

	Limit MemoryLimit // what there is
	Fits  int         // the largest context that would fit; 0: none
}

// MemoryLimit is how much memory there is, in bytes, and what says so, such as "available
// in the system".
type MemoryLimit struct {
	Bytes  int64
	Source string
}

func (e *MemoryError) Error() string {
	advice := "not even a short context fits: use a smaller type of weights, or a smaller batch"
	if e.Fits > 0 {
		advice = fmt.Sprintf("%d tokens would fit", e.Fits)
	}
	others := ""
	if e.Others > 0 {
		others = fmt.Sprintf(", others %s", gigabytes(e.Others))
	}
	return fmt.Sprintf("mpt: a context of %d tokens needs %s of memory (weights %s, keys and values %s%s, activations %s), and %s are %s: %s",
		e.Context, gigabytes(e.Weights+e.Cache+e.Others+e.Activations), gigabytes(e.Weights), gigabytes(e.Cache), others, gigabytes(e.Activations),
		gigabytes(e.Limit.Bytes), e.Limit.Source, advice)
}

func gigabytes(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }

// Memory is the model's account: what its sessions take and may take. It leaves out what is
// small beside that: adapters, and a row of logits for every session.
type Memory struct {
	Weights     int64 // of the file, in bytes; it is mapped, and other processes share it; and of a draft model
	Activations int64 // of one batch
	Cache       int64 // keys and values that sessions hold now
	CacheLimit  int64 // and the most that they may hold, of a host's memory now; negative: not limited
}

// Memory returns the account.
func (m *Model) Memory() (Memory, error) {
	if err := m.budget(); err != nil {
		return Memory{}, err
	}
	arena, err := m.activations()
	m.pages.mu.Lock()
	defer m.pages.mu.Unlock()
	most := m.pages.most
	if m.tenant != nil {
		most = m.tenant.most()
	}
	return Memory{m.weightBytes(), arena, int64(m.pages.used)*m.pages.pageBytes() + m.pages.lent, most}, err
}

// weightBytes returns the size of the file, and what a draft model takes beside keys and values.
func (m *Model) weightBytes() int64 { return m.file.Size() + m.drafts }

// MemoryLeft returns how much memory the process may still take; ok is false if that is
// not known or, with [IgnoreMemory], not asked.
func (m *Model) MemoryLeft() (limit MemoryLimit, ok bool) {
	if m.opt.memory == nil {
		return limit, false
	}
	l, ok := m.opt.memory()
	return MemoryLimit(l), ok
}

// setBudget limits what the pages of all sessions may take to what the system has left
// now, beside the weights and the activations.
func (m *Model) setBudget() error {
	limit, ok := m.tenant.open(m.MemoryLeft)
	if !ok {
		return nil
	}
	if _, err := m.arena(); err != nil {
		return err
	}
	m.limit = limit
	m.limitPages()
	return nil
}

// limitPages limits the pages to what the budget leaves, if there is one.
func (m *Model) limitPages() {
	arena, err := m.activations()
	if err == nil && m.tenant != nil {
		m.tenant.setArena(arena)
	} else if err == nil && m.limit != (MemoryLimit{}) {
		m.pages.limit(max(m.limit.Bytes-m.weightBytes()-arena, 0))
	}
}

// activations returns the bytes that a batch takes: what was computed for new sessions, or
// more if the graph holds other adapters.
func (m *Model) activations() (int64, error) {
	arena, err := m.arena()
	return max(arena, m.compiled.Load()), err
}

// checkMemory refuses a context that would not fit, beside what sessions hold already,
// into the memory that is left. Pages are taken from the account as tokens come.
func (m *Model) checkMemory(context int) error {
	if err := m.budget(); err != nil {
		return err
	}
	limit, ok := m.MemoryLeft()
	if !ok {
		return nil
	}
	arena, err := m.activations()
	if err != nil {
		return err
	}
	others, unseen := m.tenant.others()
	used := m.pages.inUse() + others
	// Other programs may have taken memory since the account was opened. What is left now
	// is less the activations, if there are some already.
	left := limit.Bytes - unseen
	left += m.compiled.Load()
	room := min(m.limit.Bytes-used, left) - m.weightBytes() - arena
	if m.CacheBytes(context) <= room {
		return nil
	}
	if left > m.limit.Bytes-used {
		limit = m.limit
	} else {
		used = unseen // what is left does not hold the rest any more
	}
	return m.newMemoryError(context, used, room, limit)
}

// memoryError says that the account has no page left for a session of n tokens, when
// others hold so many bytes.
func (m *Model) memoryError(n int, others int64) error {
	arena, err := m.activations()
	if err != nil {
		return err
	}
	elsewhere, _ := m.tenant.others()
	others += elsewhere
	return m.newMemoryError(n, others, m.limit.Bytes-m.weightBytes()-arena-others, m.limit)
}

func (m *Model) newMemoryError(context int, others, room int64, limit MemoryLimit) error {
	arena, err := m.activations()
	if err != nil {
		return err
	}
	return &MemoryError{
		Context: context, Weights: m.weightBytes(), Activations: arena, Cache: m.CacheBytes(context), Others: others,
		Limit: limit, Fits: int(max(room, 0)/m.pages.pageBytes()) * ggml.PageSize,
	}
}

// measureArena returns the memory that a runner takes with the adapters of the model.
func (m *Model) measureArena() (int64, error) {
	g, err := ggml.Build(func(g *ggml.Graph) { m.graph(g, m.ownAdapters()) })
	if err != nil {
		return 0, err
	}
	n, err := ggml.Measure(g, m.opt.batch, m.compileOptions())
	return int64(n), err
}
