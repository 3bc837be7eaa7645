package server

import (
	"cmp"
	"fmt"
	"net/http"

	"mptgo/mpt"
	"mptgo/mpt/serve"
	"mptgo/mpt/tokenizer"
)

// completions is OpenAI's /v1/completions: texts that go on, and texts that are scored.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	x, prompts := s.readCompletion(f, m, r)
	if f.err != nil {
		return f.err
	}
	list := make([]serve.Request, len(prompts))
	for i, p := range prompts {
		list[i] = x.Request
		list[i].Prompt, list[i].N = p, x.best
		if x.best > x.N {
			list[i].Logprobs = max(x.Logprobs, 0)
		}
	}
	a := &textAnswer{chatAnswer{m: m, wish: x, object: "text_completion", fixed: fixedOf(r)}, len(prompts)}
	a.id, a.created = a.fixed.name("cmpl-"), a.fixed.created()
	return m.run(r, &x, list, func(g *group) *apiError {
		if x.stream && a.fixed == nil {
			s.streamText(w, a, g)
			return nil
		}
		return s.wholeText(w, a, g)
	})
}

// readCompletion reads a request and its prompts.
func (s *Server) readCompletion(f *fields, m *served, r *http.Request) (wish, [][]int32) {
	x := s.readWish(f, m, r)
	x.Echo = f.flag("echo", false)
	if v, on := f.all["logprobs"].(bool); on && !v {
		delete(f.all, "logprobs") // llama.cpp's clients send false
	}
	if f.has("logprobs") {
		x.Logprobs = int(f.whole("logprobs", 0, 0, mostLogprobs))
	}
	if f.text("suffix") != "" {
		f.fail("suffix", "texts between two others are not supported")
	}
	x.best = readBest(f, m, x.N, x.stream && fixedOf(r) == nil)
	more := readTokens(f, "continue_tokens", m)
	x.constrain(f, m, more)
	prompts := readPrompts(f, m)
	for i := range prompts {
		prompts[i] = append(prompts[i], more...)
	}
	return x, prompts
}

// readPrompts reads a string, strings, tokens, or lists of tokens.
func readPrompts(f *fields, m *served) [][]int32 { return readTokenLists(f, m, "prompt", m.encode) }

// readTokenLists does it for a field of some name, whose strings become tokens by encode.
func readTokenLists(
	f *fields, m *served, name string, encode func(f *fields, path, text string) []int32,
) (texts [][]int32) {
	switch v := f.all[name].(type) {
	case nil:
		f.fail(name, "it is missing")
	case string:
		texts = append(texts, encode(f, name, v))
	case []any:
		if len(v) == 0 {
			f.fail(name, "the list is empty")
			return nil
		}
		if _, tokens := wholeNumber(v[0]); tokens {
			return [][]int32{tokensOf(f, name, v, m)}
		}
		for i, x := range v {
			path := fmt.Sprintf("%s[%d]", name, i)
			switch x := x.(type) {
			case string:
				texts = append(texts, encode(f, path, x))
			case []any:
				if len(x) == 0 {
					f.fail(path, "the list is empty")
				}
				texts = append(texts, tokensOf(f, path, x, m))
			default:
				f.fail(path, "want a string or a list of tokens, not %s", kind(x))
			}
		}
	default:
		f.fail(name, "want a string, strings, or tokens, not %s", kind(v))
	}
	return texts
}

// encode returns the tokens of a prompt. An empty one is the token that a text begins after.
func (m *served) encode(f *fields, name, text string) []int32 {
	tok := m.Engine.Model().Tokenizer()
	ids := tok.Encode(text, tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true})
	if len(ids) > 0 {
		return ids
	}
	for _, id := range []int32{tok.BOS(), tok.EOS()} {
		if id >= 0 {
			return []int32{id}
		}
	}
	f.fail(name, "it is empty, and the model has no token that a text begins with")
	return nil
}

// textAnswer is what all parts of an answer say.
type textAnswer struct {
	chatAnswer
	prompts int
}

func (s *Server) wholeText(w http.ResponseWriter, a *textAnswer, g *group) *apiError {
	all, err := g.collect(a.m, a.prompts, a.best)
	if err != nil {
		return err
	}
	choices := []any{}
	for i, c := range best(all, a.best, a.N) {
		v := map[string]any{"index": i, "text": readable(c.text.String()),
			"logprobs": a.oldLogprobs(c.tokens, place{}, c.text.String()), "finish_reason": finish(c.why)}
		if a.best > a.N {
			v["seed"] = a.seed + uint64(c.made) // with which the choice comes alone
		}
		choices = append(choices, v)
	}
	writeJSON(w, http.StatusOK, a.whole(choices, g.total()))
	return nil
}

// oldLogprobs are lists side by side, of tokens that begin in, or behind, the text that
// follows from.
func (a *textAnswer) oldLogprobs(tokens []scored, from place, text string) any {
	if a.Logprobs < 0 {
		return nil
	}
	texts, ps, tops, offsets := []string{}, []any{}, []any{}, []int{}
	for _, t := range tokens {
		texts, offsets = append(texts, readable(t.text)), append(offsets, from.of(t, text))
		if t.Logprob == nil {
			ps, tops = append(ps, nil), append(tops, nil)
			continue
		}
		ps = append(ps, finite(t.P))
		top := map[string]float64{readable(t.text): finite(t.P)}
		for i := len(t.Top) - 1; i >= 0; i-- { // of equal texts the most probable stays
			top[readable(a.m.bytes(t.Top[i].ID))] = finite(t.Top[i].P)
		}
		tops = append(tops, top)
	}
	return map[string]any{"tokens": texts, "token_logprobs": ps, "top_logprobs": tops, "text_offset": offsets}
}

// streamText answers in events.
func (s *Server) streamText(w http.ResponseWriter, a *textAnswer, g *group) {
	e := s.newFeed(w, eventStream)
	left := a.prompts * a.N
	waiting := make([]unsent, left)
	for {
		h, ok := s.next(g, e)
		if !ok || e.err != nil {
			break
		}
		if h.end && h.err != nil || h.Why == mpt.EndedError {
			e.data(errorOf(cmp.Or(h.err, h.Err)).body())
			return
		}
		if h.end || h.Progress != nil {
			continue
		}
		choices := []int{h.prompt*a.N + max(h.Choice, 0)}
		for k := 1; h.Choice < 0 && k < a.N; k++ { // an echo is that of all choices
			choices = append(choices, h.prompt*a.N+k)
		}
		for _, i := range choices {
			waiting[i].add(a.m, h.Event)
			if text := h.Token.Text; text != "" {
				from := waiting[i].sent
				e.data(a.textChunk(i, text, waiting[i].take(text), from, nil))
			}
			if h.Why == mpt.NotEnded {
				continue
			}
			left--
			last := a.textChunk(i, "", waiting[i].rest(h.Why), waiting[i].sent, finish(h.Why))
			if left == 0 {
				a.end(e, g, last)
				return
			}
			e.data(last)
		}
	}
}

func (a *textAnswer) textChunk(i int, text string, tokens []scored, from place, finished any) map[string]any {
	c := map[string]any{"index": i, "text": readable(text), "logprobs": nil, "finish_reason": finished}
	if len(tokens) > 0 {
		c["logprobs"] = a.oldLogprobs(tokens, from, text)
	}
	v := a.head(a.object)
	v["choices"] = []any{c}
	return v
}
