package mpt

import "errors"

// joinAccount has a model that drafts for another take its memory from that one's account: the
// weights and activations at once, keys and values as they come.
func (m *Model) joinAccount(target *Model) error {
	m.mu.Lock()
	target.mu.Lock()
	open := len(m.sessions) + len(target.sessions)
	target.mu.Unlock()
	m.mu.Unlock()
	if open > 0 {
		return errors.New("mpt: a draft model has to be given before sessions are opened")
	}
	if m.tenant != nil || target.tenant != nil {
		return m.joinHost(target)
	}
	arena, err := m.arena()
	if err != nil {
		return err
	}
	target.drafts = m.file.Size() + arena
	target.limitPages()
	m.pages.lender = target.pages
	m.opt.memory = nil // the other's account says what there is
	return nil
}

// joinHost is joinAccount for models of a host, whose account both are in already.
func (m *Model) joinHost(target *Model) error {
	if m.tenant == nil || target.tenant == nil || m.tenant.h != target.tenant.h {
		return errors.New("mpt: a draft model has to be on the host of its model")
	}
	if err := target.budget(); err != nil { // the target opens the account, which asks the system how much there is
		return err
	}
	m.limitPages()
	m.opt.memory = nil
	return nil
}

// borrow takes memory from another pool's account, for a page of a draft model.
func (p *pagePool) borrow(n int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most >= 0 && int64(p.used)*p.pageBytes()+p.lent+n > p.most {
		return errNoPage
	}
	p.lent += n
	return nil
}

// reclaimBy sets what is asked for memory before a page is refused.
func (p *pagePool) reclaimBy(f func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reclaim = f
}

func (p *pagePool) giveBack(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent -= n
}
