package server

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/grammar"
	"mptgo/mpt/serve"
	"mptgo/mpt/talk"
	"mptgo/mpt/tokenizer"
)

// ollamaError is {"error": message}.
func ollamaError(e *apiError, _ string) map[string]any { return map[string]any{"error": e.Message} }

// ollamaChat is Ollama's /api/chat. Without messages it loads the model, which is loaded.
func (s *Server) ollamaChat(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	a := s.readOllama(f, m, r)
	a.chat = true
	checkOllamaMessages(f)
	if a.load = len(f.list("messages")) == 0; !a.load {
		a.ask(f, m, "messages", readMessages(f), nil)
	}
	return a.answer(s, w, r, f)
}

// checkOllamaMessages refuses what Ollama has in messages beside text.
func checkOllamaMessages(f *fields) {
	for i, v := range f.list("messages") {
		o, _ := v.(map[string]any) // what is no object is found later
		g := &fields{all: o, path: fmt.Sprintf("messages[%d].", i)}
		refuseImages(g)
		if len(g.list("tool_calls")) > 0 {
			g.failCode("tools_not_supported", "tool_calls", "this server has no tools: the models' templates do not know them")
		}
		f.take(g)
	}
}

// ollamaGenerate is Ollama's /api/generate: a message, or with raw a text that goes on.
func (s *Server) ollamaGenerate(w http.ResponseWriter, r *http.Request) *apiError {
	f, m, err := s.receive(w, r)
	if err != nil {
		return err
	}
	a := s.readOllama(f, m, r)
	a.raw = f.flag("raw", false)
	if f.text("suffix") != "" {
		f.fail("suffix", "texts between two others are not supported")
	}
	if f.text("template") != "" {
		f.fail("template", "the format is chosen where the server is started; with raw: true a prompt is taken as it is")
	}
	refuseImages(f)
	a.prompt(f)
	return a.answer(s, w, r, f)
}

// prompt reads the prompt of /api/generate.
func (a *ollamaAnswer) prompt(f *fields) {
	text, system := f.text("prompt"), f.text("system")
	begun := readTokens(f, "context", a.m)
	if a.raw && (system != "" || len(begun) > 0) {
		f.fail("raw", "a raw prompt is taken as it is: system and context cannot be added to it")
	}
	if a.load = text == ""; a.load || f.err != nil {
		return
	}
	if a.raw {
		a.Prompt = a.m.encode(f, "prompt", text)
		a.constrain(f, a.m, nil)
		return
	}
	var msgs []chat.Message
	if system != "" {
		msgs = append(msgs, chat.Message{Role: chat.System, Content: system})
	}
	msgs = append(msgs, chat.Message{Role: chat.User, Content: text})
	if len(begun) == 0 {
		a.ask(f, a.m, "prompt", msgs, nil)
		return
	}
	more, err := talk.Follow(a.m.Format, a.m.Engine.Model().Tokenizer(), msgs)
	switch {
	case errors.Is(err, chat.ErrRewritten):
		f.fail("context", "the model's chat format does not go on behind tokens: send the messages to /api/chat")
	case err != nil:
		f.fail("prompt", "%s", strings.TrimPrefix(err.Error(), "chat: "))
	}
	a.Prompt = append(begun, more...)
	a.endTurn(a.m)
	a.constrain(f, a.m, nil)
}

func refuseImages(f *fields) {
	if len(f.list("images")) > 0 {
		f.failCode("unsupported_content", "images", "the model reads only text")
	}
}

// readOllama reads what the two have in common. Parameters are in options.
func (s *Server) readOllama(f *fields, m *served, r *http.Request) *ollamaAnswer {
	a := &ollamaAnswer{m: m, wish: s.readOwn(f, m, r), begun: time.Now()}
	a.stream = f.flag("stream", true)
	a.readLogprobs(f)
	switch v := f.all["think"].(type) {
	case nil:
	case bool, string:
		if v != false && v != "" {
			f.fail("think", "the model does not think before it answers: leave it out, or say false")
		}
	default:
		f.fail("think", "want true, false or a level, not %s", kind(v))
	}
	a.readOptions(s, f)
	a.readFormat(f)
	return a
}

// readFormat reads format: "json" or a schema.
func (a *ollamaAnswer) readFormat(f *fields) {
	var from *source
	switch v := f.all["format"].(type) {
	case nil:
	case map[string]any:
		from = &source{jsonSchema, string(f.raw("format"))}
	default:
		switch v {
		case "":
		case "json":
			from = &source{jsonSchema, grammar.JSONObject}
		default:
			f.failCode("invalid_schema", "format", `%s: want "json" or a schema`, shown(v))
		}
	}
	shapeAs(f, a.m, &a.wish, "format", from)
}

