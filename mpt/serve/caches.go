package serve

import "sync"

// Caches are what the prefix caches of several engines have in common: one budget of memory,
// and one folder. An engine that asks for less than its equal part of the budget gets it: those
// that hold more give up what they used longest ago.
type Caches struct {
	opt CacheOptions

	mu     sync.Mutex
	most   int64 // the budget; 0: no engine has come yet
	shares map[*share]bool
	blocks *blocks // of dir; nil: not opened yet
}

// share is what the cache of an engine holds of the budget. Its fields are under the lock of
// [Caches]. A nil share is that of an engine alone.
type share struct {
	c     *Caches
	used  int64
	asked bool   // others want their part
	rouse func() // has the engine look for that
}

// CacheOptions are the choices of [NewCaches]: what [Options] has under the same names, for all
// engines together.
type CacheOptions struct {
	CacheBytes int64
	CacheDir   string
	DiskBytes  int64
}

// NewCaches returns caches that no engine has yet: see [Options].Caches.
func NewCaches(opt CacheOptions) *Caches {
	return &Caches{opt: opt, shares: map[*share]bool{}}
}

// join adds an engine, for which a budget of so many bytes was chosen. The smallest that any of
// them chooses is that of all.
func (c *Caches) join(budget int64, rouse func()) *share {
	s := &share{c: c, rouse: rouse}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.shares) == 0 || budget < c.most {
		c.most = budget
	}
	c.shares[s] = true
	if c.used() > c.most {
		c.ask(nil)
	}
	return s
}

// leave takes an engine out, whose cache is empty.
func (s *share) leave() {
	if s != nil {
		s.c.mu.Lock()
		defer s.c.mu.Unlock()
		delete(s.c.shares, s)
	}
}

func (c *Caches) used() (n int64) {
	for s := range c.shares {
		n += s.used
	}
	return n
}

// part is what every engine has a right to.
func (c *Caches) part() int64 { return max(c.most, 0) / int64(max(len(c.shares), 1)) }

// ask has all others that hold more than their part give up what is above it.
func (c *Caches) ask(who *share) {
	for s := range c.shares {
		if s != who && s.used > c.part() {
			s.asked = true
			s.rouse()
		}
	}
}

// claim sets what the engine's cache holds, if there is room for it.
func (s *share) claim(bytes int64) bool {
	if s == nil {
		return true
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if bytes > s.used && s.c.used()-s.used+bytes > s.c.most {
		if bytes <= s.c.part() {
			s.c.ask(s)
		}
		return false
	}
	s.used = bytes
	return true
}

// wanted reports whether others want their part, and what is left then.
func (s *share) wanted() (part int64, asked bool) {
	if s == nil {
		return 0, false
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	asked, s.asked = s.asked, false
	return s.c.part(), asked
}

// limit is the budget of all.
func (s *share) limit(alone int64) int64 {
	if s == nil {
		return alone
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.most
}

// open opens the folder, once.
func (c *Caches) open(dir string, bytes int64) (*blocks, error) {
	if c == nil {
		return openBlocks(dir, bytes)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blocks != nil {
		return c.blocks, nil
	}
	b, err := openBlocks(dir, bytes)
	if err == nil {
		c.blocks = b
	}
	return b, err
}
