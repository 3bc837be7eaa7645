package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/serve"
)

// Source is a model that the server can load and unload.
type Source struct {
	Names    []string // what clients may call it; the first is its id
	Adapters []string // the names of its adapters

	// What is known of its file without loading it.
	Parameters, Size int64
	Type             string

	// Load makes it ready to answer; [Model.Close] undoes that. It is not called while another
	// is. nil: it is there as long as the server.
	Load func() (Model, error)
}

// The states of a model, in llama.cpp's words as far as it has some.
const (
	unloaded  = "unloaded"
	loading   = "loading"
	loaded    = "loaded"
	unloading = "unloading" // what runs comes to its end
)

// entry is a model of the catalogue. What may change is under the catalogue's lock.
type entry struct {
	Source
	offered time.Time

	state   string
	changed chan struct{} // closed at the next change of the state, or when users is 0
	m       *served       // loaded or unloading
	digest  string        // of the file, once it is known
	err     error         // of the last attempt to load it
	users   int           // requests that have it
	waiters int           // those that wait for it
	used    int           // the catalogue's clock then
	scales  []float32     // of its adapters, when it was unloaded
}

// catalogue is all models of a server. What asks for one that is not loaded has it loaded.
type catalogue struct {
	log  *slog.Logger
	auto bool // a request loads its model
	most int  // how many are loaded at the same time; 0: any number

	turn  chan struct{} // held by what loads
	equip func(*served) // gives a model what the configuration asks for

	mu     sync.Mutex
	all    []*entry
	clock  int
	closed bool // nothing is loaded any more
}

// offer adds models. Their names, and those of their adapters, have to differ.
func (c *catalogue) offer(list []Source) error {
	var names []string
	for _, x := range list {
		names = slices.Concat(names, x.Names, x.Adapters)
	}
	if err := differ(names); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
	for _, x := range list {
		c.all = append(c.all, &entry{Source: x, offered: time.Now(), state: unloaded, changed: make(chan struct{})})
	}
	return nil
}

// differ refuses two models or adapters of one name.
func differ(names []string) error {
	names = slices.Clone(names)
	slices.Sort(names)
	for i, name := range names {
		if i > 0 && name == names[i-1] {
			return fmt.Errorf("two models or adapters are called %q: give one of them another name", name)
		}
	}
	return nil
}

// list returns the models in their order.
func (c *catalogue) list() []*entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// find returns the model of a name, which may be that of an adapter; the first if it is empty.
// Ollama's clients add a tag to names without one.
func (c *catalogue) find(name string) (*entry, *apiError) {
	all := c.list()
	if name == "" {
		return all[0], nil
	}
	for _, name := range []string{name, strings.TrimSuffix(name, latest)} {
		for _, e := range all {
			if slices.Contains(e.known(), name) {
				return e, nil
			}
		}
	}
	var known []string
	for _, e := range all {
		known = append(known, e.known()...)
	}
	return nil, &apiError{Status: 404, Type: "not_found_error", Code: "model_not_found", Param: "model",
		Message: fmt.Sprintf("there is no model %q here: known are %s", name, strings.Join(known, ", "))}
}

// known are all names that a model answers to.
func (e *entry) known() []string { return slices.Concat(e.Names, e.Adapters) }

// adapter reports whether a name is that of an adapter.
func (e *entry) adapter(name string) bool {
	return slices.Contains(e.Adapters, name) || slices.Contains(e.Adapters, strings.TrimSuffix(name, latest))
}

// set changes the state. The caller has the lock.
func (e *entry) set(state string) {
	e.state = state
	e.tell()
}

// tell wakes who waits for a change.
func (e *entry) tell() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// now returns the state of a model and, if it is loaded, the model, which stays so until
// release.
func (c *catalogue) now(e *entry) (state string, m *served) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.state == loaded {
		e.users++
		m = e.m
	}
	return e.state, m
}

// mostWaiting is how many requests may wait for a model to be loaded.
const mostWaiting = 64

// acquire returns a model that stays loaded until release, loaded first if need be.
func (c *catalogue) acquire(ctx context.Context, e *entry) (*served, *apiError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waited := false
	for {
		switch {
		case e.state == loaded:
			e.users++
			c.clock++
			e.used = c.clock
			return e.m, nil
		case c.closed:
			return nil, unavailable("draining", "the server is about to end")
		case e.state == unloaded && waited && e.err != nil:
			return nil, loadError(e)
		case e.state == unloaded && !c.auto:
			return nil, notLoaded(e)
		case e.waiters >= mostWaiting:
			return nil, errorOf(&serve.QueueFullError{Waiting: e.waiters, RetryAfter: time.Second})
		case e.state == unloaded:
			c.begin(e)
		}
		changed := e.changed
		e.waiters++
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.mu.Lock()
		e.waiters--
		if ctx.Err() != nil {
			return nil, errorOf(ctx.Err())
		}
		waited = true
	}
}

func notLoaded(e *entry) *apiError {
	err := invalid(400, "model_not_loaded", "the model %s is not loaded: POST /models/load with its name loads it", e.Names[0])
	err.Param = "model"
	return err
}

// loadError says that a model could not be loaded, but not where its file lies.
func loadError(e *entry) *apiError {
	var full *mpt.MemoryError
	if errors.As(e.err, &full) {
		return unavailable("", fmt.Sprintf("the model %s could not be loaded: %v", e.Names[0], full))
	}
	return &apiError{Status: 500, Type: serverError,
		Message: fmt.Sprintf("the model %s could not be loaded: the log of the server says why", e.Names[0])}
}

