package cli

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/batch"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/server"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
	"mptgo/sampling"
)

// lines is how many lines are answered at the same time.
func (f *batchFlags) lines() int {
	if f.parallel > 0 {
		return f.parallel
	}
	return min(max(4, 2*runtime.GOMAXPROCS(0)), 64)
}

// sequences is how many sequences there may be: what one line may ask for, at least.
func (f *batchFlags) sequences() int { return max(f.lines(), leastBatch) }

// identity says what answers depend on beside the input.
func (f *batchFlags) identity(ctx context.Context, m *mpt.Model) (batch.Identity, error) {
	keys, values := m.CacheType()
	opt := map[string]string{
		"--exact": strconv.FormatBool(f.model.Exact), "--ctx-size": strconv.Itoa(f.contextSize(m)),
		"--cache-type-k": strings.ToLower(keys.String()), "--cache-type-v": strings.ToLower(values.String()),
		"--alias":     strings.Join(modelNames(f.alias, f.model.Path, m), ","),
		"--any-model": strconv.FormatBool(f.any), "--limit": strconv.Itoa(f.limit),
		"--request-timeout": f.timeout.String(),
	}
	format, err := f.format.Choose(ctx, m)
	if err != nil {
		return batch.Identity{}, err
	}
	opt["--chat-template"] = strings.TrimSpace(format.Name + " " + f.format.Digest(ctx))
	adapters, err := f.model.LoRA.Adapters()
	if err != nil {
		return batch.Identity{}, err
	}
	for i, u := range m.Adapters() {
		print := u.Adapter.Fingerprint()
		opt[fmt.Sprintf("--lora %d", i+1)] = fmt.Sprintf("%s=%s:%g", adapters[i].Name, hex.EncodeToString(print[:6]), u.Scale)
	}
	for _, o := range sampling.Options() {
		opt["--"+flags.SamplingName(o)] = o.Get(&f.sampling.Values)
	}
	sum := builtin.SHA256()
	if f.model.Path != "" {
		if sum, err = fileHash(shards(f.model.Path)...); err != nil {
			return batch.Identity{}, err
		}
	}
	return batch.Identity{Model: sum, Numerics: mpt.NumericsVersion, Options: opt}, nil
}

// greet says what answers, and how much memory it may take beside the weights.
func (f *batchFlags) greet(cmd *cobra.Command, e *serve.Engine) {
	m, o := e.Model(), e.Options()
	cache := "no prefix cache"
	if o.CacheBytes > 0 {
		cache = "prefix cache " + console.ByteSize(o.CacheBytes)
	}
	console.Note(cmd.ErrOrStderr(), "batch: %s: %s kernels, %s, context %d (%s), %s at the same time, %s",
		console.Visible(f.model.Name()), m.Tier(),
		console.Plural(m.Threads(), "thread", "threads"), o.ContextSize, console.ByteSize(m.CacheBytes(o.ContextSize)), console.Plural(f.lines(), "line", "lines"), cache)
}

// contextSize is the room of one sequence. It does not depend on how much memory there is: else
// answers would.
func (f *batchFlags) contextSize(m *mpt.Model) int {
	if f.context > 0 {
		return f.context
	}
	return m.Config().Context
}

// worker starts what answers requests: the server's handler, without a listener.
func (f *batchFlags) worker(cmd *cobra.Command, m *mpt.Model) (*batch.Local, *serve.Engine, error) {
	clock := &atomic.Int64{}
	f.format.Now = func() time.Time { return time.Unix(clock.Load(), 0).UTC() }
	format, err := f.format.Choose(cmd.Context(), m)
	if err != nil {
		return nil, nil, err
	}
	if err := f.sampling.Values.Validate(); err != nil {
		return nil, nil, err
	}
	c := server.DefaultConfig()
	c.Defaults, c.Fixed = f.sampling.Values, true // the seed is 0 if nobody has chosen one
	s := server.New(c)
	e, err := serve.New(m, serve.Options{
		ContextSize: f.contextSize(m), Parallel: f.sequences(), MaxQueue: 1 << 20, CacheBytes: f.cacheBytes(), Ordered: true,
		Observer: s.Observer(modelNames(f.alias, f.model.Path, m)[0]),
	})
	if err != nil {
		return nil, nil, flags.ExplainMemory(err)
	}
	adapters, err := servedAdapters(&f.model.LoRA)
	if err == nil {
		err = s.Serve(server.Model{Engine: e, Names: modelNames(f.alias, f.model.Path, m), Format: format,
			Adapters: adapters})
	}
	if err != nil {
		e.Close()
		return nil, nil, err
	}
	return &batch.Local{Handler: s, Timeout: f.timeout.time, MaxTokens: f.timeout.tokens, AnyModel: f.any,
		Clock: clock}, e, nil
}

