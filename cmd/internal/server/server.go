// Package server is the HTTP side of mpt serve: the APIs of OpenAI, llama.cpp, Ollama and
// Anthropic, a file or two for each, on the engine of package serve.
package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
	Engine   *serve.Engine
	Names    []string // what clients may call it; the first is its id
	Format   *chat.Format
	Adapters []Adapter // names for those of the engine's model, in their order

	Close func() error // ends the engine and the model; nil: whoever made them does
}

// Config says how.
type Config struct {
	Defaults sampling.Params // of requests that say nothing else
	Fixed    bool            // whether the seed of Defaults is meant, not one drawn for each request

	Pooling serve.Pooling // how texts become vectors; none: requests for them are refused

	Keys         []string // API keys; none: everybody may ask
	Rate         Rate     // of requests of each key, or address where there are no keys
	TokenRate    Rate     // of tokens, of prompts and answers
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
	models   catalogue
	state    atomic.Pointer[string] // why not: "loading", "draining"; nil: ready
	leaving  atomic.Bool            // health says so, but requests are served
	metrics  *metrics
	throttle throttle
	tokens   throttle
	handler  http.Handler
}

// served is a model with what is derived from it.
type served struct {
	Model
	created  time.Time
	digest   string // of the model file, 64 digits
	lora     *adapters
	shapes   *shapes
	stopIDs  []int32
	stops    []string
	slots    *slots // nil: they are not saved
	logText  bool
	maskTime prometheus.Observer // of grammars, for a token
	spend    func(key string, tokens int)
}

// New returns a server that answers that it is loading until [Server.Serve].
func New(c Config) *Server {
	s := &Server{c: c, throttle: throttle{rate: c.Rate, unit: inRequests}, tokens: throttle{rate: c.TokenRate, unit: inTokens}}
	s.models = catalogue{log: c.Log, turn: make(chan struct{}, 1), auto: true}
	s.metrics = newMetrics(&s.models)
	s.models.equip = s.equip
	why := "loading"
	s.state.Store(&why)
	s.handler = s.build()
	return s
}

// Observer is what the engine of a model has to tell, for metrics.
func (s *Server) Observer(model string) serve.Observer { return s.metrics.of(model) }

// Log is where the server logs to.
func (s *Server) Log() *slog.Logger { return s.c.Log }

// Serve begins to answer with a model that is there as long as the server.
func (s *Server) Serve(m Model) error {
	x, err := newServed(m)
	if err != nil {
		return err
	}
	s.equip(x)
	if err := s.models.offer([]Source{{Names: m.Names, Adapters: x.lora.names}}); err != nil {
		return err
	}
	e := s.models.all[0]
	e.m, e.digest, e.state = x, x.digest, loaded
	s.state.Store(nil)
	return nil
}

// Offer begins to answer with several models, of which at most so many are loaded at the same
// time; 0: any number. As many as that are loaded now, the first ones, or as many as there is
// memory for, but at least one. With auto a request loads its model if need be.
func (s *Server) Offer(list []Source, most int, auto bool) error {
	c := &s.models
	if err := c.offer(list); err != nil {
		return err
	}
	c.most, c.auto = most, auto
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	for i, e := range c.all {
		if most > 0 && i == most {
			break
		}
		c.mu.Lock()
		e.set(loading)
		c.mu.Unlock()
		err := c.load(e, false)
		if full := (*mpt.MemoryError)(nil); i > 0 && errors.As(err, &full) {
			c.logFailure(e, err) // the server begins without it
			break
		}
		if err != nil {
			return err
		}
	}
	s.state.Store(nil)
	return nil
}

// Close unloads all models. Nothing may be asked any more.
func (s *Server) Close() error {
	var all []error
	for _, e := range s.models.list() {
		if _, m := s.models.now(e); m != nil && m.Close != nil {
			all = append(all, m.Close())
		}
	}
	return errors.Join(all...)
}

// newServed derives what requests need of a model.
func newServed(m Model) (*served, error) {
	model := m.Engine.Model()
	print, err := model.Fingerprint()
	if err != nil {
		return nil, err
	}
	x := &served{Model: m, created: time.Now(), digest: hex.EncodeToString(print[:]), shapes: newShapes(model)}
	if x.lora, err = newAdapters(&m); err != nil {
		return nil, err
	}
	x.stopIDs, x.stops = talk.Stops(m.Format, model.Tokenizer())
	return x, nil
}

// equip gives a model what the configuration asks for.
func (s *Server) equip(x *served) {
	x.spend = s.tokens.spend
	x.logText, x.maskTime = s.c.LogText, s.metrics.mask.WithLabelValues(x.Names[0])
	if s.c.SlotDir != "" {
		x.slots = newSlots(x.Engine.Options().Parallel)
	}
}

// fingerprint names all that the answers of a model with some adapters depend on beside their
// requests. An adapter with the scale 0 does nothing.
func (m *served) fingerprint(uses []mpt.AdapterUse) string {
	h := sha256.New()
	keys, values := m.Engine.Model().CacheType()
	fmt.Fprintf(h, "%s %v %v %d", m.digest, keys, values, mpt.NumericsVersion)
	for _, u := range uses {
		if u.Scale != 0 {
			fmt.Fprintf(h, " %x %g", u.Adapter.Fingerprint(), u.Scale)
		}
	}
	return "fp_" + hex.EncodeToString(h.Sum(nil))[:12]
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
	return s.models.drain(ctx)
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// ready returns why nothing can be asked, if so.
func (s *Server) ready() *apiError {
	switch why := s.state.Load(); {
	case why == nil:
		return nil
	case *why == "loading":
		return unavailable("loading", "Loading model")
	}
	return unavailable("draining", "the server is about to end")
}

// named returns the model that a request names, by any of its names.
func (s *Server) named(r *http.Request, f *fields) (*served, *apiError) {
	name := f.text("model")
	if err := s.ready(); err != nil {
		return nil, err
	}
	if f.err != nil {
		return nil, f.err
	}
	return s.use(r, name)
}
