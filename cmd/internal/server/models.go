package server

import (
	"net/http"
)

// health says whether requests can be served: 200, or 503 with the reason; of the model that the
// query names, whether it is loaded. With live=1 it says whether the process is alive. It waits
// for nothing.
func (s *Server) health(w http.ResponseWriter, r *http.Request) *apiError {
	err := s.ready()
	if err == nil && s.leaving.Load() {
		err = unavailable("draining", "the server is about to end")
	}
	if name := r.URL.Query().Get("model"); err == nil && name != "" {
		err = s.healthOf(r, name)
	}
	if err != nil && r.URL.Query().Get("live") != "1" {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
	return nil
}

// healthOf says whether a model is loaded. Strangers may ask, so it names no other.
func (s *Server) healthOf(r *http.Request, name string) *apiError {
	e, err := s.models.find(name)
	if err != nil {
		return notFound("there is no model %q here", name)
	}
	if state, m := s.look(r, e); m == nil {
		return unavailable(state, "the model is "+state)
	}
	return nil
}

// listModels lists all models, and what became of them, for OpenAI's clients and llama.cpp's.
func (s *Server) listModels(w http.ResponseWriter, r *http.Request) *apiError {
	if err := s.ready(); err != nil {
		return err
	}
	data := []any{}
	for _, e := range s.models.list() {
		state, m := s.look(r, e)
		for _, name := range e.known() {
			data = append(data, s.about(e, name, state, m))
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data})
	return nil
}

func (s *Server) showModel(w http.ResponseWriter, r *http.Request) *apiError {
	if err := s.ready(); err != nil {
		return err
	}
	id := r.PathValue("id")
	e, err := s.models.find(id)
	if err != nil {
		return err
	}
	state, m := s.look(r, e)
	writeJSON(w, http.StatusOK, s.about(e, id, state, m))
	return nil
}

// about describes a model under one of its names, or one of its adapters. Of one that is not
// loaded less is known: m is nil then.
func (s *Server) about(e *entry, name, state string, m *served) map[string]any {
	status := map[string]any{"value": state}
	if s.models.failed(e) {
		status["failed"] = true
	}
	v := map[string]any{"id": name, "object": "model", "created": e.offered.Unix(), "owned_by": "mptgo", "status": status}
	if e.adapter(name) {
		v["parent"] = e.Names[0]
	}
	if m != nil {
		v["created"], v["meta"] = m.created.Unix(), m.meta(name)
	} else {
		v["meta"] = map[string]any{"n_params": e.Parameters, "size": e.Size, "ftype": e.Type}
	}
	return v
}

// meta is what llama.cpp tells of a model, and the fingerprint of what answers under a name.
func (m *served) meta(name string) map[string]any {
	model := m.Engine.Model()
	c := model.Config()
	return map[string]any{
		"n_vocab": c.Vocab, "n_ctx_train": c.Context, "n_ctx": m.Engine.Options().ContextSize, "n_embd": c.Embedding,
		"n_params": model.File().Parameters(), "size": model.File().Size(), "vocab_type": 2,
		"ftype": model.File().MainType().String(), "fingerprint": m.fingerprint(m.lora.of(name)),
	}
}

// failed reports whether the last attempt to load a model has failed.
func (c *catalogue) failed(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.err != nil
}

// loadModel is llama.cpp's POST /models/load: it begins to load a model. One that is being unloaded
// is loaded again after that.
func (s *Server) loadModel(w http.ResponseWriter, r *http.Request) *apiError {
	return s.change(w, r, func(c *catalogue, e *entry) {
		c.after(e, unloading, func() {
			if e.state == unloaded && !c.closed {
				c.begin(e)
			}
		})
	})
}

// unloadModel is llama.cpp's POST /models/unload: what runs comes to its end first, and so does the
// loading.
func (s *Server) unloadModel(w http.ResponseWriter, r *http.Request) *apiError {
	return s.change(w, r, func(c *catalogue, e *entry) {
		c.after(e, loading, func() { c.unload(e) })
	})
}

// change changes the state of the model that a request names, and does not wait for it.
func (s *Server) change(w http.ResponseWriter, r *http.Request, do func(*catalogue, *entry)) *apiError {
	f, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	if err := s.ready(); err != nil {
		return err
	}
	if f.text("model") == "" {
		f.fail("model", "it is missing")
	}
	if f.err != nil {
		return f.err
	}
	e, err := s.models.find(f.text("model"))
	if err != nil {
		return err
	}
	if e.Load == nil {
		return unsupported("the model " + e.Names[0] + " is there as long as the server")
	}
	s.models.mu.Lock()
	do(&s.models, e)
	s.models.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"success": true})
	return nil
}

// props are llama.cpp's: what the server's defaults are.
func (s *Server) props(w http.ResponseWriter, r *http.Request) *apiError {
	m, err := s.asked(r)
	if err != nil {
		return err
	}
	o, params := m.Engine.Options(), settings(s.c.Defaults)
	params["lora"] = m.lora.scales()
	writeJSON(w, http.StatusOK, map[string]any{
		"default_generation_settings": map[string]any{"n_ctx": o.ContextSize, "params": params},
		"total_slots":                 o.Parallel, "model_alias": m.Names[0],
		"chat_template": m.Engine.Model().Tokenizer().ChatTemplate(),
		"chat_format":   m.Format.Name, "modalities": map[string]any{"vision": false, "audio": false},
		"system_fingerprint": m.fingerprint(m.lora.current()),
		"build_info":         "mptgo",
	})
	return nil
}

// slots are the sequences that run, without their texts.
func (s *Server) slots(w http.ResponseWriter, r *http.Request) *apiError {
	if !s.c.Slots {
		return unsupported("slots are switched off where the server is started")
	}
	m, err := s.asked(r)
	if err != nil {
		return err
	}
	list := []any{}
	for i, x := range m.Engine.Stats().Slots {
		list = append(list, map[string]any{"id": i, "is_processing": true, "n_ctx": x.Context, "n_prompt_tokens": x.Prompt,
			"n_prompt_tokens_processed": x.Done, "n_decoded": x.Generated, "state": state(x.Reading)})
	}
	for i := len(list); i < m.Engine.Options().Parallel; i++ {
		list = append(list, map[string]any{"id": i, "is_processing": false, "n_ctx": m.Engine.Options().ContextSize})
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

func state(reading bool) string {
	if reading {
		return "prefill"
	}
	return "decode"
}
