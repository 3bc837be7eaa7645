package server

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"mptgo/mpt"
	"mptgo/mpt/serve"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// settings are parameters under llama.cpp's names.
func settings(p sampling.Params) map[string]any {
	v := map[string]any{}
	for _, o := range sampling.Options() {
		text := o.Get(&p)
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			v[o.Name] = n
		} else if o.Name == "samplers" {
			v[o.Name] = strings.Split(text, ";")
		} else {
			v[o.Name] = text
		}
	}
	return v
}

// completion is llama.cpp's own: one prompt, and an answer with what it took.
func (s *Server) completion(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	x, prompt := s.readNative(f, m, r)
	if f.err != nil {
		return f.err
	}
	x.Prompt = prompt
	a := &nativeAnswer{m: m, wish: x}
	return m.run(r, &x, []serve.Request{x.Request}, func(g *group) *apiError {
		if x.stream {
			a.stream(s, w, g)
			return nil
		}
		all, err := g.collect(m, 1, 1)
		if err == nil {
			writeJSON(w, http.StatusOK, a.whole(&all[0], g))
		}
		return err
	})
}

func (s *Server) readNative(f *fields, m *served, r *http.Request) (wish, []int32) {
	x := s.readWish(f, m, r)
	if x.N != 1 {
		f.fail("n", "one answer is all that this path gives: use /v1/completions")
	}
	if n := f.whole("n_probs", 0, 0, mostLogprobs); n > 0 {
		x.Logprobs = int(n)
	}
	x.constrain(f, m, nil)
	prompts := readPrompts(f, m)
	if f.err == nil && len(prompts) != 1 {
		f.fail("prompt", "%d prompts: one is all that this path takes: use /v1/completions", len(prompts))
	}
	if f.err != nil {
		return x, nil
	}
	return x, prompts[0]
}

// nativeAnswer is an answer in llama.cpp's form.
type nativeAnswer struct {
	m *served
	wish
}

func (a *nativeAnswer) whole(c *answered, g *group) map[string]any {
	u := g.total()
	v := map[string]any{
		"content": readable(c.text.String()), "tokens": c.ids, "stop": true, "stop_type": stopType(c.why),
		"stopping_word":    c.stop,
		"tokens_predicted": u.CompletionTokens, "tokens_evaluated": u.PromptTokens, "tokens_cached": u.CachedTokens,
		"truncated": false,
		"timings":   timings(u), "generation_settings": a.settings(), "model": a.model, "index": 0, "id_slot": g.slotID(),
		"prompt": a.m.Engine.Model().Tokenizer().Decode(a.Prompt), "system_fingerprint": a.fingerprint,
	}
	if c.ids == nil {
		v["tokens"] = []int32{}
	}
	if a.Logprobs >= 0 {
		v["completion_probabilities"] = a.m.entries(c.tokens)
	}
	return v
}

func (a *nativeAnswer) settings() map[string]any {
	v := settings(a.Params)
	v["seed"], v["n_predict"], v["stop"], v["ignore_eos"] = a.seed, a.MaxTokens, a.Stop, a.IgnoreEOS
	return v
}

func stopType(why mpt.Reason) string {
	switch why {
	case mpt.EndedToken:
		return "eos"
	case mpt.EndedLimit, mpt.EndedFull:
		return "limit"
	case mpt.EndedStop:
		return "word"
	}
	return "none"
}

