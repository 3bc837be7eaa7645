// Package server is the HTTP side of mpt serve: the APIs of OpenAI, llama.cpp, Ollama and
// Anthropic, a file or two for each, on the engine of package serve.
package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/serve"
	"mptgo/mpt/talk"
	"mptgo/sampling"
)

// Model is what is served.
type Model struct {
	Engine *serve.Engine
	Names  []string // what clients may call it; the first is its id
	Format *chat.Format
}

// Config says how.
type Config struct {
	Defaults sampling.Params // of requests that say nothing else
	Fixed    bool            // whether the seed of Defaults is meant, not one drawn for each request

	Pooling serve.Pooling // how texts become vectors; none: requests for them are refused

	Keys         []string // API keys; none: everybody may ask
	Rate         Rate     // of each key, or address where there are no keys
	AllowedHosts []string // beside those of loopback
	Loopback     bool     // listens on loopback alone: other hosts are refused
	Origins      []string // that pages may ask from, beside loopback; "*": any
	Prefix       string   // of all paths, such as "/llm"

	MaxBody     int64         // bytes, after decompression
	BodyTimeout time.Duration // without a byte of the body
	WriteWait   time.Duration // until a client takes what is written
	Ping        time.Duration // silence in a stream; negative: no pings
	Metrics     bool
	Slots       bool
	SlotDir     string // a folder that slots are saved in; "": they are not
	Page        bool   // show the page to browsers

	Log     *slog.Logger
	LogText bool // prompts and answers, too
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Defaults: sampling.DefaultParams(), MaxBody: 32 << 20, BodyTimeout: 60 * time.Second, WriteWait: 60 * time.Second,
		Ping: 15 * time.Second, Metrics: true, Slots: true, Page: true, Log: slog.New(slog.DiscardHandler),
	}
}

// Server answers requests. It is an [http.Handler].
type Server struct {
	c        Config
	model    atomic.Pointer[served]
	state    atomic.Pointer[string] // why not: "loading", "draining"; nil: ready
	leaving  atomic.Bool            // health says so, but requests are served
	metrics  *metrics
	throttle throttle
	handler  http.Handler
}

// served is a model with what is derived from it.
type served struct {
	Model
	created     time.Time
	fingerprint string
	digest      string // of the model file, 64 digits
	shapes      *shapes
	slots       *slots // nil: they are not saved
	stopIDs     []int32
	stops       []string
	logText     bool
	maskTime    prometheus.Observer // of grammars, for a token
}

// New returns a server that answers that it is loading until [Server.Serve].
func New(c Config) *Server {
	s := &Server{c: c, metrics: newMetrics(), throttle: throttle{rate: c.Rate}}
	loading := "loading"
	s.state.Store(&loading)
	s.handler = s.build()
	return s
}

// Observer is what the engine has to tell, for metrics.
func (s *Server) Observer() serve.Observer { return s.metrics }

// Log is where the server logs to.
func (s *Server) Log() *slog.Logger { return s.c.Log }

// Serve begins to answer with a model.
func (s *Server) Serve(m Model) error {
	x := &served{Model: m, created: time.Now(), logText: s.c.LogText, maskTime: s.metrics.mask}
	model := m.Engine.Model()
	print, err := model.Fingerprint()
	if err != nil {
		return err
	}
	keys, values := model.CacheType()
	x.digest = hex.EncodeToString(print[:])
	h := sha256.New()
	fmt.Fprintf(h, "%x %v %v %d", print, keys, values, mpt.NumericsVersion)
	for _, u := range model.Adapters() {
		fmt.Fprintf(h, " %x %g", u.Adapter.Fingerprint(), u.Scale)
	}
	x.fingerprint = "fp_" + hex.EncodeToString(h.Sum(nil))[:12]
	x.shapes = newShapes(model)
	if s.c.SlotDir != "" {
		x.slots = newSlots(m.Engine.Options().Parallel)
	}
	x.stopIDs, x.stops = talk.Stops(m.Format, model.Tokenizer())
	s.model.Store(x)
	s.metrics.serve(x)
	s.state.Store(nil)
	return nil
}

// Leave has health say that the server is about to end; requests are still served.
func (s *Server) Leave() {
	s.leaving.Store(true)
}

// Drain answers from now on that the server is about to end, and waits until what runs is
// done or ctx is.
func (s *Server) Drain(ctx context.Context) error {
	draining := "draining"
	s.state.Store(&draining)
	if m := s.model.Load(); m != nil {
		return m.Engine.Drain(ctx)
	}
	return nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// current returns the model, or why there is none.
func (s *Server) current() (*served, *apiError) {
	if why := s.state.Load(); why != nil {
		if *why == "loading" {
			return nil, unavailable("loading", "Loading model")
		}
		return nil, unavailable("draining", "the server is about to end")
	}
	return s.model.Load(), nil
}

// named returns the model that a request names, by any of its names.
func (s *Server) named(f *fields) (*served, *apiError) {
	m, err := s.current()
	if err != nil {
		return nil, err
	}
	name := f.text("model")
	if f.err != nil {
		return nil, f.err
	}
	if name != "" && !m.is(name) {
		return nil, m.unknown(name)
	}
	return m, nil
}

// unknown says that there is no model of a name.
func (m *served) unknown(name string) *apiError {
	return &apiError{Status: 404, Type: "not_found_error", Code: "model_not_found", Param: "model",
		Message: fmt.Sprintf("there is no model %q here: known are %s", name, strings.Join(m.Names, ", "))}
}

// is reports whether a name is the model's. Ollama's clients add a tag to names without one.
func (m *served) is(name string) bool {
	return slices.Contains(m.Names, name) || slices.Contains(m.Names, strings.TrimSuffix(name, latest))
}
