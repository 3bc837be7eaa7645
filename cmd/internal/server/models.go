package server

import (
	"net/http"
)

// health says whether requests can be served: 200, or 503 with the reason. With live=1 it
// says whether the process is alive. It waits for nothing.
func (s *Server) health(w http.ResponseWriter, r *http.Request) *apiError {
	_, err := s.current()
	if err == nil && s.leaving.Load() {
		err = unavailable("draining", "the server is about to end")
	}
	if err != nil && r.URL.Query().Get("live") != "1" {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
	return nil
}

func (s *Server) listModels(w http.ResponseWriter, r *http.Request) *apiError {
	m, err := s.current()
	if err != nil {
		return err
	}
	data := []any{}
	for _, name := range m.Names {
		data = append(data, m.about(name))
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data})
	return nil
}

func (s *Server) showModel(w http.ResponseWriter, r *http.Request) *apiError {
	m, err := s.current()
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if !m.is(id) {
		return m.unknown(id)
	}
	writeJSON(w, http.StatusOK, m.about(id))
	return nil
}

// about describes a model under one of its names.
func (m *served) about(name string) map[string]any {
	model := m.Engine.Model()
	c := model.Config()
	meta := map[string]any{
		"n_vocab": c.Vocab, "n_ctx_train": c.Context, "n_ctx": m.Engine.Options().ContextSize, "n_embd": c.Embedding,
		"n_params": model.File().Parameters(), "size": model.File().Size(), "vocab_type": 2,
		"ftype": model.File().MainType().String(), "fingerprint": m.fingerprint,
	}
	return map[string]any{"id": name, "object": "model", "created": m.created.Unix(), "owned_by": "mptgo", "meta": meta}
}

// props are llama.cpp's: what the server's defaults are.
func (s *Server) props(w http.ResponseWriter, r *http.Request) *apiError {
	m, err := s.current()
	if err != nil {
		return err
	}
	o := m.Engine.Options()
	writeJSON(w, http.StatusOK, map[string]any{
		"default_generation_settings": map[string]any{"n_ctx": o.ContextSize, "params": settings(s.c.Defaults)},
		"total_slots":                 o.Parallel, "model_alias": m.Names[0],
		"chat_template": m.Engine.Model().Tokenizer().ChatTemplate(),
		"chat_format":   m.Format.Name, "modalities": map[string]any{"vision": false, "audio": false},
		"system_fingerprint": m.fingerprint,
		"build_info":         "mptgo",
	})
	return nil
}

// slots are the sequences that run, without their texts.
func (s *Server) slots(w http.ResponseWriter, r *http.Request) *apiError {
	if !s.c.Slots {
		return unsupported("slots are switched off where the server is started")
	}
	m, err := s.current()
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
