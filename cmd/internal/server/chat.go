package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/serve"
	"mptgo/mpt/talk"
)

// chatCompletions is OpenAI's /v1/chat/completions.
func (s *Server) chatCompletions(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	x := s.readChat(f, m, r)
	if f.err != nil {
		return f.err
	}
	a := &chatAnswer{m: m, wish: x, object: "chat.completion", fixed: fixedOf(r)}
	a.id, a.created = a.fixed.name("chatcmpl-"), a.fixed.created()
	return m.run(r, &x, []serve.Request{x.Request}, func(g *group) *apiError {
		if x.stream && a.fixed == nil {
			s.streamChat(w, a, g)
			return nil
		}
		return s.wholeChat(w, a, g)
	})
}

// readChat reads a request.
func (s *Server) readChat(f *fields, m *served, r *http.Request) wish {
	x := s.readWish(f, m, r)
	if x.MaxTokens == 0 {
		f.fail("max_tokens", "0: want at least 1, or -1 for no limit")
	}
	msgs := readMessages(f)
	more := readTokens(f, "continue_tokens", m)
	x.readLogprobs(f)
	if list := f.list("modalities"); f.has("audio") || len(list) > 1 || len(list) == 1 && list[0] != "text" {
		f.failCode("unsupported_content", "modalities", "only text can be answered")
	}
	x.ask(f, m, "messages", msgs, more)
	return x
}

// ask makes a conversation the prompt, and what of the answer there is already. The field
// is where the conversation comes from, for errors.
func (x *wish) ask(f *fields, m *served, name string, msgs []chat.Message, begun []int32) {
	if f.err != nil {
		return
	}
	prompt, err := talk.Prompt(m.Format, m.Engine.Model().Tokenizer(), msgs)
	if err != nil {
		f.fail(name, "%s", strings.TrimPrefix(err.Error(), "chat: "))
		return
	}
	x.Prompt = append(prompt, begun...)
	x.endTurn(m)
	x.constrain(f, m, begun)
}

// endTurn has what ends a turn of a conversation end the answer.
func (x *wish) endTurn(m *served) {
	x.StopTokens = m.stopIDs
	if x.shape == nil { // else the answer ends where that does
		x.Stop = append(x.Stop, m.stops...)
	}
}

// readMessages reads the list of messages.
func readMessages(f *fields) (msgs []chat.Message) {
	list := f.list("messages")
	if len(list) == 0 {
		f.fail("messages", "there has to be at least one message")
	}
	for i, v := range list {
		path := fmt.Sprintf("messages[%d]", i)
		o, ok := v.(map[string]any)
		if !ok {
			f.fail(path, "want an object with role and content, not %s", kind(v))
			return nil
		}
		g := &fields{all: o, path: path + "."}
		msgs = append(msgs, readMessage(g, "text"))
		if f.take(g); f.err != nil {
			return nil
		}
	}
	return msgs
}

// readMessage reads a message, whose content is a string or parts of some types.
func readMessage(g *fields, types ...string) chat.Message {
	msg := chat.Message{Role: g.text("role")}
	switch msg.Role {
	case "developer":
		msg.Role = chat.System
	case chat.System, chat.User, chat.Assistant:
	case "":
		g.fail("role", "it is missing: want system, user or assistant")
	default:
		g.fail("role", "%q is not known: want system, user or assistant", msg.Role)
	}
	msg.Content = readTexts(g, "content", types...)
	if !g.has("content") && msg.Role != chat.Assistant {
		g.fail("content", "it is missing")
	}
	return msg
}

// readTexts reads a string, or parts of text of the given types, which are joined as lines.
func readTexts(g *fields, name string, types ...string) string {
	switch v := g.all[name].(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		var parts []string
		for i, x := range v {
			o, _ := x.(map[string]any)
			p := &fields{all: o, path: fmt.Sprintf("%s%s[%d].", g.path, name, i)}
			switch t := p.text("type"); {
			case p.err != nil:
			case t == "":
				p.fail("type", "it is missing")
			case !slices.Contains(types, t):
				p.failCode("unsupported_content", "type", "%q is not supported: only text is", t)
			case !p.has("text"):
				p.fail("text", "it is missing")
			default:
				parts = append(parts, p.text("text"))
			}
			g.take(p)
		}
		return strings.Join(parts, "\n")
	default:
		g.fail(name, "want a string or a list of parts, not %s", kind(v))
		return ""
	}
}

// readTokens reads a list of token ids.
func readTokens(f *fields, name string, m *served) []int32 {
	return tokensOf(f, name, f.list(name), m)
}

