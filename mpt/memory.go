package mpt

import (
	"fmt"

	"mptgo/ggml"
	"mptgo/internal/sysmem"
)

// MemoryError says that a session would need more memory than there is.
type MemoryError struct {
	Context int // tokens asked for

	// What is needed, in bytes: for the file, which is mapped and must stay in memory
	// to be fast; for the keys and values of a full context; for activations.
	Weights, Cache, Activations int64

	Limit sysmem.Limit // what there is
	Fits  int          // the largest context that would fit; 0: none
}

func (e *MemoryError) Error() string {
	advice := "not even a short context fits: use a smaller type of weights, or a smaller batch"
	if e.Fits > 0 {
		advice = fmt.Sprintf("%d tokens would fit (-c %d)", e.Fits, e.Fits)
	}
	return fmt.Sprintf("mpt: a context of %d tokens needs %s of memory (weights %s, keys and values %s, activations %s), and %s are %s: %s; --ignore-memory starts nevertheless",
		e.Context, gigabytes(e.Weights+e.Cache+e.Activations), gigabytes(e.Weights), gigabytes(e.Cache), gigabytes(e.Activations),
		gigabytes(e.Limit.Bytes), e.Limit.Source, advice)
}

func gigabytes(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }

// checkMemory refuses a context that would not fit into the memory that is left.
func (m *Model) checkMemory(context int) error {
	if m.opt.memory == nil {
		return nil
	}
	limit, ok := m.opt.memory()
	if !ok {
		return nil
	}
	arena, err := m.arena()
	if err != nil {
		return err
	}
	e := &MemoryError{Context: context, Weights: m.file.Size(), Activations: arena, Limit: limit, Cache: m.CacheBytes(context)}
	room := limit.Bytes - e.Weights - e.Activations
	if e.Cache <= room {
		return nil
	}
	if page := m.CacheBytes(ggml.Chunk); room >= page {
		e.Fits = int(room/page) * ggml.Chunk
	}
	return e
}

// measureArena returns the memory that a runner takes.
func (m *Model) measureArena() (int64, error) {
	adapters := newAdapterSet(m.adapters).active
	g := ggml.NewGraph()
	g.Keep(m.body(g, adapters))
	body, err := ggml.Measure(g, m.opt.batch, m.compileOptions())
	if err != nil {
		return 0, err
	}
	g = ggml.NewGraph()
	_, logits := m.head(g, adapters)
	g.Keep(logits)
	head, err := ggml.Measure(g, headBatch, m.compileOptions())
	return int64(body) + int64(head), err
}