// readOptions reads options: samplers, limits and stop strings. What says how a model is to be
// run, on which devices and with how many threads, is not the client's here, and ignored.
func (a *ollamaAnswer) readOptions(s *Server, f *fields) {
	o := f.object("options")
	a.Params = s.readParams(o, a.m)
	a.seed = a.Params.Seed
	a.MaxTokens = int(max(o.whole("num_predict", -1, -2, 1<<31-1), -1)) // -2 is the rest of the context, too
	if a.MaxTokens == 0 {
		o.fail("num_predict", "0: want at least 1, or -1 for no limit")
	}
	a.Stop = readStops(o, "stop")
	checkContext(o, a.m)
	f.take(o)
}

// checkContext refuses options that want a longer context than there is.
func checkContext(o *fields, m *served) {
	most := m.Engine.Options().ContextSize
	if n := o.whole("num_ctx", 0, 0, 1<<31-1); n > int64(most) {
		o.fail("num_ctx", "%d: the context is %d tokens: ask for less, or start the server with -c %d", n, most, n)
	}
}

// ollamaAnswer is an answer in Ollama's form.
type ollamaAnswer struct {
	m *served
	wish
	begun time.Time
	chat  bool // else /api/generate
	raw   bool
	load  bool // nothing is asked
}

// answer answers a request that has been read, in lines or in one piece.
func (a *ollamaAnswer) answer(s *Server, w http.ResponseWriter, r *http.Request, f *fields) *apiError {
	if f.err != nil {
		return f.err
	}
	if a.load {
		v := a.part("")
		v["done"], v["done_reason"] = true, "load"
		if s.models.unloadFor(f) {
			v["done_reason"] = "unload"
		}
		writeJSON(w, http.StatusOK, v)
		return nil
	}
	return a.m.run(r, &a.wish, []serve.Request{a.Request}, func(g *group) *apiError {
		if a.stream {
			a.send(s, w, g)
			return nil
		}
		return a.m.whole(w, g, func(c *answered) any {
			v := a.last(c, c.text.String(), g.total())
			a.addLogprobs(v, c.tokens)
			return v
		})
	})
}

// unloadFor unloads the model of a request that asks nothing, but that it be kept for no time,
// if there are others beside it. It reports whether it did.
func (c *catalogue) unloadFor(f *fields) bool {
	n, ok := wholeNumber(f.all["keep_alive"])
	if text, _ := f.all["keep_alive"].(string); text != "" {
		d, err := time.ParseDuration(text)
		n, ok = int64(d), err == nil
	}
	e, err := c.find(f.text("model"))
	if !ok || n != 0 || err != nil || e.Load == nil || len(c.list()) == 1 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after(e, loading, func() { c.unload(e) })
	return true
}

// send answers in lines, the last of which says done: true, with an error, too: without it
// clients believe that the connection broke.
func (a *ollamaAnswer) send(s *Server, w http.ResponseWriter, g *group) {
	e := s.newFeed(w, lineStream)
	e.ping = func() { e.line(a.part("")) }
	c, err := s.tell(e, a.m, g, func(text string, tokens []scored) {
		v := a.part(text)
		a.addLogprobs(v, tokens)
		e.line(v)
	})
	if err != nil {
		v := a.part("")
		v["done"] = true
		maps.Copy(v, ollamaError(err, ""))
		e.line(v)
	} else if c != nil {
		e.line(a.last(c, "", g.total()))
	}
}

// part is a piece of an answer.
func (a *ollamaAnswer) part(text string) map[string]any {
	v := map[string]any{"model": a.model, "created_at": time.Now().UTC().Format(time.RFC3339Nano), "done": false}
	if a.chat {
		v["message"] = map[string]any{"role": "assistant", "content": text}
	} else {
		v["response"] = text
	}
	return v
}

func (a *ollamaAnswer) addLogprobs(v map[string]any, tokens []scored) {
	if a.Logprobs >= 0 && len(tokens) > 0 {
		v["logprobs"] = a.m.entries(tokens)
	}
}

// last is the last piece of an answer, with what it took: times in nanoseconds.
func (a *ollamaAnswer) last(c *answered, text string, u serve.Usage) map[string]any {
	v := a.part(text)
	maps.Copy(v, map[string]any{
		"done": true, "done_reason": finish(c.why), "total_duration": time.Since(a.begun), "load_duration": 0,
		"prompt_eval_count": u.PromptTokens, "prompt_eval_duration": u.Prefill,
		"eval_count": u.CompletionTokens, "eval_duration": u.Decode, "seed": a.seed,
	})
	if !a.chat && !a.raw {
		v["context"] = a.context(c)
	}
	return v
}

// context is the conversation as tokens, for the next request.
func (a *ollamaAnswer) context(c *answered) []int32 {
	ids := c.ids
	if c.why == mpt.EndedStop { // the tokens say more than the text
		ids = a.m.Engine.Model().Tokenizer().Encode(c.text.String(), tokenizer.EncodeOptions{Continue: true})
	}
	return slices.Concat(a.Prompt, ids)
}
