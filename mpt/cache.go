package mpt

import "mptgo/ggml"

// cache holds the keys and values of a sequence's tokens, in pages of [ggml.PageSize]
// positions. Pages may be shared with other caches; a shared page is copied before it is
// written to.
type cache struct {
	pool   *pagePool
	pages  []*page
	layers []*ggml.KV // the same pages by layer, for those that have keys of their own
}

// newCache returns an empty cache.
func (m *Model) newCache() cache {
	c := cache{pool: m.pages, layers: make([]*ggml.KV, m.pages.layers)}
	kvs := make([]ggml.KV, len(c.layers))
	for i := range c.layers {
		kvs[i] = m.pages.kv
		c.layers[i] = &kvs[i]
	}
	return c
}

// pagesFor returns how many pages n positions take.
func pagesFor(n int) int { return (n + ggml.PageSize - 1) / ggml.PageSize }

// prepare makes positions [from, to) writable. If it fails, the cache has no page more than
// before.
func (c *cache) prepare(from, to int) error {
	had := len(c.pages)
	for i := from / ggml.PageSize; i < pagesFor(to); i++ {
		if i < len(c.pages) && !c.pages[i].shared() {
			continue
		}
		p, err := c.pool.take()
		if err != nil {
			c.truncate(had * ggml.PageSize)
			return err
		}
		if i == len(c.pages) {
			c.push(p)
			continue
		}
		if err := c.replace(i, p); err != nil {
			c.pool.release(p)
			c.truncate(had * ggml.PageSize)
			return err
		}
	}
	return nil
}

// replace puts a copy of page i, made in p, in its place. It takes as long as reading some
// megabytes, so all threads do it.
func (c *cache) replace(i int, p *page) error {
	old := c.pages[i]
	err := c.pool.work.Run(len(p.layers), func(layer, _ int) { p.layers[layer].Copy(&old.layers[layer]) })
	if err != nil {
		return err
	}
	for layer, kv := range c.layers {
		kv.Replace(i, &p.layers[layer])
	}
	c.pages[i] = p
	c.pool.release(old)
	return nil
}

// push appends a page.
func (c *cache) push(p *page) {
	c.pages = append(c.pages, p)
	for i, kv := range c.layers {
		kv.Push(&p.layers[i])
	}
}

// fork returns a cache with the same content up to position n. Both share the
// pages from now on.
func (c *cache) fork(f cache, n int) cache {
	for _, p := range c.pages[:pagesFor(n)] {
		p.refs.Add(1)
		f.push(p)
	}
	return f
}

// truncate releases the pages that lie wholly behind position n.
func (c *cache) truncate(n int) {
	keep := min(pagesFor(n), len(c.pages))
	for _, p := range c.pages[keep:] {
		c.pool.release(p)
	}
	clear(c.pages[keep:])
	c.pages = c.pages[:keep]
	for _, kv := range c.layers {
		kv.Truncate(keep)
	}
}

// drop removes positions [from, to) of n and moves the later ones forward. It
// is right only where keys do not depend on their position, as with ALiBi.
func (c *cache) drop(pool *ggml.Pool, from, to, n int) error {
	if err := c.prepare(from, n-(to-from)); err != nil { // what lies behind is only read
		return err
	}
	err := pool.Run(len(c.layers), func(layer, _ int) {
		c.layers[layer].Move(from, to, n-to)
	})
	if err != nil {
		return err // the session still counts n positions
	}
	c.truncate(n - (to - from))
	return nil
}
