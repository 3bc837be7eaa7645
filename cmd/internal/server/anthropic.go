package server

import (
	"crypto/rand"
	"net/http"
	"slices"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/serve"
)

// anthropicKinds are Anthropic's names for what is wrong, by the status.
var anthropicKinds = map[int]string{
	400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
	405: "invalid_request_error", 413: "request_too_large", 415: "invalid_request_error", 429: "rate_limit_error",
	503: "overloaded_error",
}

// anthropicError is {"type": "error", "error": {"type", "message"}}.
func anthropicError(e *apiError, requestID string) map[string]any {
	kind := anthropicKinds[e.Status]
	if kind == "" {
		kind = "api_error"
	}
	return map[string]any{"type": "error", "request_id": requestID, "error": map[string]any{"type": kind, "message": e.Message}}
}

// messages is Anthropic's /v1/messages.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	a := s.readAnthropic(f, m, r)
	if !f.has("max_tokens") {
		f.fail("max_tokens", "it is missing: say how many tokens the answer may have")
	}
	a.MaxTokens = int(f.whole("max_tokens", 0, 0, 1<<31-1))
	if f.err != nil {
		return f.err
	}
	w.Header().Set("Request-Id", aboutOf(r).id)
	return m.run(r, &a.wish, []serve.Request{a.Request}, func(g *group) *apiError {
		if a.stream {
			a.send(s, w, g)
			return nil
		}
		return m.whole(w, g, func(c *answered) any {
			v := a.message([]any{textBlock(c.text.String())}, g.total())
			v["stop_reason"], v["stop_sequence"] = a.reason(c)
			return v
		})
	})
}

// countTokens is Anthropic's /v1/messages/count_tokens.
func (s *Server) countTokens(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	a := s.readAnthropic(f, m, r)
	if f.err != nil {
		return f.err
	}
	w.Header().Set("Request-Id", aboutOf(r).id)
	writeJSON(w, http.StatusOK, map[string]any{"input_tokens": len(a.Prompt)})
	return nil
}

// readAnthropic reads a request but for its max_tokens.
func (s *Server) readAnthropic(f *fields, m *served, r *http.Request) *messageAnswer {
	a := &messageAnswer{m: m, wish: s.readOwn(f, m, r), id: "msg_" + rand.Text()}
	a.stream = f.flag("stream", false)
	msgs := joinTurns(readMessages(f))
	if system := readTexts(f, "system", "text"); system != "" {
		msgs = slices.Insert(msgs, 0, chat.Message{Role: chat.System, Content: system})
	}
	f.number("temperature", 0, 0, 1) // is what the API says; that of others goes further
	a.Params = s.readParams(f, m)
	a.seed = a.Params.Seed
	a.Stop = readStops(f, "stop_sequences")
	a.asked = slices.Clone(a.Stop)
	if t := f.object("thinking"); f.has("thinking") && t.text("type") != "disabled" {
		f.fail("thinking", `the model does not think before it answers: leave it out, or say {"type": "disabled"}`)
	}
	if f.has("container") {
		f.failCode("tools_not_supported", "container", "this server runs nothing but the model")
	}
	if len(f.list("mcp_servers")) > 0 {
		f.failCode("tools_not_supported", "mcp_servers", "this server asks no others")
	}
	a.readForm(f)
	a.ask(f, m, "messages", msgs, nil)
	return a
}

// readForm reads output_config.format, which was output_format once: a schema.
func (a *messageAnswer) readForm(f *fields) {
	o, name := f.object("output_config"), "output_config.format"
	form := o.object("format")
	if f.has("output_format") {
		form, name = f.object("output_format"), "output_format"
	}
	var asked *source
	if form.all != nil {
		asked = &source{jsonSchema, string(form.raw("schema"))}
		if t := form.text("type"); t != "json_schema" {
			form.failCode("invalid_schema", "type", "%q is not known: want json_schema", t)
		} else if !form.has("schema") {
			form.failCode("invalid_schema", "schema", "want a schema")
		}
	}
	o.take(form)
	f.take(o)
	shapeAs(f, a.m, &a.wish, name, asked)
}

// joinTurns makes one message of those of one side that follow each other.
func joinTurns(msgs []chat.Message) (turns []chat.Message) {
	for _, m := range msgs {
		if last := len(turns) - 1; last >= 0 && turns[last].Role == m.Role {
			turns[last].Content += "\n" + m.Content
			continue
		}
		turns = append(turns, m)
	}
	return turns
}

// messageAnswer is an answer in Anthropic's form.
type messageAnswer struct {
	m *served
	wish
	id    string
	asked []string // stop strings of the request: others are the format's
}

func textBlock(text string) map[string]any { return map[string]any{"type": "text", "text": text} }

// message is an answer that has not ended.
func (a *messageAnswer) message(content []any, u serve.Usage) map[string]any {
	return map[string]any{
		"id": a.id, "type": "message", "role": "assistant", "model": a.model, "content": content,
		"stop_reason": nil, "stop_sequence": nil, "usage": anthropicUsage(u), "seed": a.seed,
	}
}

// anthropicUsage counts tokens of the prompt once: those from the cache by themselves.
func anthropicUsage(u serve.Usage) map[string]any {
	return map[string]any{
		"input_tokens": u.PromptTokens - u.CachedTokens, "output_tokens": u.CompletionTokens,
		"cache_creation_input_tokens": 0, "cache_read_input_tokens": u.CachedTokens,
	}
}

// reason tells why an answer ended, and at which of the request's stop strings.
func (a *messageAnswer) reason(c *answered) (why string, stop any) {
	switch {
	case c.why == mpt.EndedStop && slices.Contains(a.asked, c.stop):
		return "stop_sequence", c.stop
	case c.why == mpt.EndedLimit || c.why == mpt.EndedFull:
		return "max_tokens", nil
	}
	return "end_turn", nil
}

// send answers in events. What the cache had is not known at the start, so the last event
// that counts tokens tells it.
func (a *messageAnswer) send(s *Server, w http.ResponseWriter, g *group) {
	e := s.newFeed(w, eventStream)
	event := func(name string, v map[string]any) {
		v["type"] = name
		e.event(name, v)
	}
	e.ping = func() { event("ping", map[string]any{}) }
	event("message_start", map[string]any{"message": a.message([]any{}, serve.Usage{PromptTokens: len(a.Prompt)})})
	event("content_block_start", map[string]any{"index": 0, "content_block": textBlock("")})
	e.ping()
	c, err := s.tell(e, a.m, g, func(text string, _ []scored) {
		event("content_block_delta", map[string]any{"index": 0, "delta": map[string]any{"type": "text_delta", "text": text}})
	})
	if err != nil {
		e.event("error", anthropicError(err, w.Header().Get("X-Request-Id")))
		return
	}
	if c == nil {
		return
	}
	event("content_block_stop", map[string]any{"index": 0})
	why, stop := a.reason(c)
	event("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": why, "stop_sequence": stop}, "usage": anthropicUsage(g.total())})
	event("message_stop", map[string]any{})
}
