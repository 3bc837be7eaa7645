package mpt

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"mptgo/ggml"
	"mptgo/internal/slab"
)

// page holds the keys and values of [ggml.PageSize] positions in all layers. Sequences
// share it: whoever holds it counts, and only a sole holder may write.
type page struct {
	layers []ggml.KVPage
	refs   atomic.Int32
	slab   *pageSlab
}

// shared reports whether somebody else holds the page, too.
func (p *page) shared() bool { return p.refs.Load() > 1 }

// pageSlab is memory for some pages.
type pageSlab struct {
	mem  []byte
	used int // pages that are held
}

const (
	// slabBytes is how large a slab is at least: pages of a small model share one.
	slabBytes = 1 << 20
	// The pages of a slab begin at one of some distances from its start, which is at a page
	// of the system. Without that the parts of a head in all large pages of a model would
	// compete for the same lines of a cache, whose number is a power of two.
	pageShift, pageShifts = 4096 + 64, 16
	// spareSlabs is how many unused slabs are kept for pages to come, as long as others are
	// in use, and spareShare which part of the used pages' memory they may take beyond that:
	// memory that comes anew from the system costs more than the copy that is made in it.
	spareSlabs, spareShare = 2, 2
)

// pagePool is where a model's sequences take pages from and give them back to.
type pagePool struct {
	kv     ggml.KV // how a layer's keys and values are kept: without pages
	layers int
	work   *ggml.Pool // copies pages
	tenant *tenant    // counts them for a host; nil: there is none

	mu      sync.Mutex
	reclaim func() bool // has a draft model give its pages back; nil: there is none
	lender  *pagePool   // whose account the pages are in, too: that of the model drafted for; nil: none
	lent    int64       // bytes in this account that pages of a draft model take
	most    int64       // bytes that all pages may take; negative: not limited
	used    int         // pages that are held
	free    []*page     // unused ones of slabs
	spare   int         // slabs without used pages
	shifts  int
}

// pageBytes returns the size of a page.
func (p *pagePool) pageBytes() int64 { return int64(p.layers) * int64(p.kv.PageBytes()) }

// errNoPage says that all the memory for pages is taken.
var errNoPage = errors.New("no memory is left for keys and values")

// take returns a page that nobody else holds. What it contains is of no meaning. If there is none
// left a draft model gives way.
func (p *pagePool) take() (*page, error) {
	p.mu.Lock()
	x, err := p.takeOne()
	reclaim := p.reclaim
	p.mu.Unlock()
	if err == errNoPage && reclaim != nil && reclaim() {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.takeOne()
	}
	return x, err
}

// takeOne is take for who holds mu.
func (p *pagePool) takeOne() (*page, error) {
	if p.most >= 0 && int64(p.used+1)*p.pageBytes()+p.lent > p.most {
		return nil, errNoPage
	}
	if !p.tenant.take(p.pageBytes()) {
		return nil, errNoPage
	}
	if p.lender != nil {
		if err := p.lender.borrow(p.pageBytes()); err != nil {
			p.tenant.give(p.pageBytes())
			return nil, err
		}
	}
	if len(p.free) == 0 {
		if err := p.grow(); err != nil {
			p.giveUp()
			return nil, err
		}
	}
	last := len(p.free) - 1
	taken := p.free[last]
	p.free = p.free[:last]
	if taken.slab.used == 0 {
		p.spare--
	}
	taken.slab.used++
	p.used++
	taken.refs.Store(1)
	return taken, nil
}

// giveUp takes a page out of the accounts that it is in.
func (p *pagePool) giveUp() {
	p.tenant.give(p.pageBytes())
	if p.lender != nil {
		p.lender.giveBack(p.pageBytes())
	}
}

// grow adds a slab of pages to the free ones.
func (p *pagePool) grow() error {
	size := int(p.pageBytes())
	n := p.perSlab()
	mem, err := slab.Alloc(n*size + pageShift*pageShifts)
	if err != nil {
		return fmt.Errorf("memory for keys and values: %w", err)
	}
	s := &pageSlab{mem: mem}
	at := mem[p.shifts%pageShifts*pageShift:]
	p.shifts++
	for range n {
		p.free = append(p.free, p.newPage(s, at[:size]))
		at = at[size:]
	}
	p.spare++
	return nil
}

// perSlab returns how many pages a slab has.
func (p *pagePool) perSlab() int { return max(slabBytes/max(int(p.pageBytes()), 1), 1) }

func (p *pagePool) newPage(s *pageSlab, mem []byte) *page {
	n := &page{slab: s, layers: make([]ggml.KVPage, p.layers)}
	layer := p.kv.PageBytes()
	for i := range n.layers {
		n.layers[i] = p.kv.PageIn(mem[i*layer : (i+1)*layer])
	}
	return n
}

// release gives up one hold of a page, which goes back to the pool with the last.
func (p *pagePool) release(x *page) {
	if x.refs.Add(-1) > 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	p.giveUp()
	x.slab.used--
	p.free = append(p.free, x)
	if x.slab.used > 0 {
		return
	}
	p.spare++
	if p.used == 0 {
		p.drop(0)
	} else {
		p.drop(spareSlabs + p.used/p.perSlab()/spareShare)
	}
}

// drop gives the memory of slabs without used pages back to the system, but for some.
func (p *pagePool) drop(keep int) {
	if p.spare <= keep {
		return
	}
	for _, x := range p.free {
		if p.spare > keep && x.slab.used == 0 && x.slab.mem != nil {
			slab.Free(x.slab.mem)
			x.slab.mem = nil
			p.spare--
		}
	}
	p.free = slices.DeleteFunc(p.free, func(x *page) bool { return x.slab.mem == nil })
}

// inUse returns how many bytes of pages are held, those of a draft model too.
func (p *pagePool) inUse() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.used)*p.pageBytes() + p.lent
}

// limit sets how many bytes all pages may take.
func (p *pagePool) limit(most int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = most
}
