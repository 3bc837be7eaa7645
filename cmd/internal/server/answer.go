package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"time"
	"unicode/utf8"

	"mptgo/mpt"
	"mptgo/mpt/serve"
	"mptgo/mpt/tokenizer"
)

// atOnce is how many prompts of one request are with the engine at the same time: others
// want their turn, too.
const atOnce = 8

// happening is an event of one of a request's prompts, or its end.
type happening struct {
	prompt int
	serve.Event
	end bool
	err error
}

// run answers with what becomes of some requests, and tells the log what they took.
func (m *served) run(r *http.Request, w *wish, list []serve.Request, answer func(*group) *apiError) *apiError {
	if x := fixedOf(r); x != nil {
		x.limit(list)
		if x.Plan != nil {
			return x.plan(m, list)
		}
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	g, err := m.begin(ctx, w.slot, list)
	if err != nil {
		return err
	}
	err = answer(g)
	g.note(r, w.model, list)
	return err
}

// scored is a token of an answer.
type scored struct {
	*serve.Logprob
	id   int32
	text string // its bytes
	at   int    // where it begins in the text, in bytes
}

// answered is a choice as far as it has come.
type answered struct {
	text   strings.Builder
	echo   int // bytes of the prompt's text
	echoed int // of tokens, those of the prompt
	tokens []scored
	ids    []int32
	why    mpt.Reason
	stop   string // that ended it
}

// collect gathers whole answers: choices[prompt·n + k]. Echoed tokens come first.
func (g *group) collect(m *served, prompts, n int) ([]answered, *apiError) {
	all := make([]answered, prompts*n)
	var failed error
	for h := range g.events {
		switch {
		case h.end:
			failed = errors.Join(failed, h.err)
		case h.Progress != nil:
		case h.Choice < 0:
			for k := range n {
				all[h.prompt*n+k].add(m, h.Event)
			}
		default:
			all[h.prompt*n+h.Choice].add(m, h.Event)
			failed = errors.Join(failed, h.Err)
		}
	}
	if failed != nil {
		return nil, errorOf(failed)
	}
	for i := range all {
		if all[i].why == mpt.NotEnded {
			return nil, errorOf(errors.New("the answer was not finished"))
		}
		all[i].trim()
	}
	return all, nil
}

// add adds an event to an answer.
func (a *answered) add(m *served, ev serve.Event) {
	a.text.WriteString(ev.Token.Text)
	if ev.Token.ID >= 0 {
		a.ids = append(a.ids, ev.Token.ID)
		a.tokens = append(a.tokens, m.scored(ev, a.echo))
	}
	if ev.Choice < 0 {
		a.echo, a.echoed = a.text.Len(), len(a.tokens)
	}
	if ev.Why != mpt.NotEnded {
		a.why, a.stop = ev.Why, ev.Stop
	}
}

// trim drops the tokens of a stop string, which are no part of the text.
func (a *answered) trim() {
	if a.why == mpt.EndedStop {
		a.tokens = slices.DeleteFunc(a.tokens, func(t scored) bool { return t.at >= a.text.Len() })
	}
}

// unsent are tokens of a streamed choice that have not been told yet. A token goes with the
// text that it begins in: the text of a stop string never comes, so its tokens are not told,
// as [answered.trim] has it for whole answers.
type unsent struct {
	tokens []scored
	sent   place // the end of the text that was sent
	echo   int   // bytes of the prompt's text
}

// place is one in a text.
type place struct{ bytes, points int }

// of returns the place of a token that begins in, or behind, the text that follows p, in
// code points.
func (p place) of(t scored, text string) int {
	return p.points + utf8.RuneCountInString(text[:min(max(t.at-p.bytes, 0), len(text))])
}

func (u *unsent) add(m *served, ev serve.Event) {
	if ev.Token.ID >= 0 {
		u.tokens = append(u.tokens, m.scored(ev, u.echo))
	}
	if ev.Choice < 0 {
		u.echo += len(ev.Token.Text)
	}
}

// take returns the tokens that go with the next piece of text.
func (u *unsent) take(text string) []scored {
	u.sent.bytes += len(text)
	u.sent.points += utf8.RuneCountInString(text)
	n := 0
	for n < len(u.tokens) && u.tokens[n].at < u.sent.bytes {
		n++
	}
	taken := u.tokens[:n]
	u.tokens = u.tokens[n:]
	return taken
}

// rest returns those that go with the end.
func (u *unsent) rest(why mpt.Reason) []scored {
	if why == mpt.EndedStop {
		return nil
	}
	return u.tokens
}

// scored is the token of an event behind so many bytes of the prompt's text.
func (m *served) scored(ev serve.Event, echo int) scored {
	if id := ev.Token.ID; ev.Choice < 0 {
		return scored{ev.Logprob, id, m.Engine.Model().Tokenizer().Text(id), ev.Token.At}
	}
	return scored{ev.Logprob, ev.Token.ID, m.bytes(ev.Token.ID), echo + ev.Token.At}
}

// bytes returns what a token adds to a text: nothing if it is a control token.
func (m *served) bytes(id int32) string {
	return string(m.Engine.Model().Tokenizer().AppendDecode(nil, []int32{id}, tokenizer.DecodeOptions{SkipControl: true}))
}

// entries are tokens with their log-probabilities and alternatives, as far as they have any.
func (m *served) entries(tokens []scored) []any {
	list := []any{}
	for _, t := range tokens {
		if t.Logprob == nil {
			continue
		}
		e, top := m.entry(t.id, t.P), []any{}
		for _, x := range t.Top {
			top = append(top, m.entry(x.ID, x.P))
		}
		e["top_logprobs"] = top
		list = append(list, e)
	}
	return list
}

// entry is a token with its log-probability.
func (m *served) entry(id int32, p float64) map[string]any {
	b := m.bytes(id)
	bytes := make([]int, len(b))
	for i := range len(b) {
		bytes[i] = int(b[i])
	}
	return map[string]any{"id": id, "token": readable(b), "logprob": finite(p), "bytes": bytes}
}

// finish returns OpenAI's word for the end of a choice.
func finish(why mpt.Reason) string {
	if why == mpt.EndedLimit || why == mpt.EndedFull {
		return "length"
	}
	return "stop"
}

// lowest stands for the logarithm of 0, which JSON has no number for.
const lowest = -9999.0

func finite(p float64) float64 { return max(p, lowest) }

// readable returns bytes as text, with U+FFFD where they are part of a character.
func readable(b string) string { return strings.ToValidUTF8(b, string(utf8.RuneError)) }

// timings are llama.cpp's.
func timings(u serve.Usage) map[string]any {
	prompt, predicted := u.PromptTokens-u.CachedTokens, u.CompletionTokens
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	t := map[string]any{
		"cache_n": u.CachedTokens, "prompt_n": prompt, "prompt_ms": ms(u.Prefill),
		"prompt_per_token_ms": over(ms(u.Prefill), float64(prompt)),
		"prompt_per_second":   over(float64(prompt), u.Prefill.Seconds()),
		"predicted_n":         predicted, "predicted_ms": ms(u.Decode),
		"predicted_per_token_ms": over(ms(u.Decode), float64(predicted)),
		"predicted_per_second":   over(float64(predicted), u.Decode.Seconds()),
	}
	if u.Drafted > 0 {
		t["draft_n"], t["draft_n_accepted"] = u.Drafted, u.Accepted
	}
	return t
}

func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// usage is OpenAI's.
func usage(u serve.Usage) map[string]any {
	return map[string]any{
		"prompt_tokens": u.PromptTokens, "completion_tokens": u.CompletionTokens,
		"total_tokens":          u.PromptTokens + u.CompletionTokens,
		"prompt_tokens_details": map[string]any{"cached_tokens": u.CachedTokens},
	}
}