// stream answers in events, the last of which says stop: true.
func (a *nativeAnswer) stream(s *Server, w http.ResponseWriter, g *group) {
	e := s.newFeed(w, eventStream)
	var c answered
	var waiting unsent
	for {
		h, ok := s.next(g, e)
		if !ok || e.err != nil {
			return
		}
		switch {
		case h.end && h.err != nil || h.Why == mpt.EndedError:
			e.data(errorOf(cmp.Or(h.err, h.Err)).body())
			return
		case h.end:
			c.trim()
			last := a.whole(&c, g)
			last["content"], last["tokens"] = "", []int32{}
			e.data(last)
			return
		case h.Progress != nil:
			continue
		}
		had := len(c.tokens)
		c.add(a.m, h.Event)
		waiting.add(a.m, h.Event)
		tokens := waiting.take(h.Token.Text)
		if h.Why != mpt.NotEnded {
			tokens = append(tokens, waiting.rest(h.Why)...)
		}
		if h.Token.ID < 0 && h.Token.Text == "" && (len(tokens) == 0 || a.Logprobs < 0) {
			continue
		}
		v := map[string]any{"content": h.Token.Text, "tokens": c.ids[had:], "stop": false, "index": 0, "id_slot": -1,
			"tokens_predicted": len(c.ids), "tokens_evaluated": len(a.Prompt)}
		if a.Logprobs >= 0 {
			v["completion_probabilities"] = a.m.entries(tokens)
		}
		e.data(v)
	}
}

// tokenize is llama.cpp's {content, add_special, parse_special, with_pieces}, and vLLM's
// {prompt, add_special_tokens}.
func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	text, special := f.text("content"), f.flag("add_special", false)
	if f.has("prompt") {
		text, special = f.text("prompt"), f.flag("add_special_tokens", true)
		if f.has("content") {
			f.fail("prompt", "content is there, too: give one of the two")
		}
	} else if !f.has("content") {
		f.fail("content", "it is missing")
	}
	opt := tokenizer.EncodeOptions{AddSpecial: special, ParseSpecial: f.flag("parse_special", true)}
	pieces := f.flag("with_pieces", false)
	if f.err != nil {
		return f.err
	}
	ids := append([]int32{}, m.Engine.Model().Tokenizer().Encode(text, opt)...)
	v := map[string]any{"tokens": ids, "count": len(ids), "max_model_len": m.Engine.Options().ContextSize}
	if pieces {
		list := []any{}
		for _, id := range ids {
			list = append(list, map[string]any{"id": id, "piece": m.piece(id)})
		}
		v["tokens"] = list
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}

// piece is a token as text, or as a list of bytes if it is no whole text.
func (m *served) piece(id int32) any {
	b := m.Engine.Model().Tokenizer().Text(id)
	if readable(b) == b {
		return b
	}
	list := make([]int, len(b))
	for i := range b {
		list[i] = int(b[i])
	}
	return list
}

// detokenize is llama.cpp's {tokens}.
func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	if !f.has("tokens") {
		f.fail("tokens", "it is missing")
	}
	ids := readTokens(f, "tokens", m)
	if f.err != nil {
		return f.err
	}
	text := readable(m.Engine.Model().Tokenizer().DecodeWith(ids, tokenizer.DecodeOptions{}))
	writeJSON(w, http.StatusOK, map[string]any{"content": text, "prompt": text})
	return nil
}

// applyTemplate returns a conversation as one text. What a user wrote and what marks it are
// no longer told apart there, so the chat endpoint does not go this way.
func (s *Server) applyTemplate(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	msgs := readMessages(f)
	if f.err == nil {
		pieces, err := m.Format.Render(msgs, true)
		if err == nil {
			var b strings.Builder
			for _, p := range pieces {
				b.WriteString(p.Text)
			}
			writeJSON(w, http.StatusOK, map[string]any{"prompt": b.String()})
			return nil
		}
		f.fail("messages", "%s", strings.TrimPrefix(err.Error(), "chat: "))
	}
	return f.err
}

// tokenizerInfo is what lm-eval asks of a remote tokenizer.
func (s *Server) tokenizerInfo(w http.ResponseWriter, r *http.Request) *apiError {
	m, err := s.asked(r)
	if err != nil {
		return err
	}
	tok := m.Engine.Model().Tokenizer()
	name := func(id int32) any {
		if id < 0 {
			return nil
		}
		text, _ := tok.Token(id)
		return text
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"tokenizer_class": "mptgo", "bos_token": name(tok.BOS()), "eos_token": name(tok.EOS()), "pad_token": name(tok.PAD()),
		"chat_template": tok.ChatTemplate(), "vocab_size": tok.Size(),
	})
	return nil
}
