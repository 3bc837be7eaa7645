package server

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"

	"mptgo/mpt/serve"
	"mptgo/mpt/tokenizer"
)

// mostTexts is how many texts a request may have made into vectors.
const mostTexts = 2048

// embedding is a request for vectors.
type embedding struct {
	m *served
	wish
	list []serve.Request
	norm int  // see normalise
	cut  bool // texts that are too long are cut off
}

// embeddings is OpenAI's /v1/embeddings.
func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) *apiError {
	a, f, err := s.receiveTexts(w, r)
	if err != nil {
		return err
	}
	encoded := f.text("encoding_format")
	if encoded != "" && encoded != "float" && encoded != "base64" {
		f.fail("encoding_format", `%q is not known: "float" and "base64" are`, encoded)
	}
	a.texts(f, s.c.Pooling, "input")
	return a.answer(r, f, func(vectors [][]float32, u serve.Usage) {
		data := []any{}
		for i, v := range vectors {
			x := map[string]any{"object": "embedding", "index": i, "embedding": v}
			if encoded == "base64" {
				x["embedding"] = inBase64(v)
			}
			data = append(data, x)
		}
		writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data, "model": a.model,
			"usage": map[string]any{"prompt_tokens": u.PromptTokens, "total_tokens": u.PromptTokens}})
	})
}

// inBase64 is how OpenAI's clients ask for vectors: little-endian float32.
func inBase64(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}

// embedding is llama.cpp's /embedding, whose texts are its content.
func (s *Server) embedding(w http.ResponseWriter, r *http.Request) *apiError {
	a, f, err := s.receiveTexts(w, r)
	if err != nil {
		return err
	}
	name := "content"
	if f.has("input") {
		if name = "input"; f.has("content") {
			f.fail("input", "content is there, too: give one of the two")
		}
	}
	a.texts(f, s.c.Pooling, name)
	return a.answer(r, f, func(vectors [][]float32, _ serve.Usage) {
		list := []any{}
		for i, v := range vectors {
			list = append(list, map[string]any{"index": i, "embedding": [][]float32{v}})
		}
		writeJSON(w, http.StatusOK, list)
	})
}

// receiveTexts reads what all requests for vectors have in common but the texts.
func (s *Server) receiveTexts(w http.ResponseWriter, r *http.Request) (*embedding, *fields, *apiError) {
	if s.c.Pooling == serve.NoPooling {
		return nil, nil, unsupported("embeddings are not supported by this server as it was started: " +
			"--pooling mean and --pooling last switch them on")
	}
	f, m, err := s.receive(w, r)
	if err != nil {
		return nil, nil, err
	}
	a := &embedding{m: m, wish: s.readOwn(f, m, r)}
	a.norm = int(f.whole("embd_normalize", euclidean, unchanged, euclidean))
	size := int64(m.Engine.Model().Config().Embedding)
	if n := f.whole("dimensions", size, 1, math.MaxInt32); n != size {
		f.fail("dimensions", "%d: the vectors of this model have %d values; shorter ones would mean little", n, size)
	}
	return a, f, nil
}

// texts reads the texts: a string, strings, tokens, or lists of tokens. What a text says is
// never markup.
func (a *embedding) texts(f *fields, pooling serve.Pooling, name string) {
	texts := readTokenLists(f, a.m, name, func(f *fields, path, text string) []int32 {
		if text == "" {
			f.fail(path, "it is empty: there is nothing to make a vector of")
		}
		return a.m.Engine.Model().Tokenizer().Encode(text, tokenizer.EncodeOptions{AddSpecial: true})
	})
	if len(texts) > mostTexts {
		f.fail(name, "%d texts: at most %d are possible in one request", len(texts), mostTexts)
	}
	for i, ids := range texts {
		path := textPath(f, name, i)
		if most := a.m.Engine.Options().ContextSize; a.cut && len(ids) > most {
			ids = ids[:most]
		}
		if len(ids) == 0 {
			f.fail(path, "it has no tokens: there is nothing to make a vector of")
		}
		a.checkLength(f, path, len(ids))
		x := a.Request
		x.Prompt, x.Pooling = ids, pooling
		a.list = append(a.list, x)
	}
}

// textPath is the path of text i of a field.
func textPath(f *fields, name string, i int) string {
	list, ok := f.all[name].([]any)
	if !ok {
		return name
	}
	if _, tokens := wholeNumber(list[0]); tokens {
		return name
	}
	return fmt.Sprintf("%s[%d]", name, i)
}

// checkLength refuses a text that does not fit into the context.
func (a *embedding) checkLength(f *fields, path string, n int) {
	most := a.m.Engine.Options().ContextSize
	if n > most && f.err == nil {
		f.failCode("context_length_exceeded", path,
			"it has %d tokens, which exceeds the available context size of %d tokens", n, most)
		f.err.Extra = map[string]any{"n_prompt_tokens": n, "n_ctx": most}
	}
}

// answer has the vectors made and hands them on.
func (a *embedding) answer(r *http.Request, f *fields, tell func([][]float32, serve.Usage)) *apiError {
	if f.err != nil {
		return f.err
	}
	return a.m.run(r, &a.wish, a.list, func(g *group) *apiError {
		vectors, err := g.vectors(len(a.list), a.norm)
		if err == nil {
			tell(vectors, g.total())
		}
		return err
	})
}

// vectors gathers the vectors of all texts.
func (g *group) vectors(n, norm int) ([][]float32, *apiError) {
	all := make([][]float32, n)
	var failed error
	for h := range g.events {
		switch {
		case h.end:
			failed = errors.Join(failed, h.err)
		case h.Embedding != nil:
			all[h.prompt] = h.Embedding
		default:
			failed = errors.Join(failed, h.Err)
		}
	}
	if failed != nil {
		return nil, errorOf(failed)
	}
	for _, v := range all {
		if v == nil {
			return nil, errorOf(errors.New("the vector was not finished"))
		}
		if !normalise(v, norm) {
			return nil, errorOf(errors.New("the model makes a vector of this text that is not finite"))
		}
	}
	return all, nil
}

// How vectors are scaled, by llama.cpp's numbers.
const (
	unchanged = -1
	greatest  = 0 // to the integers of 16 bits, about
	taxicab   = 1 // so that the magnitudes add up to 1
	euclidean = 2 // to the length 1
)

// normalise scales a vector. It reports whether all values are finite. Sums are of float64, in
// the order of the values.
func normalise(v []float32, how int) bool {
	size := 0.0
	for _, x := range v {
		switch x := math.Abs(float64(x)); how {
		case unchanged, greatest:
			size = max(size, x)
		case taxicab:
			size += x
		default:
			size += float64(x * x)
		}
	}
	switch how {
	case unchanged:
		return !math.IsInf(size, 0) && !math.IsNaN(size)
	case greatest:
		size /= 32760
	case euclidean:
		size = math.Sqrt(size)
	}
	if size == 0 {
		return true
	}
	for i, x := range v {
		v[i] = float32(float64(x) / size)
	}
	return !math.IsInf(size, 0) && !math.IsNaN(size)
}
