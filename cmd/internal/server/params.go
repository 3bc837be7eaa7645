package server

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mptgo/mpt/grammar"
	"mptgo/mpt/serve"
	"mptgo/mpt/tokenizer"
	"mptgo/sampling"
)

// most alternatives, choices, stop strings and biases that a request may ask for.
const (
	mostLogprobs = 20
	mostChoices  = 16
	mostStops    = 16
	mostBiases   = 1024
)

// wish is what the dialects have in common: a request without its prompt, and how the answer
// is to be told. Each reads it under its own names, with the functions here.
type wish struct {
	serve.Request
	seed        uint64
	stream      bool
	usage       bool // a chunk with the usage at the end of a stream
	model       string
	fingerprint string           // of what answers
	best        int              // choices that are made, of which N are the answer, see readBest
	shape       *grammar.Grammar // of answers; nil: any

	shapeField string // that has told the shape
	slot       int    // that the sequence is to be kept in, or noSlot

	ctx context.Context // of the HTTP request
}

// readOwn reads what every request may say: the model, and what this server has of its own.
// The errors are those of f.
func (s *Server) readOwn(f *fields, m *served, r *http.Request) wish {
	w := wish{model: f.text("model"), ctx: r.Context()}
	if w.model == "" {
		w.model = m.Names[0]
	}
	w.N = 1
	w.IgnoreEOS = f.flag("ignore_eos", false)
	w.NoCache = !f.flag("cache_prompt", true)
	w.Salt = f.text("cache_salt")
	w.Priority = int(f.whole("priority", 0, -1, 1))
	w.Key = aboutOf(r).key
	w.Logprobs = -1
	w.Adapters = readAdapters(f, m, w.model)
	w.fingerprint = m.fingerprint(w.Adapters)
	w.slot = readSlot(f, m)
	refuseTools(f)
	return w
}

// readSlot reads id_slot, which says something only where slots are saved.
func readSlot(f *fields, m *served) int {
	if m.slots == nil {
		return noSlot
	}
	return int(f.whole("id_slot", noSlot, noSlot, int64(len(m.slots.last)-1)))
}

// readWish reads the fields that OpenAI's and llama.cpp's requests share.
func (s *Server) readWish(f *fields, m *served, r *http.Request) wish {
	w := s.readOwn(f, m, r)
	w.stream = f.flag("stream", false)
	w.usage = f.object("stream_options").flagOf(f, "include_usage")
	w.N = int(f.whole("n", 1, 1, mostChoices))
	if most := m.Engine.Options().Parallel; w.N > most {
		f.fail("n", "%d: this server answers at most %d at the same time", w.N, most)
	}
	w.Params = s.readParams(f, m)
	w.seed = w.Params.Seed
	w.MaxTokens = readLimit(f, "max_completion_tokens", "max_tokens", "n_predict")
	w.Stop = readStops(f, "stop")
	w.Progress = f.flag("return_progress", false)
	readShape(f, m, &w)
	return w
}

// readLogprobs reads logprobs: true and top_logprobs.
func (w *wish) readLogprobs(f *fields) {
	if f.flag("logprobs", false) {
		w.Logprobs = int(f.whole("top_logprobs", 0, 0, mostLogprobs))
	} else if n := f.whole("top_logprobs", 0, 0, mostLogprobs); n > 0 {
		f.fail("top_logprobs", "it needs logprobs: true")
	}
}

// flagOf is flag of an object in f, whose error f takes over.
func (o *fields) flagOf(f *fields, name string) bool {
	b := o.flag(name, false)
	f.take(o)
	return b
}

// readLimit returns the smallest of some limits of tokens; -1 is none.
func readLimit(f *fields, names ...string) int {
	limit := int64(-1)
	for _, name := range names {
		if n := f.whole(name, -1, -1, 1<<31-1); n >= 0 && (limit < 0 || n < limit) {
			limit = n
		}
	}
	return int(limit)
}

// readStops returns the stop strings; empty ones are none.
func readStops(f *fields, name string) (stops []string) {
	switch v := f.all[name].(type) {
	case nil:
	case string:
		stops = []string{v}
	case []any:
		for _, x := range v {
			text, ok := x.(string)
			if !ok {
				f.fail(name, "want a string or strings, not %s", kind(x))
			}
			stops = append(stops, text)
		}
	default:
		f.fail(name, "want a string or strings, not %s", kind(v))
	}
	if len(stops) > mostStops {
		f.fail(name, "%d strings: at most %d are possible", len(stops), mostStops)
	}
	some := stops[:0]
	for _, x := range stops {
		if x != "" {
			some = append(some, x)
		}
	}
	return some
}

// limits are the ranges of parameters, of those for which the specification names some.
var limits = map[string][2]float64{
	"temp": {0, 100}, "top_p": {0, 1}, "min_p": {0, 1}, "top_k": {-1, 1 << 30},
	"presence_penalty": {-2, 2}, "frequency_penalty": {-2, 2},
}

