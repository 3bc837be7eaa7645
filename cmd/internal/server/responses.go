package server

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/grammar"
	"mptgo/mpt/serve"
)

// sendAll is what to do where a request counts on what was kept of an earlier one.
const sendAll = "nothing is kept by this server: send the whole conversation as input"

// noResponse says that there is no earlier answer.
func noResponse(*Server, http.ResponseWriter, *http.Request) *apiError {
	return notFound("%s", sendAll)
}

// responses is OpenAI's /v1/responses, of which nothing is kept.
func (s *Server) responses(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	a := s.readResponses(f, m, r)
	if f.err != nil {
		return f.err
	}
	return m.run(r, &a.wish, []serve.Request{a.Request}, func(g *group) *apiError {
		if a.stream {
			a.send(s, w, g)
			return nil
		}
		return m.whole(w, g, func(c *answered) any { return a.ended(c, g.total()) })
	})
}

// responseTokens is OpenAI's /v1/responses/input_tokens: how many tokens a request would read.
func (s *Server) responseTokens(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	a := s.readResponses(f, m, r)
	if f.err != nil {
		return f.err
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "response.input_tokens", "input_tokens": len(a.Prompt)})
	return nil
}

// readResponses reads a request.
func (s *Server) readResponses(f *fields, m *served, r *http.Request) *responseAnswer {
	a := &responseAnswer{m: m, wish: s.readOwn(f, m, r), id: "resp_" + rand.Text(), item: "msg_" + rand.Text(),
		created: time.Now().Unix(), asked: f.all}
	a.stream = f.flag("stream", false)
	refuseKept(f)
	msgs := readInput(f)
	if text := f.text("instructions"); text != "" {
		if len(msgs) > 0 && msgs[0].Role == chat.System { // many formats have only one
			text += "\n" + msgs[0].Content
			msgs = msgs[1:]
		}
		msgs = slices.Insert(msgs, 0, chat.Message{Role: chat.System, Content: text})
	}
	a.Params = s.readParams(f, m)
	a.seed = a.Params.Seed
	if a.MaxTokens = readLimit(f, "max_output_tokens"); a.MaxTokens == 0 {
		f.fail("max_output_tokens", "0: want at least 1, or -1 for no limit")
	}
	a.Stop = readStops(f, "stop")
	top := int(f.whole("top_logprobs", 0, 0, mostLogprobs))
	if top > 0 || slices.Contains(f.list("include"), any("message.output_text.logprobs")) {
		a.Logprobs = top
	}
	a.readForm(f)
	a.ask(f, m, "input", msgs, nil)
	return a
}

// refuseKept refuses what counts on earlier requests, or has this one kept.
func refuseKept(f *fields) {
	if f.flag("store", false) {
		f.fail("store", "nothing is kept by this server: leave it out, or say false")
	}
	if f.flag("background", false) {
		f.fail("background", "an answer is given at once, or streamed: leave it out, or say false")
	}
	for _, name := range []string{"previous_response_id", "conversation"} {
		if f.has(name) {
			f.fail(name, "%s", sendAll)
		}
	}
	if f.has("prompt") {
		f.fail("prompt", "no prompts are kept by this server: send instructions and input")
	}
}

// readInput reads a string, or items, all of which have to be messages.
func readInput(f *fields) (msgs []chat.Message) {
	switch v := f.all["input"].(type) {
	case nil:
		f.fail("input", "it is missing")
	case string:
		return []chat.Message{{Role: chat.User, Content: v}}
	case []any:
		if len(v) == 0 {
			f.fail("input", "there has to be at least one message")
		}
		for i, x := range v {
			o, ok := x.(map[string]any)
			if !ok {
				f.fail(fmt.Sprintf("input[%d]", i), "want an object, not %s", kind(x))
				return nil
			}
			g := &fields{all: o, path: fmt.Sprintf("input[%d].", i)}
			msgs = append(msgs, readItem(g))
			if f.take(g); f.err != nil {
				return nil
			}
		}
	default:
		f.fail("input", "want a string or a list of items, not %s", kind(v))
	}
	return msgs
}

func readItem(g *fields) chat.Message {
	switch t := g.text("type"); t {
	case "", "message":
		return readMessage(g, "input_text", "output_text", "text")
	case "item_reference":
		g.failCode("unsupported_content", "type", "%q: %s", t, sendAll)
	default:
		g.failCode("unsupported_content", "type", "%q is not supported: only messages are", t)
	}
	return chat.Message{}
}

// readForm reads text.format, which is a response_format whose parts are not nested.
func (a *responseAnswer) readForm(f *fields) {
	text := f.object("text")
	form := text.object("format")
	var asked *source
	switch t := form.text("type"); {
	case form.all == nil || t == "text":
	case t == "json_object":
		asked = &source{jsonSchema, grammar.JSONObject}
	case t == "json_schema" && form.has("schema"):
		asked = &source{jsonSchema, string(form.raw("schema"))}
	case t == "json_schema":
		form.failCode("invalid_schema", "schema", "want a schema")
	default:
		form.failCode("invalid_schema", "type", "%q is not known: text, json_object and json_schema are", t)
	}
	text.take(form)
	f.take(text)
	shapeAs(f, a.m, &a.wish, "text.format", asked)
	a.form = map[string]any{"type": "text"}
	if form.all != nil {
		a.form = form.all
	}
}

