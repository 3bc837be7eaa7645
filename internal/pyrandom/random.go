// Package pyrandom draws what CPython's random.Random draws, and keeps sets of small
// integers in the order in which CPython visits them. Published evaluations choose their
// examples by both.
package pyrandom

import (
	"fmt"
	"math/bits"
)

const (
	stateWords = 624
	shiftWords = 397
)

// Random is a Mersenne Twister (MT19937) as CPython seeds and reads it. It serves one
// goroutine at a time.
type Random struct {
	state [stateWords]uint32
	next  int
}

// New returns the generator random.Random(seed).
func New(seed uint64) *Random {
	key := []uint32{uint32(seed)}
	if high := uint32(seed >> 32); high != 0 {
		key = append(key, high)
	}
	r := &Random{}
	r.byArray(key)
	return r
}

// byNumber fills the state by one number (init_genrand).
func (r *Random) byNumber(s uint32) {
	for i := range r.state {
		if i > 0 {
			p := r.state[i-1]
			s = 1812433253*(p^p>>30) + uint32(i)
		}
		r.state[i] = s
	}
	r.next = stateWords
}

// byArray fills the state by the words of a key (init_by_array).
func (r *Random) byArray(key []uint32) {
	const last = stateWords - 1
	r.byNumber(19650218)
	s, i, j := &r.state, 1, 0
	step := func() {
		if i++; i > last {
			s[0], i = s[last], 1
		}
	}
	for range max(stateWords, len(key)) {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1664525) + key[j] + uint32(j)
		step()
		j = (j + 1) % len(key)
	}
	for range last {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1566083941) - uint32(i)
		step()
	}
	s[0] = 1 << 31
}

// Uint32 returns the next output, getrandbits(32).
func (r *Random) Uint32() uint32 {
	if r.next == stateWords {
		r.twist()
	}
	y := r.state[r.next]
	r.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (r *Random) twist() {
	s := &r.state
	for i := range s {
		y := s[i]&(1<<31) | s[(i+1)%stateWords]&(1<<31-1)
		v := s[(i+shiftWords)%stateWords] ^ y>>1
		if y&1 != 0 {
			v ^= 0x9908b0df
		}
		s[i] = v
	}
	r.next = 0
}

// Below returns a number below n, randrange(n). It panics unless 0 < n < 2^32.
func (r *Random) Below(n int) int {
	if n < 1 || uint64(n) > 1<<32-1 {
		panic(fmt.Sprintf("pyrandom: a number below %d", n))
	}
	k := bits.Len32(uint32(n))
	for {
		if v := int(r.Uint32() >> (32 - k)); v < n {
			return v
		}
	}
}

// Sample returns k different numbers below n in the order in which they are drawn,
// sample(range(n), k). It panics unless 0 <= k <= n.
func (r *Random) Sample(n, k int) []int {
	if k < 0 || k > n {
		panic(fmt.Sprintf("pyrandom: a sample of %d of %d", k, n))
	}
	drawn := make([]int, 0, k)
	if n > poolLimit(k) {
		seen := make(map[int]bool, k)
		for len(drawn) < k {
			if j := r.Below(n); !seen[j] {
				seen[j] = true
				drawn = append(drawn, j)
			}
		}
		return drawn
	}
	pool := make([]int, n)
	for i := range pool {
		pool[i] = i
	}
	for i := range k {
		j := r.Below(n - i)
		drawn = append(drawn, pool[j])
		pool[j] = pool[n-i-1]
	}
	return drawn
}

// poolLimit is the largest population that is drawn from a list of its numbers: beyond
// it CPython keeps a set of those that are drawn, which is smaller then.
func poolLimit(k int) int {
	limit := 21
	if k > 5 {
		power := 4
		for power <= 3*k {
			power *= 4
		}
		limit += power
	}
	return limit
}
