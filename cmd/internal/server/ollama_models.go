package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"mptgo/mpt/serve"
)

// ollamaAPI is the version of Ollama whose API this is: clients compare it with what they need.
const ollamaAPI = "0.12.11"

// latest is the tag that a name without one has for Ollama's clients.
const latest = ":latest"

func (s *Server) ollamaVersion(w http.ResponseWriter, r *http.Request) *apiError {
	writeJSON(w, http.StatusOK, map[string]any{"version": ollamaAPI})
	return nil
}

// ollamaTags lists the models that there are.
func (s *Server) ollamaTags(w http.ResponseWriter, r *http.Request) *apiError {
	return s.ollamaList(w, r, func(e *entry, m *served, v map[string]any) bool {
		created := e.offered
		if m != nil {
			created = m.created
		}
		v["modified_at"], v["capabilities"] = created.UTC().Format(time.RFC3339Nano), s.capabilities()
		return true
	})
}

// ollamaRunning lists those that are in memory, as long as nobody unloads them.
func (s *Server) ollamaRunning(w http.ResponseWriter, r *http.Request) *apiError {
	return s.ollamaList(w, r, func(_ *entry, m *served, v map[string]any) bool {
		if m == nil {
			return false
		}
		v["expires_at"] = m.created.AddDate(100, 0, 0).UTC().Format(time.RFC3339Nano)
		v["size_vram"], v["context_length"] = 0, m.Engine.Options().ContextSize
		return true
	})
}

// ollamaList lists models under each of their names, and their adapters, unless more says no.
func (s *Server) ollamaList(
	w http.ResponseWriter, r *http.Request, more func(*entry, *served, map[string]any) bool,
) *apiError {
	if err := s.ready(); err != nil {
		return err
	}
	list := []any{}
	for _, e := range s.models.list() {
		_, m := s.look(r, e)
		for _, name := range e.known() {
			v := map[string]any{"size": e.Size, "digest": s.models.digest(e), "details": e.details(name, m)}
			if m != nil {
				v["size"] = m.Engine.Model().File().Size()
			}
			if !strings.Contains(name, ":") {
				name += latest
			}
			v["name"], v["model"] = name, name
			if more(e, m, v) {
				list = append(list, v)
			}
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": list})
	return nil
}

// capabilities are what Ollama's clients want to know of a model.
func (s *Server) capabilities() []string {
	if s.c.Pooling == serve.NoPooling {
		return []string{"completion"}
	}
	return []string{"completion", "embedding"}
}

// digest returns what identifies a model's file; "" before it was loaded for the first time.
func (c *catalogue) digest(e *entry) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.digest
}

// details are what Ollama tells of a model under one of its names.
func (e *entry) details(name string, m *served) map[string]any {
	parent := ""
	if e.adapter(name) {
		parent = e.Names[0]
	}
	v := map[string]any{
		"parent_model": parent, "format": "gguf", "family": "mpt", "families": []string{"mpt"},
		"parameter_size": humanCount(e.Parameters), "quantization_level": e.Type,
	}
	if m != nil {
		f, c := m.Engine.Model().File(), m.Engine.Model().Config()
		v["parameter_size"], v["quantization_level"] = humanCount(f.Parameters()), f.MainType().String()
		v["context_length"], v["embedding_length"] = m.Engine.Options().ContextSize, c.Embedding
	}
	return v
}

// humanCount writes a number of parameters as Ollama does: 7.0B, 124.44M.
func humanCount(n int64) string {
	switch x := float64(n); {
	case x >= 1e9:
		return fmt.Sprintf("%.1fB", x/1e9)
	case x >= 1e6:
		return fmt.Sprintf("%.2fM", x/1e6)
	case x >= 1e3:
		return fmt.Sprintf("%.2fK", x/1e3)
	}
	return fmt.Sprint(n)
}

// ollamaShow describes a model.
func (s *Server) ollamaShow(w http.ResponseWriter, r *http.Request) *apiError {
	f, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	if !f.has("model") {
		f.all["model"] = f.all["name"] // as it was called once
	}
	m, err := s.named(r, f)
	if err != nil {
		return err
	}
	verbose := f.flag("verbose", false)
	if f.err != nil {
		return f.err
	}
	e, _ := s.models.find(f.text("model"))
	parameters := s.ollamaParameters(m)
	writeJSON(w, http.StatusOK, map[string]any{
		"details": e.details(f.text("model"), m), "model_info": m.info(verbose), "template": m.Engine.Model().Tokenizer().ChatTemplate(),
		"parameters": strings.Join(parameters, "\n"), "capabilities": s.capabilities(),
		"modelfile":   "FROM " + m.Names[0] + "\nPARAMETER " + strings.Join(parameters, "\nPARAMETER ") + "\n",
		"modified_at": m.created.UTC().Format(time.RFC3339Nano),
	})
	return nil
}

// info are the keys of the model's file. Lists, such as the vocabulary, are empty unless all
// is asked for.
func (m *served) info(verbose bool) map[string]any {
	f := m.Engine.Model().File()
	info := map[string]any{"general.parameter_count": f.Parameters()}
	for _, kv := range f.ModelMeta() {
		v := kv.Value
		if reflect.TypeOf(v).Kind() == reflect.Slice && !verbose {
			v = []any{}
		}
		if _, err := json.Marshal(v); err != nil { // JSON has no infinite numbers
			v = fmt.Sprint(v)
		}
		info[kv.Key] = v
	}
	return info
}

// ollamaParameters are the defaults of requests, as in a Modelfile.
func (s *Server) ollamaParameters(m *served) []string {
	p := &s.c.Defaults
	lines := []string{
		fmt.Sprint("num_ctx ", m.Engine.Options().ContextSize), fmt.Sprint("temperature ", p.Temp),
		fmt.Sprint("top_k ", p.TopK), fmt.Sprint("top_p ", p.TopP), fmt.Sprint("min_p ", p.MinP),
		fmt.Sprint("repeat_penalty ", p.RepeatPenalty), fmt.Sprint("repeat_last_n ", p.RepeatLastN),
	}
	for _, stop := range m.stops {
		lines = append(lines, fmt.Sprintf("stop %q", stop))
	}
	return lines
}