// responseAnswer is an answer in the form of /v1/responses.
type responseAnswer struct {
	m *served
	wish
	id, item string
	created  int64
	asked    map[string]any // the request: an answer repeats some of it
	form     map[string]any
}

// response is an answer in some state.
func (a *responseAnswer) response(status string, output []any) map[string]any {
	v := map[string]any{
		"id": a.id, "object": "response", "created_at": a.created, "status": status, "model": a.model, "output": output,
		"error": nil, "incomplete_details": nil, "usage": nil, "store": false, "background": false,
		"previous_response_id": nil, "temperature": a.Params.Temp, "top_p": a.Params.TopP, "max_output_tokens": nil,
		"text": map[string]any{"format": a.form}, "tools": []any{}, "tool_choice": "auto", "parallel_tool_calls": false,
		"truncation": "disabled", "reasoning": map[string]any{"effort": nil, "summary": nil}, "metadata": map[string]any{},
		"instructions": a.asked["instructions"], "user": a.asked["user"], "seed": a.seed,
		"system_fingerprint": a.fingerprint,
	}
	if a.MaxTokens > 0 {
		v["max_output_tokens"] = a.MaxTokens
	}
	if o, ok := a.asked["metadata"].(map[string]any); ok {
		v["metadata"] = o
	}
	return v
}

// message is the only item of an answer.
func (a *responseAnswer) message(status string, content ...any) map[string]any {
	if content == nil {
		content = []any{}
	}
	return map[string]any{"id": a.item, "type": "message", "status": status, "role": "assistant", "content": content}
}

func (a *responseAnswer) part(text string, tokens []scored) map[string]any {
	return map[string]any{"type": "output_text", "text": text, "annotations": []any{}, "logprobs": a.m.entries(tokens)}
}

// ended is a whole answer.
func (a *responseAnswer) ended(c *answered, u serve.Usage) map[string]any {
	status := endStatus(c.why)
	v := a.response(status, []any{a.message(status, a.part(c.text.String(), c.tokens))})
	if status == "incomplete" {
		v["incomplete_details"] = map[string]any{"reason": "max_output_tokens"}
	}
	v["usage"] = map[string]any{
		"input_tokens": u.PromptTokens, "input_tokens_details": map[string]any{"cached_tokens": u.CachedTokens},
		"output_tokens": u.CompletionTokens, "output_tokens_details": map[string]any{"reasoning_tokens": 0},
		"total_tokens": u.PromptTokens + u.CompletionTokens,
	}
	return v
}

// endStatus is incomplete where a limit came first.
func endStatus(why mpt.Reason) string {
	if finish(why) == "length" {
		return "incomplete"
	}
	return "completed"
}

// send answers in events, which are numbered.
func (a *responseAnswer) send(s *Server, w http.ResponseWriter, g *group) {
	e := s.newFeed(w, eventStream)
	n := 0
	event := func(name string, v map[string]any) {
		v["type"], v["sequence_number"] = "response."+name, n
		n++
		e.event("response."+name, v)
	}
	inItem := func(name string, v map[string]any) {
		v["item_id"], v["output_index"], v["content_index"] = a.item, 0, 0
		event(name, v)
	}
	const begun = "in_progress"
	event("created", map[string]any{"response": a.response(begun, []any{})})
	event("in_progress", map[string]any{"response": a.response(begun, []any{})})
	event("output_item.added", map[string]any{"output_index": 0, "item": a.message(begun)})
	inItem("content_part.added", map[string]any{"part": a.part("", nil)})
	c, err := s.tell(e, a.m, g, func(text string, tokens []scored) {
		inItem("output_text.delta", map[string]any{"delta": text, "logprobs": a.m.entries(tokens)})
	})
	if err != nil {
		event("failed", map[string]any{"response": a.failed(err)})
		return
	}
	if c == nil {
		return
	}
	part, whole := a.part(c.text.String(), c.tokens), a.ended(c, g.total())
	status := endStatus(c.why)
	inItem("output_text.done", map[string]any{"text": part["text"], "logprobs": part["logprobs"]})
	inItem("content_part.done", map[string]any{"part": part})
	event("output_item.done", map[string]any{"output_index": 0, "item": a.message(status, part)})
	event(status, map[string]any{"response": whole})
}

// failed is an answer that an error ended.
func (a *responseAnswer) failed(err *apiError) map[string]any {
	v := a.response("failed", []any{})
	code := "invalid_prompt" // the name that the API has for what the request is to blame for
	if err.Status >= 500 {
		code = "server_error"
	}
	v["error"] = map[string]any{"code": code, "message": err.Message}
	return v
}
