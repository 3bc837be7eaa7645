package mpt

import "mptgo/ggml"

// cache holds the keys and values of a session's tokens, in pages of
// ggml.Chunk positions for every layer that has some of its own. Pages may be shared with forks; a
// shared page is copied before it is written to.
type cache struct {
	layers []*ggml.KV
	owned  []bool // by page: no other cache can see it
}

// newCache returns an empty cache.
func (m *Model) newCache() cache {
	c := cache{layers: make([]*ggml.KV, m.config.caches())}
	for i := range c.layers {
		c.layers[i] = m.layerCache()
	}
	return c
}

// layerCache returns the empty cache of a layer.
func (m *Model) layerCache() *ggml.KV {
	return &ggml.KV{KeyType: m.opt.keys, ValueType: m.opt.values, Heads: m.config.KVHeads, Dim: m.config.HeadDim}
}

// prepare makes positions [from, to) writable.
func (c *cache) prepare(from, to int) {
	for page := from / ggml.Chunk; page*ggml.Chunk < to; page++ {
		switch {
		case page == len(c.owned):
			c.grow()
		case !c.owned[page]:
			c.own(page)
		}
	}
}

// grow appends an empty page to every layer.
func (c *cache) grow() {
	for _, kv := range c.layers {
		kv.Pages = append(kv.Pages, ggml.NewKVPage(kv))
	}
	c.owned = append(c.owned, true)
}

// own replaces a shared page by a copy.
func (c *cache) own(page int) {
	for _, kv := range c.layers {
		kv.Pages[page] = kv.Pages[page].Clone()
	}
	c.owned[page] = true
}

// fork returns a cache with the same content up to position n. Both share the
// pages from now on.
func (c *cache) fork(n int) cache {
	pages := (n + ggml.Chunk - 1) / ggml.Chunk
	f := cache{layers: make([]*ggml.KV, len(c.layers)), owned: make([]bool, pages)}
	for i, kv := range c.layers {
		copied := *kv
		copied.Pages = append([]*ggml.KVPage(nil), kv.Pages[:pages]...)
		f.layers[i] = &copied
	}
	for page := range pages {
		c.owned[page] = false
	}
	return f
}

// truncate releases the pages that lie wholly behind position n.
func (c *cache) truncate(n int) {
	pages := (n + ggml.Chunk - 1) / ggml.Chunk
	for _, kv := range c.layers {
		clear(kv.Pages[pages:])
		kv.Pages = kv.Pages[:pages]
	}
	c.owned = c.owned[:pages]
}

// drop removes positions [from, to) of n and moves the later ones forward. It
// is right only where keys do not depend on their position, as with ALiBi.
func (c *cache) drop(pool *ggml.Pool, from, to, n int) error {
	c.prepare(from, n)
	err := pool.Run(len(c.layers), func(layer, _ int) {
		ggml.MovePositions(c.layers[layer], from, to, n-to)
	})
	if err != nil {
		return err // the session still counts n positions
	}
	c.truncate(n - (to - from))
	return nil
}
