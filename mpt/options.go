package mpt

import (
	"fmt"
	"log/slog"
	"slices"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/internal/sysmem"
)

// options are the choices that hold for a model.
type options struct {
	threads int
	batch   int
	exact   bool
	keys    gguf.Type // of the cache
	values  gguf.Type
	isa     string
	log     *slog.Logger                // never nil
	memory  func() (sysmem.Limit, bool) // what the system has left; nil: not asked

	adapters []adapterFile
	host     *Host // nil: the model is alone
}

// DefaultBatch is the largest number of tokens that are evaluated together.
const DefaultBatch = 512

// Option is a choice of [Open] and [Load].
type Option func(*options)

// Threads sets the number of worker threads; 0 means one for each CPU that the
// process may use, and more than that are not started. It does not change any result.
func Threads(n int) Option { return func(o *options) { o.threads = n } }

// BatchSize sets how many tokens are evaluated together at the most. It does
// not change any result; memory for activations grows with it.
func BatchSize(n int) Option { return func(o *options) { o.batch = n } }

// Exact computes with float32 activations and a float32 cache: slower, and as
// close to the reference implementation as float32 gets.
func Exact() Option {
	return func(o *options) { o.exact, o.keys, o.values = true, gguf.F32, gguf.F32 }
}

// CacheType sets the type of cached keys and values, one of [CacheTypes]; the default is
// gguf.F16. Types of 8 and 4 bits take about a half and a quarter of the memory of F16,
// and of the time to read a long context at every token; the results differ a little.
func CacheType(t gguf.Type) Option { return func(o *options) { o.keys, o.values = t, t } }

// CacheKeyType is [CacheType] for the keys alone.
func CacheKeyType(t gguf.Type) Option { return func(o *options) { o.keys = t } }

// CacheValueType is [CacheType] for the values alone.
func CacheValueType(t gguf.Type) Option { return func(o *options) { o.values = t } }

// CacheTypes returns the types that cached keys and values may have, the default first:
// F16, F32, Q8_0 and Q4_0.
func CacheTypes() []gguf.Type { return ggml.CacheTypes() }

// Tier names the kernels to use, such as "generic" or "avx2"; the default is
// the fastest that the CPU can run. It does not change any result.
func Tier(name string) Option { return func(o *options) { o.isa = name } }

// IgnoreMemory makes sessions that need more memory than the system has left; without
// it, [Model.NewSession] refuses them.
func IgnoreMemory() Option { return func(o *options) { o.memory = nil } }

// MemoryBudget has the model and its sessions take no more than n bytes, weights included, in
// place of what the system has left.
func MemoryBudget(n int64) Option {
	return func(o *options) {
		o.memory = func() (sysmem.Limit, bool) { return sysmem.Limit{Bytes: n, Source: "allowed"}, true }
	}
}

// Logger has the model tell l what it does that programs may want to know afterwards: that it
// is opened and closed, that an adapter is loaded, with what is noteworthy about it, and that
// there is not enough memory for a session. Texts, prompts and tokens are never logged.
func Logger(l *slog.Logger) Option {
	return func(o *options) {
		if l != nil {
			o.log = l
		}
	}
}

func (o *options) validate() error {
	if o.threads < 0 || o.threads > 1024 {
		return fmt.Errorf("mpt: %d threads: want 1 to 1024, or 0 for all CPUs", o.threads)
	}
	if o.batch < 1 || o.batch > 1<<16 {
		return fmt.Errorf("mpt: a batch of %d tokens: want 1 to %d", o.batch, 1<<16)
	}
	for _, t := range []gguf.Type{o.keys, o.values} {
		if !slices.Contains(CacheTypes(), t) {
			return fmt.Errorf("mpt: cache type %v: want one of %v", t, CacheTypes())
		}
	}
	return nil
}

// sessionOptions are the choices that hold for one session.
type sessionOptions struct {
	context   int
	noReserve bool
}

// SessionOption is a choice of [Model.NewSession].
type SessionOption func(*sessionOptions)

// ContextSize sets how many tokens a session can hold; the default, 0, is the
// length the model was trained for. ALiBi models may be given more: they go on
// working, the better the closer to the trained length; models with learned positions
// cannot. Memory is taken as
// tokens come, not at once.
func ContextSize(n int) SessionOption { return func(o *sessionOptions) { o.context = n } }

// NoReserve has a session begin although there may not be memory for all of its context: it
// takes pages as tokens come, and an evaluation that finds none fails with a [*MemoryError].
func NoReserve() SessionOption { return func(o *sessionOptions) { o.noReserve = true } }

// maxContext bounds what a caller can ask for: far above any MPT model.
const maxContext = 1 << 24