// release gives up what acquire gave.
func (c *catalogue) release(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.users--; e.users == 0 {
		e.tell()
	}
}

// begin has a model loaded. The caller has the lock.
func (c *catalogue) begin(e *entry) {
	e.err = nil
	e.set(loading)
	go func() {
		c.turn <- struct{}{}
		defer func() { <-c.turn }()
		if err := c.load(e, true); err != nil {
			c.logFailure(e, err)
		}
	}()
}

// load loads a model, whose state is loading. For want of room others are unloaded, if that
// may be. The caller has the turn.
func (c *catalogue) load(e *entry, unload bool) error {
	begun := time.Now()
	for unload && c.most > 0 && c.loaded() >= c.most && c.dropOldest() {
	}
	x, err := c.bring(e)
	spared := map[*entry]bool{}
	for full := (*mpt.MemoryError)(nil); unload && errors.As(err, &full) && (c.shed(spared) || c.dropOldest()); {
		x, err = c.bring(e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		e.err = err
		e.set(unloaded)
		return err
	}
	c.clock++
	e.m, e.digest, e.used = x, x.digest, c.clock
	e.set(loaded)
	c.log.Info("the model is loaded", "model", e.Names[0], "duration_ms", time.Since(begun).Milliseconds())
	return nil
}

// logFailure logs that a model could not be loaded, where nobody else is told why.
func (c *catalogue) logFailure(e *entry, err error) {
	c.log.Error("the model could not be loaded", "model", e.Names[0], "error", err)
}

// bring makes a model ready, with the scales that its adapters had.
func (c *catalogue) bring(e *entry) (*served, error) {
	m, err := e.Load()
	if err != nil {
		return nil, err
	}
	x, err := newServed(m)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	c.equip(x)
	if e.scales != nil {
		uses := x.lora.only(-1)
		for i := range uses {
			uses[i].Scale = e.scales[i]
		}
		x.lora.set(uses)
	}
	return x, nil
}

// after calls do, with the lock, when a model is no longer in a state: at once if it is not. The
// caller has the lock.
func (c *catalogue) after(e *entry, state string, do func()) {
	if e.state != state {
		do()
		return
	}
	go func() {
		c.await(e, func() bool { return e.state != state })
		c.mu.Lock()
		defer c.mu.Unlock()
		do()
	}()
}

// await waits until something is so of a model.
func (c *catalogue) await(e *entry, so func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !so() {
		changed := e.changed
		c.mu.Unlock()
		<-changed
		c.mu.Lock()
	}
}

// unload has a model unloaded when what runs has come to its end. The caller has the lock.
func (c *catalogue) unload(e *entry) {
	if e.state != loaded {
		return // it is on its way
	}
	e.set(unloading)
	go func() {
		c.await(e, func() bool { return e.users == 0 })
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		e.m.Engine.Drain(ctx) // what it knows goes to the disk
		err := e.m.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		e.scales = nil
		for _, u := range e.m.lora.current() {
			e.scales = append(e.scales, u.Scale)
		}
		e.m = nil
		e.set(unloaded)
		if err != nil {
			c.log.Error("the model could not be closed", "model", e.Names[0], "error", err)
			return
		}
		c.log.Info("the model is unloaded", "model", e.Names[0])
	}()
}

// drain ends the loading of models and the work of those that are loaded.
func (c *catalogue) drain(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	var running []*served
	for _, e := range c.all {
		if e.m != nil {
			running = append(running, e.m)
		}
		e.tell()
	}
	c.mu.Unlock()
	errs := make([]error, len(running))
	var wg sync.WaitGroup
	for i, m := range running {
		wg.Go(func() { errs[i] = m.Engine.Drain(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// use returns the model that a request names for as long as the request lasts.
func (s *Server) use(r *http.Request, name string) (*served, *apiError) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	e, err := s.models.find(name)
	if err != nil {
		return nil, err
	}
	m, err := s.models.acquire(r.Context(), e)
	if err != nil {
		return nil, err
	}
	s.until(r, e)
	return m, nil
}

// until has a model released at the end of a request.
func (s *Server) until(r *http.Request, e *entry) {
	a := aboutOf(r)
	a.ended = append(a.ended, func() { s.models.release(e) })
}

// look returns the state of a model and, if it is loaded, the model, for as long as the request
// lasts. It waits for nothing.
func (s *Server) look(r *http.Request, e *entry) (string, *served) {
	state, m := s.models.now(e)
	if m != nil {
		s.until(r, e)
	}
	return state, m
}

// asked returns the model that the query of a request names, if it is loaded; without a name
// the first that is.
func (s *Server) asked(r *http.Request) (*served, *apiError) {
	if err := s.ready(); err != nil || r.URL.Query().Get("model") != "" {
		return s.meant(r)
	}
	for _, x := range s.models.list() {
		if _, m := s.look(r, x); m != nil {
			return m, nil
		}
	}
	return s.meant(r)
}

// meant is asked for what changes a model: without a name that is the first, loaded or not, and
// no other in its place.
func (s *Server) meant(r *http.Request) (*served, *apiError) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	e, err := s.models.find(r.URL.Query().Get("model"))
	if err != nil {
		return nil, err
	}
	if _, m := s.look(r, e); m != nil {
		return m, nil
	}
	return nil, notLoaded(e)
}