// cacheBytes is the budget of the cache: what runs alone has nothing to share.
func (f *batchFlags) cacheBytes() int64 {
	switch {
	case f.alone || f.cacheRAM == 0:
		return -1
	case f.cacheRAM < 0:
		return 0 // the engine chooses
	}
	return int64(f.cacheRAM) << 20
}

// serveAlone answers what another process asks, one by one.
func (f *batchFlags) serveAlone(cmd *cobra.Command) error {
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	w, e, err := f.worker(cmd, m)
	if err != nil {
		return err
	}
	defer e.Close()
	return batch.ServeAlone(cmd.Context(), w, cmd.InOrStdin(), cmd.OutOrStdout())
}

// names returns what lines may call the model, and its adapters.
func (f *batchFlags) names(m *mpt.Model) ([]string, error) {
	adapters, err := f.model.LoRA.Adapters()
	names := modelNames(f.alias, f.model.Path, m)
	for _, a := range adapters {
		names = append(names, a.Name)
	}
	return names, err
}

// servedAdapters returns adapters as requests may name them.
func servedAdapters(f *flags.LoRA) (list []server.Adapter, err error) {
	given, err := f.Adapters()
	for _, a := range given {
		list = append(list, server.Adapter{Name: a.Name, Scale: a.Scale})
	}
	return list, err
}

// modelNames returns what clients may call a model: never a path.
func modelNames(alias, path string, m *mpt.Model) []string {
	if names := aliases(alias); len(names) > 0 {
		return names
	}
	if path == "" {
		return []string{builtin.Name}
	}
	if name := m.Config().Name; name != "" {
		return []string{name}
	}
	return []string{strings.TrimSuffix(filepath.Base(path), ".gguf")}
}

// aliases reads names that are separated by commas.
func aliases(text string) (names []string) {
	for n := range strings.SplitSeq(text, ",") {
		if n = strings.TrimSpace(n); n != "" {
			names = append(names, n)
		}
	}
	return names
}

// batchStatus shows how far the work is.
type batchStatus struct {
	mu    sync.Mutex
	show  *console.Status
	e     *serve.Engine
	begun time.Time
	over  bool
}

func newBatchStatus(cmd *cobra.Command) *batchStatus {
	return &batchStatus{show: console.NewStatus(cmd.ErrOrStderr())}
}

// begin says when the work begins: rates count from here.
func (s *batchStatus) begin(e *serve.Engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.e, s.begun = e, time.Now()
}

func (s *batchStatus) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.show.Clear()
}

func (s *batchStatus) progress(c batch.Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.e == nil {
		return
	}
	s.show.Show("%s", batchLine(c, s.e.Stats(), time.Since(s.begun)))
}

// batchLine tells how far the work is, and how long it will take if it goes on so.
func batchLine(c batch.Counts, s serve.Stats, took time.Duration) string {
	line := fmt.Sprintf("batch: %d of %s", c.Done, console.Plural(c.Total, "line", "lines"))
	if c.Failed > 0 {
		line += fmt.Sprintf(", %d not answered", c.Failed)
	}
	seconds := max(took.Seconds(), 1e-3)
	line += fmt.Sprintf(", %.1f tokens/s", float64(s.PromptTokens+s.DecodeTokens)/seconds)
	if n := c.Done - c.Kept; n > 0 {
		line += fmt.Sprintf(", about %s left", console.Duration(float64(c.Total-c.Done)*seconds/float64(n)))
	}
	return line
}