func tokensOf(f *fields, name string, list []any, m *served) (ids []int32) {
	vocab := int64(m.Engine.Model().Config().Vocab)
	for i, v := range list {
		id, ok := wholeNumber(v)
		if !ok || id < 0 || id >= vocab {
			f.fail(fmt.Sprintf("%s[%d]", name, i), "%s is not a token: want a whole number from 0 to %d", shown(v), vocab-1)
			return nil
		}
		ids = append(ids, int32(id))
	}
	return ids
}

// chatAnswer is what all parts of an answer say.
type chatAnswer struct {
	m *served
	wish
	object  string // of a whole answer
	id      string
	created int64
	fixed   *Fixed // nil: nothing is
}

// head is what every part of an answer begins with.
func (a *chatAnswer) head(object string) map[string]any {
	return map[string]any{"id": a.id, "object": object, "created": a.created, "model": a.model,
		"system_fingerprint": a.fingerprint}
}

// whole is an answer in one piece.
func (a *chatAnswer) whole(choices []any, u serve.Usage) map[string]any {
	v := a.head(a.object)
	v["choices"], v["usage"], v["timings"], v["seed"] = choices, usage(u), timings(u), a.seed
	a.fixed.strip(v)
	return v
}

// end ends a stream with the last event of the last choice, the usage if it is asked for, and
// [DONE].
func (a *chatAnswer) end(e *feed, g *group, last map[string]any) {
	for range g.events { // until the usage is known
	}
	u := g.total()
	last["timings"] = timings(u)
	e.data(last)
	if a.usage {
		v := a.head(last["object"].(string))
		v["choices"], v["usage"] = []any{}, usage(u)
		e.data(v)
	}
	e.raw("data: [DONE]\n\n")
}

// wholeChat answers in one piece.
func (s *Server) wholeChat(w http.ResponseWriter, a *chatAnswer, g *group) *apiError {
	all, err := g.collect(a.m, 1, a.N)
	if err != nil {
		return err
	}
	var choices []any
	for k := range all {
		c := &all[k]
		choices = append(choices, map[string]any{
			"index": k, "message": map[string]any{"role": "assistant", "content": c.text.String(), "refusal": nil},
			"logprobs": a.logprobs(c.tokens), "finish_reason": finish(c.why),
		})
	}
	writeJSON(w, http.StatusOK, a.whole(choices, g.total()))
	return nil
}

// logprobs returns the entries of tokens, or nil if they were not asked for.
func (a *chatAnswer) logprobs(tokens []scored) any {
	if a.Logprobs < 0 {
		return nil
	}
	return map[string]any{"content": a.m.entries(tokens), "refusal": nil}
}

// streamChat answers in events.
func (s *Server) streamChat(w http.ResponseWriter, a *chatAnswer, g *group) {
	e := s.newFeed(w, eventStream)
	begun, left := make([]bool, a.N), a.N
	waiting := make([]unsent, a.N)
	for {
		h, ok := s.next(g, e)
		if !ok || e.err != nil {
			break
		}
		if h.end {
			if h.err != nil {
				e.data(errorOf(h.err).body())
				return
			}
			continue
		}
		if h.Progress != nil {
			e.data(a.progress(h.Progress))
			continue
		}
		k := h.Choice
		if !begun[k] {
			begun[k] = true
			e.data(a.chunk(k, map[string]any{"role": "assistant", "content": ""}, nil, nil))
		}
		waiting[k].add(a.m, h.Event)
		if text := h.Token.Text; text != "" {
			e.data(a.chunk(k, map[string]any{"content": text}, waiting[k].take(text), nil))
		}
		if h.Why == mpt.EndedError {
			e.data(errorOf(h.Err).body())
			return
		}
		if h.Why != mpt.NotEnded {
			left--
			last := a.chunk(k, map[string]any{}, waiting[k].rest(h.Why), finish(h.Why))
			if left == 0 {
				a.end(e, g, last)
				return
			}
			e.data(last)
		}
	}
}

// chunk is an event of a choice.
func (a *chatAnswer) chunk(k int, delta map[string]any, tokens []scored, finished any) map[string]any {
	c := map[string]any{"index": k, "delta": delta, "logprobs": nil, "finish_reason": finished}
	if len(tokens) > 0 {
		c["logprobs"] = a.logprobs(tokens)
	}
	v := a.head("chat.completion.chunk")
	v["choices"] = []any{c}
	if len(delta) == 2 {
		v["seed"] = a.seed
	}
	return v
}

// progress is llama.cpp's prompt_progress.
func (a *chatAnswer) progress(p *serve.Progress) map[string]any {
	v := a.head("chat.completion.chunk")
	v["choices"] = []any{map[string]any{"index": 0, "delta": map[string]any{}, "logprobs": nil, "finish_reason": nil}}
	v["prompt_progress"] = map[string]any{"total": p.Total, "cache": p.Cached, "processed": p.Done,
		"time_ms": p.Time.Milliseconds()}
	return v
}
