package server

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mptgo/mpt"
)

// Adapter is a LoRA adapter of a model. Who names it as the model of a request gets the base
// model with this adapter alone.
type Adapter struct {
	Name  string
	Scale float32 // under its own name
}

// adapters are those of a model. Their ids are their places in the list.
type adapters struct {
	names []string
	alone []mpt.AdapterUse // each with the scale that it has under its own name
	base  string           // the model that they change

	mu  sync.Mutex
	now []mpt.AdapterUse // of requests that name the base model and no scales
}

// newAdapters names the adapters of a model, which are on with the scales that they have there.
func newAdapters(m *Model) (*adapters, error) {
	now := m.Engine.Model().Adapters()
	if len(now) != len(m.Adapters) {
		return nil, fmt.Errorf("%d names for the %d adapters of %s", len(m.Adapters), len(now), m.Names[0])
	}
	a := &adapters{base: m.Names[0], now: now, alone: slices.Clone(now)}
	for i, x := range m.Adapters {
		a.names = append(a.names, x.Name)
		a.alone[i].Scale = x.Scale
	}
	return a, nil
}

// find returns the id of the adapter of a name, or -1.
func (a *adapters) find(name string) int {
	if i := slices.Index(a.names, name); i >= 0 {
		return i
	}
	return slices.Index(a.names, strings.TrimSuffix(name, latest))
}

// current returns the adapters of requests that say nothing of them. Nobody changes the list.
func (a *adapters) current() []mpt.AdapterUse {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// set changes the scales of later requests.
func (a *adapters) set(uses []mpt.AdapterUse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = uses
}

// only returns the adapter of an id with its own scale, and no other.
func (a *adapters) only(id int) []mpt.AdapterUse {
	uses := slices.Clone(a.alone)
	for i := range uses {
		if i != id {
			uses[i].Scale = 0
		}
	}
	return uses
}

// of returns the adapters under one of the model's names.
func (a *adapters) of(name string) []mpt.AdapterUse {
	if id := a.find(name); id >= 0 {
		return a.only(id)
	}
	return a.current()
}

// scaled reads a list of {"id", "scale"} at some path of a request. Adapters that it leaves
// out are off.
func (a *adapters) scaled(f *fields, path string, list []any) []mpt.AdapterUse {
	uses := slices.Clone(a.alone)
	for i := range uses {
		uses[i].Scale = 0
	}
	for i, x := range list {
		o, ok := x.(map[string]any)
		g := &fields{all: o, path: path + "[" + strconv.Itoa(i) + "]."}
		if !ok {
			g.fail("id", "want an object with id and scale, not %s", kind(x))
		}
		id := g.whole("id", -1, -1, 1<<31)
		scale := g.number("scale", 1, -1e6, 1e6)
		if g.err == nil && (id < 0 || int(id) >= len(uses)) {
			g.fail("id", "there is no adapter %d: the model %s has %d", id, a.base, len(uses))
		}
		if f.take(g); f.err != nil {
			return nil
		}
		uses[id].Scale = float32(scale)
	}
	return uses
}

// readAdapters returns the adapters of a request that names a model. They are fixed from here
// on, whatever becomes of the scales of others.
func readAdapters(f *fields, m *served, model string) []mpt.AdapterUse {
	if !f.has("lora") {
		return m.lora.of(model)
	}
	if m.lora.find(model) >= 0 {
		f.fail("lora", "the model %q is an adapter with a scale of its own: name the model %q to choose others",
			model, m.lora.base)
		return nil
	}
	return m.lora.scaled(f, "lora", f.list("lora"))
}

// joined names some adapters in the order of their ids.
func (a *adapters) joined(some []*mpt.Adapter) string {
	var names []string
	for i, u := range a.alone {
		if slices.Contains(some, u.Adapter) {
			names = append(names, a.names[i])
		}
	}
	return strings.Join(names, ",")
}

// list describes the adapters with the scales that requests have without their own, in
// llama.cpp's words. The path is a name alone: where files lie is nobody's business.
func (a *adapters) list() []any {
	list := []any{}
	for i, u := range a.current() {
		list = append(list, map[string]any{"id": i, "name": a.names[i], "path": filepath.Base(u.Adapter.Path()),
			"scale": u.Scale, "task_name": "", "prompt_prefix": ""})
	}
	return list
}

// scales are the same in short, as llama.cpp has them among the settings of requests.
func (a *adapters) scales() []any {
	list := []any{}
	for i, u := range a.current() {
		list = append(list, map[string]any{"id": i, "scale": u.Scale})
	}
	return list
}

// listAdapters is llama.cpp's GET /lora-adapters.
func (s *Server) listAdapters(w http.ResponseWriter, r *http.Request) *apiError {
	m, err := s.asked(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, m.lora.list())
	return nil
}

// scaleAdapters is llama.cpp's POST /lora-adapters: a list of {"id", "scale"} for later requests
// that say nothing of adapters. Those that were taken before keep theirs.
func (s *Server) scaleAdapters(w http.ResponseWriter, r *http.Request) *apiError {
	body, err := s.readBytes(w, r)
	if err != nil {
		return err
	}
	v, err := readJSON(body)
	if err != nil {
		return err
	}
	m, err := s.meant(r)
	if err != nil {
		return err
	}
	list, ok := v.([]any)
	if !ok {
		return invalid(400, "invalid_json", "want a list of objects with id and scale, not %s", kind(v))
	}
	var f fields
	uses := m.lora.scaled(&f, "", list)
	if f.err != nil {
		return f.err
	}
	m.lora.set(uses)
	writeJSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}
