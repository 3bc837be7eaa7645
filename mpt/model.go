package mpt

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"mptgo/ggml"
	"mptgo/gguf"
	"mptgo/internal/sysmem"
	"mptgo/mpt/tokenizer"
)

// Model is an MPT model that is ready to run. It may be used by many goroutines and
// sessions at the same time.
type Model struct {
	file   *gguf.File
	config Config
	w      *weights
	slopes []float32
	tok    *tokenizer.Tokenizer
	opt    options
	pool   *ggml.Pool
	tenant *tenant // nil: threads and memory are the model's own

	turn   chan struct{} // held while a batch is evaluated; guards runner and profiling
	runner *runner       // nil until the first batch
	pages  *pagePool

	costs     stepCosts
	matches   sharedRates
	profiling bool
	compiled  atomic.Int64 // bytes of the runner's activations; 0: there is none yet

	mu          sync.Mutex
	sessions    map[*Session][]*Adapter // open ones, with the adapters that they use
	closed      atomic.Bool
	drafts      int64                    // bytes of weights and activations of the draft model
	fingerprint func() ([32]byte, error) // identity of the weights, computed once
	adapters    []AdapterUse             // of new sessions

	arena  func() (int64, error) // bytes of a runner, computed once
	budget func() error          // sets what pages may take, and limit, once
	limit  MemoryLimit           // what there was when the first session came

	stopPrefetch func() // ends reading ahead and waits for that
}

// Open maps the GGUF file at path and prepares it to run. It waits for nothing
// but the header: weights are read into the system's page cache in the background
// and, if they are used before, at once.
func Open(path string, opts ...Option) (*Model, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	return Load(f, opts...)
}

// OpenFS is [Open] for a file in a file system such as an embed.FS. It is read into memory.
func OpenFS(fsys fs.FS, name string, opts ...Option) (*Model, error) {
	f, err := gguf.OpenFS(fsys, name)
	if err != nil {
		return nil, err
	}
	return Load(f, opts...)
}

// OpenReaderAt is [Open] for the first size bytes of r, which are read into memory. The name
// is for errors.
func OpenReaderAt(name string, r io.ReaderAt, size int64, opts ...Option) (*Model, error) {
	f, err := gguf.OpenReaderAt(name, r, size)
	if err != nil {
		return nil, err
	}
	return Load(f, opts...)
}

// Load is Open for a file that is open already. The model takes it over and
// closes it, also when Load fails.
func Load(f *gguf.File, opts ...Option) (*Model, error) {
	m := &Model{file: f, opt: options{batch: DefaultBatch, keys: gguf.F16, values: gguf.F16, memory: sysmem.Available, log: slog.New(slog.DiscardHandler)}}
	for _, o := range opts {
		o(&m.opt)
	}
	err := m.load()
	var kv *ggml.KV
	if err == nil {
		kv, err = ggml.NewKV(m.opt.keys, m.opt.values, m.config.KVHeads, m.config.HeadDim)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	m.fingerprint = sync.OnceValues(m.computeFingerprint)
	m.arena = sync.OnceValues(m.measureArena)
	m.sessions = map[*Session][]*Adapter{}
	m.settle()
	m.pages = &pagePool{kv: *kv, layers: m.config.caches(), work: m.pool, most: -1, tenant: m.tenant}
	m.budget = sync.OnceValue(m.setBudget)
	m.prefetch()
	m.logOpened()
	return m, nil
}

// settle gives the model threads and memory: its own, or a host's.
func (m *Model) settle() {
	if h := m.opt.host; h != nil {
		var adapters int64
		for _, u := range m.adapters {
			adapters += u.Adapter.Bytes()
		}
		m.turn, m.pool, m.tenant = h.turn, h.pool, h.enter(m.file.Size(), adapters)
		return
	}
	m.turn, m.pool = make(chan struct{}, 1), ggml.NewPool(m.opt.threads)
}

// prefetch starts to read the file in the background.
func (m *Model) prefetch() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { m.file.Prefetch(ctx) })
	m.stopPrefetch = func() { cancel(); wg.Wait() }
}

func (m *Model) load() error {
	if err := m.opt.validate(); err != nil {
		return err
	}
	c, err := readConfig(m.file)
	if err != nil {
		return err
	}
	if err := m.file.Guard(func() error { m.w, err = loadWeights(m.file, c); return err }); err != nil {
		return err
	}
	if m.tok, err = tokenizer.FromGGUF(m.file); err != nil {
		return blamed(err)
	}
	if m.tok.Size() > c.Vocab {
		return blamed(fmt.Errorf("mpt: %s: %d tokens in the vocabulary, %d rows in token_embd.weight",
			m.file.Name(), m.tok.Size(), c.Vocab))
	}
	m.config, m.slopes = *c, c.slopes()
	if err := checkTier(m.opt.isa); err != nil {
		return err
	}
	return m.loadAdapters()
}

// checkTier reports whether the CPU can run the named kernels.
func checkTier(name string) error {
	_, err := ggml.TierName(name)
	return err
}

// Config returns the model's configuration.
func (m *Model) Config() Config { return m.config }

// Tokenizer returns the model's tokenizer.
func (m *Model) Tokenizer() *tokenizer.Tokenizer { return m.tok }

// File returns the model's file.
func (m *Model) File() *gguf.File { return m.file }

// BatchSize returns how many tokens are evaluated together at the most.
func (m *Model) BatchSize() int { return m.opt.batch }

// Threads returns the number of worker threads.
func (m *Model) Threads() int { return m.pool.Workers() }

// Tier returns the name of the kernels that the model runs on.
func (m *Model) Tier() string {
	name, _ := ggml.TierName(m.opt.isa) // checked by load
	return name
}

// Close ends the worker threads and unmaps the file. Sessions must be closed
// before.
func (m *Model) Close() error {
	m.mu.Lock()
	n, closed := len(m.sessions), m.closed.Load()
	m.closed.Store(closed || n == 0)
	m.mu.Unlock()
	switch {
	case n != 0:
		return fmt.Errorf("mpt: Close of a model with %d open sessions", n)
	case closed:
		return nil
	}
	if m.tenant == nil {
		m.pool.Close()
	}
	m.tenant.leave()
	if m.runner != nil {
		m.runner.exec.Close()
	}
	m.stopPrefetch()
	m.opt.log.Info("model closed", "file", m.file.Name())
	return m.file.Close()
}
