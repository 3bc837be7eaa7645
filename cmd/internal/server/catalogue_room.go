package server

// shed has the model that was asked for longest ago, of those that are not among spared yet, give up
// what it keeps for later: its prefixes in memory, and what its draft model has read. It reports
// whether there was anything.
func (c *catalogue) shed(spared map[*entry]bool) bool {
	for {
		c.mu.Lock()
		old := c.oldest(spared)
		c.mu.Unlock()
		if old == nil {
			return false
		}
		spared[old] = true
		_, m := c.now(old)
		if m == nil {
			continue
		}
		had := m.Engine.Shed()
		c.release(old)
		if had {
			c.log.Info("the model has given up its caches for another", "model", old.Names[0])
			return true
		}
	}
}

// oldest returns the model that was asked for longest ago, of those that take memory and are not among
// some, one that nobody uses if there is any; nil: there is none. The caller has the lock.
func (c *catalogue) oldest(but map[*entry]bool) (old *entry) {
	for _, e := range c.all {
		if e.m != nil && e.Load != nil && !but[e] && (old == nil || e.before(old)) {
			old = e
		}
	}
	return old
}

// loaded counts the models that take memory.
func (c *catalogue) loaded() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.all {
		if e.m != nil {
			n++
		}
	}
	return n
}

// dropOldest unloads the model that was asked for longest ago, one that nobody uses if there
// is any, and waits until that is done. It reports whether there was one.
func (c *catalogue) dropOldest() bool {
	c.mu.Lock()
	old := c.oldest(nil)
	if old != nil {
		c.unload(old)
	}
	c.mu.Unlock()
	if old == nil {
		return false
	}
	c.await(old, func() bool { return old.m == nil })
	return true
}

// before reports whether e is to be unloaded rather than f: nobody uses it, or it was asked for
// longer ago. The caller has the lock.
func (e *entry) before(f *entry) bool {
	if (e.users == 0) != (f.users == 0) {
		return e.users == 0
	}
	return e.used < f.used
}
