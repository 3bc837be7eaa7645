package serve

import (
	"slices"
	"sync/atomic"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/tokenizer"
)

// reading is a text that is evaluated: the prompt of a request, or the tokens of a choice
// that had to make room for others and goes on.
type reading struct {
	q       *request
	c       *choice // nil: the prompt
	session *mpt.Session
	ids     []int32
	done    int
	begun   time.Time

	fetching bool        // its session is filled from disk: nobody else may use it
	stop     atomic.Bool // filling is to end
}

func (t *reading) left() int { return len(t.ids) - t.done }

// planTexts shares what the batch has left among texts: half to the oldest, half to the one
// with the least left, so that a short prompt does not wait for a long one.
func (s *scheduler) planTexts() {
	if len(s.reading) == 0 {
		return
	}
	rows, most := len(s.steps), s.e.m.BatchSize()-len(s.steps)
	room := most
	if rows > 0 {
		room = s.pace.room(rows, most, s.e.opt.StepTime)
	}
	texts := s.readable()
	if len(texts) == 0 {
		return
	}
	first := texts[0]
	short := slices.MinFunc(texts, func(a, b *reading) int { return a.left() - b.left() })
	share := map[*reading]int{}
	give := func(t *reading, n int) {
		n = min(n, room, t.left()-share[t])
		share[t] += n
		room -= n
	}
	give(first, (room+1)/2)
	give(short, room)
	for _, t := range texts {
		give(t, room)
	}
	for _, t := range texts {
		if n := share[t]; n > 0 {
			s.steps, s.parts = append(s.steps, t.step(n)), append(s.parts, part{t: t})
		}
	}
}

// readable returns the texts that may go on. One whose session is empty begins, perhaps again
// after it made room for others, only if there is memory for all of it: else they would take
// it from each other for ever.
func (s *scheduler) readable() (texts []*reading) {
	for _, t := range s.reading {
		if t.fetching {
			continue
		}
		if t.session.Len() > 0 || len(s.holders()) == 0 && len(texts) == 0 || s.fits(len(t.ids)+ahead) {
			texts = append(texts, t)
		}
	}
	return texts
}

// step evaluates the next n tokens.
func (t *reading) step(n int) mpt.Step {
	if t.done == 0 || t.begun.IsZero() {
		t.begun = time.Now()
	}
	st := mpt.Step{Session: t.session, IDs: t.ids[t.done : t.done+n], Logits: mpt.NoLogits}
	if n == t.left() {
		st.Logits = mpt.LastLogits
	}
	switch {
	case t.c == nil && t.q.Pooling != NoPooling:
		t.embed(&st)
	case t.c == nil && t.q.Echo && t.q.Logprobs >= 0:
		done := t.done
		st.Logits = mpt.AllLogits
		st.Score = func(i int, logits []float32) error {
			t.q.echo(done+i, logits)
			return nil
		}
	}
	return st
}

// tellPrompt tells of the tokens of the prompt, in whole characters.
func (q *request) tellPrompt() {
	d, at := q.e.m.Tokenizer().NewDecoder(tokenizer.DecodeOptions{}), 0
	for i, id := range q.Prompt {
		text := d.Next(id)
		q.stream.put(Event{Choice: -1, Token: mpt.Token{ID: id, Text: text, At: at}, Logprob: q.echoed[i]})
		at += len(text)
	}
	if rest := d.Flush(); rest != "" {
		q.stream.put(Event{Choice: -1, Token: mpt.Token{ID: -1, Text: rest, At: at}})
	}
}

// echo keeps the log-probability of the token after token i of the prompt.
func (q *request) echo(i int, logits []float32) {
	if i+1 < len(q.Prompt) {
		q.echoed[i+1] = logprobOf(logits, q.Prompt[i+1], q.Logprobs)
	}
}

// advance counts n more tokens, and goes on behind the text after the last.
func (t *reading) advance(s *scheduler, n int) {
	t.done += n
	q := t.q
	if t.c == nil {
		q.done = t.done
		if q.Progress && n > 0 {
			p := Progress{len(q.Prompt), q.usage.CachedTokens, t.done, time.Since(t.begun)}
			q.stream.put(Event{Choice: -1, Token: mpt.Token{ID: -1}, Progress: &p})
		}
	}
	if t.left() > 0 {
		return
	}
	s.reading = without(s.reading, t)
	if t.c != nil {
		t.c.lost = nil
		s.running = append(s.running, t.c)
		return
	}
	if err := s.answer(q); err != nil {
		s.end(q, err)
	}
}

// answer begins the choices of a request whose prompt is evaluated.
func (s *scheduler) answer(q *request) error {
	q.read = time.Now()
	q.usage.Prefill = q.read.Sub(q.started)
	q.stream.update(q.usage)
	s.remember(q, q.prompt)
	if q.Echo {
		q.tellPrompt()
	}
	if q.lent != nil {
		if err := s.lend(q); err != nil {
			return err
		}
	}
	if q.MaxTokens == 0 {
		for k := range q.N {
			ev := Event{Choice: k, Token: mpt.Token{ID: -1}, Why: mpt.EndedLimit}
			if q.Pooling != NoPooling {
				ev.Embedding = q.pool.vector()
			}
			q.stream.put(ev)
		}
		s.end(q, nil)
		return nil
	}
	for k := range q.N {
		x := q.prompt
		if k+1 < q.N {
			var err error
			if x, err = q.prompt.Fork(); err != nil {
				return err
			}
		} else {
			q.prompt = nil
		}
		c, err := q.newChoice(k, x)
		if err != nil {
			x.Close()
			return err
		}
		q.choices = append(q.choices, c)
	}
	s.running = append(s.running, q.choices...)
	return nil
}