// readParams returns how tokens are chosen: every row of [sampling.Options] under each of its
// names.
func (s *Server) readParams(f *fields, m *served) sampling.Params {
	p := s.c.Defaults
	if !s.c.Fixed {
		p.Seed = uint64(rand.Uint32())
	}
	for _, o := range sampling.Options() {
		for _, name := range append([]string{o.Name}, o.Also...) {
			if !f.has(name) || o.Name == "logit_bias" {
				continue
			}
			if o.Name == "seed" {
				if seed := f.whole("seed", -1, math.MinInt64, math.MaxInt64); seed != -1 {
					p.Seed = uint64(seed)
				}
				continue
			}
			setParam(f, &p, o, name)
		}
	}
	p.LogitBias = readBiases(f, m.Engine.Model().Tokenizer())
	if err := p.Validate(); err != nil && f.err == nil {
		text, param := strings.TrimPrefix(err.Error(), "sampling: "), paramOf(err)
		if !strings.HasPrefix(text, param) {
			text = param + ": " + text
		}
		f.err = invalid(400, "", "%s", text)
		f.err.Param = param
	}
	return p
}

// setParam sets one parameter from a JSON value.
func setParam(f *fields, p *sampling.Params, o sampling.Option, name string) {
	text := ""
	switch v := f.all[name].(type) {
	case json.Number:
		if r, ok := limits[o.Name]; ok {
			f.number(name, 0, r[0], r[1])
		}
		if n, ok := wholeNumber(v); ok {
			text = strconv.FormatInt(n, 10)
		} else {
			text = v.String()
		}
	case []any:
		var list []string
		for _, x := range v {
			item, ok := x.(string)
			if !ok {
				f.fail(name, "want strings in the list, not %s", kind(x))
			}
			list = append(list, item)
		}
		text = strings.Join(list, ";")
		if o.Name == "dry_sequence_breaker" {
			b, _ := json.Marshal(list)
			text = string(b)
		}
	case string:
		if o.Name != "samplers" && o.Name != "dry_sequence_breaker" {
			f.fail(name, "want a number, not a string")
		}
		text = v
	default:
		f.fail(name, "want a number, not %s", kind(v))
	}
	if f.err != nil {
		return
	}
	if err := p.Set(o.Name, text); err != nil {
		f.fail(name, "%s", strings.TrimPrefix(err.Error(), "sampling: "+o.Name+": "))
	}
}

// paramOf returns the name that an error of package sampling begins with, or "".
func paramOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "sampling: ")
	if strings.HasPrefix(text, "unknown sampler ") {
		return "samplers"
	}
	for _, o := range sampling.Options() {
		if rest, ok := strings.CutPrefix(text, o.Name); ok && (rest == "" || strings.ContainsAny(rest[:1], ": ")) {
			return o.Name
		}
	}
	return ""
}

// readBiases reads logit_bias: OpenAI's object {"id": bias}, or llama.cpp's list of
// [id or text, bias or false].
func readBiases(f *fields, tok *tokenizer.Tokenizer) (biases []sampling.Bias) {
	seen := map[int32]int{}
	add := func(id int64, v any) {
		if id < 0 || id >= int64(tok.Size()) {
			f.fail("logit_bias", "there is no token %d", id)
			return
		}
		bias, ok := biasOf(f, v)
		if !ok {
			return
		}
		if at, again := seen[int32(id)]; again {
			biases[at].Value = bias
			return
		}
		seen[int32(id)] = len(biases)
		biases = append(biases, sampling.Bias{ID: int32(id), Value: bias})
	}
	switch v := f.all["logit_bias"].(type) {
	case nil:
	case map[string]any:
		for key, x := range v {
			id, err := strconv.ParseInt(key, 10, 32)
			if err != nil {
				f.fail("logit_bias", "%q is not the id of a token", key)
				continue
			}
			add(id, x)
		}
	case []any:
		for _, x := range v {
			pair, ok := x.([]any)
			if !ok || len(pair) != 2 {
				f.fail("logit_bias", "want pairs of a token and its bias")
				break
			}
			if text, ok := pair[0].(string); ok {
				for _, id := range tok.Encode(text, tokenizer.EncodeOptions{Continue: true}) {
					add(int64(id), pair[1])
				}
			} else if id, ok := wholeNumber(pair[0]); ok {
				add(id, pair[1])
			} else {
				f.fail("logit_bias", "%s is neither the id of a token nor a text", shown(pair[0]))
			}
		}
	default:
		f.fail("logit_bias", "want an object of token ids and biases, not %s", kind(v))
	}
	if len(biases) > mostBiases {
		f.fail("logit_bias", "%d tokens: at most %d are possible", len(biases), mostBiases)
	}
	slices.SortFunc(biases, func(a, b sampling.Bias) int { return int(a.ID) - int(b.ID) })
	return biases
}

// biasOf returns a bias: -100 and false ban a token.
func biasOf(f *fields, v any) (float32, bool) {
	if v == false {
		return float32(math.Inf(-1)), true
	}
	n, ok := v.(json.Number)
	if !ok {
		f.fail("logit_bias", "a bias is a number from -100 to 100, not %s", kind(v))
		return 0, false
	}
	x, err := n.Float64()
	if err != nil || x < -100 || x > 100 {
		f.fail("logit_bias", "a bias is a number from -100 to 100, not %s", n)
		return 0, false
	}
	if x == -100 {
		x = math.Inf(-1)
	}
	return float32(x), true
}

// refuseTools refuses tools; an empty list and "none" are nothing.
func refuseTools(f *fields) {
	for _, name := range []string{"tools", "functions"} {
		if len(f.list(name)) > 0 {
			f.failCode("tools_not_supported", name, "this server has no tools: the models' templates do not know them")
		}
	}
	c := f.all["tool_choice"]
	if o, ok := c.(map[string]any); ok {
		c = o["type"] // Anthropic's form
	}
	if f.has("tool_choice") && c != "none" && c != "auto" {
		f.failCode("tools_not_supported", "tool_choice", "this server has no tools")
	}
}
