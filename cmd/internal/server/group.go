package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/serve"
)

// group is what becomes of the prompts of a request.
type group struct {
	events chan happening
	m      *served
	asked  int // the slot that sequences are to be kept in, or noSlot

	mu    sync.Mutex
	usage serve.Usage       // of all that have ended
	slot  int               // of the one that has ended last, or noSlot
	ends  []string          // why choices have ended
	told  []strings.Builder // by prompt, its first answer, if texts are logged
}

// begin submits requests. Their errors come before anything is answered: all of them are
// checked, the first one as it is put into the queue.
func (m *served) begin(ctx context.Context, slot int, list []serve.Request) (*group, *apiError) {
	for _, r := range list[1:] {
		if err := m.Engine.Check(r); err != nil {
			return nil, errorOf(err)
		}
	}
	first, err := m.Engine.Submit(ctx, list[0])
	if err != nil {
		return nil, errorOf(err)
	}
	g := &group{events: make(chan happening, 64), m: m, asked: slot, slot: noSlot, told: make([]strings.Builder, len(list))}
	go g.run(ctx, list, first)
	return g, nil
}

// run submits the other requests and hands on what happens to all.
func (g *group) run(ctx context.Context, list []serve.Request, first *serve.Stream) {
	var wg sync.WaitGroup
	turns := make(chan bool, atOnce)
	for i, r := range list {
		turns <- true
		wg.Go(func() {
			defer func() { <-turns }()
			s, err := first, error(nil)
			if i > 0 {
				s, err = submitLater(ctx, g.m.Engine, r)
			}
			if err != nil {
				g.send(ctx, happening{prompt: i, end: true, err: err})
				return
			}
			g.follow(ctx, i, s, r)
		})
	}
	wg.Wait()
	close(g.events)
}

// submitLater waits for room in the queue: the request has been taken already.
func submitLater(ctx context.Context, e *serve.Engine, r serve.Request) (*serve.Stream, error) {
	for {
		s, err := e.Submit(ctx, r)
		var full *serve.QueueFullError
		if !errors.As(err, &full) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// follow hands on the events of a stream, and counts what it took, also if nobody wants the rest.
func (g *group) follow(ctx context.Context, i int, s *serve.Stream, r serve.Request) {
	ids, all := g.hand(ctx, i, s)
	s.Close()
	for more := !all; more; { // the engine says what it has done after the step that runs
		_, more = s.Next()
	}
	g.m.spend(r.Key, spent(s))
	u := s.Usage()
	g.mu.Lock()
	g.usage = add(g.usage, u)
	if all && g.m.slots != nil && s.Err() == nil && r.Pooling == serve.NoPooling {
		g.slot = g.m.keepSlot(g.asked, r, ids)
	}
	g.mu.Unlock()
	g.send(ctx, happening{prompt: i, end: true, err: s.Err()})
}

// spent returns how many tokens a request took that has ended: none if it ended before its turn came.
func spent(s *serve.Stream) int {
	u := s.Usage()
	if s.Err() != nil && u.Queue == 0 && u.Prefill == 0 {
		return 0
	}
	return u.PromptTokens + u.CompletionTokens
}

// hand hands on the events of a stream, and returns the tokens of its first choice if they may be wanted.
// It reports whether that were all events: nobody reads them any more once ctx is done.
func (g *group) hand(ctx context.Context, i int, s *serve.Stream) (ids []int32, all bool) {
	for {
		ev, ok := s.Next()
		if !ok {
			return ids, true
		}
		if g.m.slots != nil && ev.Choice == 0 && ev.Token.ID >= 0 {
			ids = append(ids, ev.Token.ID)
		}
		g.remember(i, ev)
		if !g.send(ctx, happening{prompt: i, Event: ev}) {
			return ids, false
		}
	}
}

// remember keeps of an event what the log is to say.
func (g *group) remember(i int, ev serve.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if ev.Why != mpt.NotEnded && ev.Embedding == nil && !slices.Contains(g.ends, reasonName(ev.Why)) {
		g.ends = append(g.ends, reasonName(ev.Why))
	}
	if g.m.logText && ev.Choice == 0 {
		g.told[i].WriteString(ev.Token.Text)
	}
}

// note adds to the log's line what the prompts took: of several choices all reasons why they
// ended, of texts, if they are wanted, the first choice.
func (g *group) note(r *http.Request, model string, list []serve.Request) {
	u := g.total()
	note(r, "model", model, "queue_ms", u.Queue.Milliseconds(), "prompt_tokens", u.PromptTokens,
		"cached_tokens", u.CachedTokens, "completion_tokens", u.CompletionTokens)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.ends) > 0 {
		note(r, "finish_reason", strings.Join(g.ends, ","))
	}
	if !g.m.logText {
		return
	}
	prompts, answers := make([]string, len(list)), make([]string, len(list))
	for i, x := range list {
		prompts[i] = readable(g.m.Engine.Model().Tokenizer().Decode(x.Prompt))
		answers[i] = readable(g.told[i].String())
	}
	note(r, "prompts", prompts, "answers", answers)
}

func (g *group) send(ctx context.Context, h happening) bool {
	select {
	case g.events <- h:
		return true
	case <-ctx.Done():
		return false
	}
}

// total returns what all prompts took.
func (g *group) total() serve.Usage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.usage
}

// slotID returns the slot that a sequence was kept in.
func (g *group) slotID() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.slot
}

func add(a, b serve.Usage) serve.Usage {
	return serve.Usage{
		PromptTokens: a.PromptTokens + b.PromptTokens, CachedTokens: a.CachedTokens + b.CachedTokens,
		CompletionTokens: a.CompletionTokens + b.CompletionTokens,
		Queue:            a.Queue + b.Queue, Prefill: a.Prefill + b.Prefill, Decode: a.Decode + b.Decode,
		Drafted: a.Drafted + b.Drafted, Accepted: a.Accepted + b.Accepted,
	}
}
