package mpt

// ahead is what a session has evaluated beyond its tokens: guesses of those that come, see
// [Step.Draft]. Their keys and values lie in the session's pages behind its own. A row's bits
// depend on what is before it alone, so a guess that comes true need not be evaluated again, and
// nobody can tell. Whatever else changes the tokens forgets it.
type ahead struct {
	ids  []int32
	rows [][]float32 // rows[i]: the logits after ids[i]; there may be more rows
	next int         // of ids: those before it have come true

	drafted, accepted int // tokens so far
}

// keep keeps the logits after guess i.
func (a *ahead) keep(i int, logits []float32) {
	for len(a.rows) <= i {
		a.rows = append(a.rows, nil)
	}
	a.rows[i] = append(a.rows[i][:0], logits...)
}

// set says that these guesses are evaluated.
func (a *ahead) set(ids []int32) {
	a.ids, a.next = append(a.ids[:0], ids...), 0
	a.drafted += len(ids)
}

func (a *ahead) forget() { a.ids, a.next = a.ids[:0], 0 }

// knows reports whether id follows the session's tokens and is evaluated.
func (a *ahead) knows(id int32) bool { return a.next < len(a.ids) && a.ids[a.next] == id }

// advance makes a token that was guessed a part of the session. It reports whether it was.
func (s *Session) advance(id int32) bool {
	a := &s.ahead
	if !a.knows(id) || len(s.tokens) >= s.context {
		return false
	}
	s.tokens = append(s.tokens, id)
	s.logits, a.rows[a.next] = a.rows[a.next], s.logits
	s.valid = true
	a.next++
	a.accepted++
	return true
}

// advance makes the first tokens of a step, as far as they were guessed, a part of its session.
func (s *Step) advance() {
	for s.Logits == LastLogits && s.Done < len(s.IDs) && s.Session.advance(s.IDs[s.Done]) {
		s.Done++
	}
}

// forgetAhead gives up what is evaluated beyond the session's tokens.
func (s *Session) forgetAhead() {
	s.ahead.forget()
	s.cache.truncate(len(s.tokens))
}

// ForgetDraft gives up what guesses have taken: pages of keys and values, and logits. It
// reports whether there was anything. See [Step.Draft].
func (s *Session) ForgetDraft() bool {
	if s.enter() != nil {
		return false
	}
	defer s.leave()
	had := len(s.ahead.rows) > 0 || len(s.cache.pages) > pagesFor(len(s.tokens))
	s.forgetAhead()
	s.ahead.rows = nil
	return had
}

// draft returns how many of the guesses of a step, which puts its last n tokens into a batch
// with room for so many more, are evaluated with them. There are none where others would see
// them: in the sums of inputs.
func (s *Step) draft(n, room int) int {
	x := s.Session
	if s.Logits != LastLogits || s.Done+n < len(s.IDs) || x.sums != nil {
		return 0
	}
	most := min(len(s.Draft), room, x.context-len(x.tokens)-n)
	for k := range max(most, 0) {
		if id := s.Draft[k]; id < 0 || int(id) >= x.m.config.Vocab {
			return k
		}
	}
	return max(most, 0)
}
