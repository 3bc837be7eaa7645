package serve

import (
	"slices"

	"mptgo/mpt"
)

// Forget drops a sequence from the caches, and what it begins with as far as no other one does.
func (e *Engine) Forget(x Sequence) error {
	if x.Adapters == nil {
		x.Adapters = e.m.Adapters()
	}
	group, shared := groupOf(x.Salt, x.Adapters), 0
	if err := e.do(func(s *scheduler) {
		s.cache.forget(group, x.Tokens)
		_, shared = s.cache.find(group, x.Tokens)
		if s.disk != nil {
			s.disk.forget(group, x.Tokens)
		}
	}); err != nil || e.sched.disk == nil {
		return err
	}
	f, err := e.m.NewSession(mpt.NoReserve())
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.SetAdapters(x.Adapters...); err != nil {
		return err
	}
	c, err := newChain(f, e.m, x.Salt)
	if err != nil {
		return err
	}
	for _, name := range c.names(x.Tokens)[shared/blockTokens:] {
		e.sched.disk.blocks.drop(name)
	}
	return nil
}

// forget removes the entries that ids begin with.
func (p *prefixes) forget(group string, ids []int32) {
	for _, x := range slices.Clone(p.groups[group]) {
		if startsWith(ids, x.ids) {
			p.remove(x)
		}
	}
}

// forget has nothing be written that ids begin with.
func (d *disk) forget(group string, ids []int32) {
	d.unsaved = slices.DeleteFunc(d.unsaved, func(u unsaved) bool { return u.group == group && startsWith(ids, u.ids) })
	if d.saving != nil && d.saving.group == group && startsWith(ids, d.saving.ids) {
		d.yield.Store(true)
	}
}
