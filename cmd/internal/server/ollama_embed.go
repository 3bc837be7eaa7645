package server

import (
	"net/http"
	"time"

	"mptgo/mpt/serve"
)

// ollamaEmbed is Ollama's /api/embed. Without input it loads the model, which is loaded.
func (s *Server) ollamaEmbed(w http.ResponseWriter, r *http.Request) *apiError {
	begun := time.Now()
	a, f, err := s.receiveTexts(w, r)
	if err != nil {
		return err
	}
	a.ollamaOptions(f)
	tell := func(vectors [][]float32, u serve.Usage) {
		writeJSON(w, http.StatusOK, map[string]any{"model": a.model, "embeddings": vectors,
			"total_duration": time.Since(begun), "load_duration": 0, "prompt_eval_count": u.PromptTokens})
	}
	if !f.has("input") || f.all["input"] == "" {
		return tellNothing(f, tell)
	}
	a.cut = f.flag("truncate", false)
	a.texts(f, s.c.Pooling, "input")
	return a.answer(r, f, tell)
}

// ollamaEmbeddings is the older /api/embeddings of one prompt, whose vector is as the model has
// it.
func (s *Server) ollamaEmbeddings(w http.ResponseWriter, r *http.Request) *apiError {
	a, f, err := s.receiveTexts(w, r)
	if err != nil {
		return err
	}
	a.ollamaOptions(f)
	a.norm = unchanged
	tell := func(vectors [][]float32, _ serve.Usage) {
		v := []float32{}
		if len(vectors) > 0 {
			v = vectors[0]
		}
		writeJSON(w, http.StatusOK, map[string]any{"embedding": v})
	}
	if f.text("prompt") == "" {
		return tellNothing(f, tell)
	}
	a.texts(f, s.c.Pooling, "prompt")
	return a.answer(r, f, tell)
}

// tellNothing answers a request that asks for nothing but the model.
func tellNothing(f *fields, tell func([][]float32, serve.Usage)) *apiError {
	if f.err != nil {
		return f.err
	}
	tell([][]float32{}, serve.Usage{})
	return nil
}

// ollamaOptions reads options, of which only the context is one of vectors.
func (a *embedding) ollamaOptions(f *fields) {
	o := f.object("options")
	checkContext(o, a.m)
	f.take(o)
}
