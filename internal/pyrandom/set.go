package pyrandom

// Set is a set of integers that are not negative, whose items are visited in CPython's
// order: that of a hash table, which depends on what was added and removed before.
type Set struct {
	slots []int // an item, or one of the two below
	items int
	fill  int // slots that are or were in use
}

const (
	unused  = -1
	removed = -2

	// linearProbes is how many neighbours of a slot are tried before it jumps.
	linearProbes = 9
)

// NewSet returns a set to which items are added one after the other.
func NewSet(items ...int) *Set {
	s := &Set{slots: newSlots(8)}
	for _, v := range items {
		s.Add(v)
	}
	return s
}

func newSlots(n int) []int {
	slots := make([]int, n)
	for i := range slots {
		slots[i] = unused
	}
	return slots
}

// Len returns the number of items.
func (s *Set) Len() int { return s.items }

// Has reports whether v is in the set.
func (s *Set) Has(v int) bool {
	found := false
	s.probe(v, func(i int) bool {
		found = s.slots[i] == v
		return found || s.slots[i] == unused
	})
	return found
}

// probe calls stop for the slots where v may be, in order, until it returns true.
func (s *Set) probe(v int, stop func(i int) bool) {
	mask := uint(len(s.slots) - 1)
	perturb := uint(v)
	for i := perturb & mask; ; i = (i*5 + 1 + perturb) & mask {
		n := uint(0)
		if i+linearProbes <= mask {
			n = linearProbes
		}
		for j := i; j <= i+n; j++ {
			if stop(int(j)) {
				return
			}
		}
		perturb >>= 5
	}
}

// Add adds v, which must not be negative.
func (s *Set) Add(v int) {
	dummy, at, there := -1, -1, false
	s.probe(v, func(i int) bool {
		switch s.slots[i] {
		case v:
			there = true
		case unused:
			at = i
		case removed:
			dummy = i
			return false
		default:
			return false
		}
		return true
	})
	if there {
		return
	}
	s.items++
	if dummy >= 0 {
		s.slots[dummy] = v
		return
	}
	s.slots[at] = v
	s.fill++
	if mask := len(s.slots) - 1; s.fill*5 >= mask*3 {
		s.grow()
	}
}

// grow moves the items, in table order, to a larger table.
func (s *Set) grow() {
	least := 4 * s.items
	if s.items > 50000 {
		least = 2 * s.items
	}
	size := 8
	for size <= least {
		size <<= 1
	}
	old := s.slots
	s.slots, s.items, s.fill = newSlots(size), 0, 0
	for _, v := range old {
		if v >= 0 {
			s.insertClean(v)
		}
	}
}

// insertClean adds an item to a table that has room and no removed ones.
func (s *Set) insertClean(v int) {
	s.probe(v, func(i int) bool {
		if s.slots[i] != unused {
			return false
		}
		s.slots[i] = v
		return true
	})
	s.items++
	s.fill++
}

// Remove removes v if it is there.
func (s *Set) Remove(v int) {
	s.probe(v, func(i int) bool {
		if s.slots[i] == v {
			s.slots[i] = removed
			s.items--
			return true
		}
		return s.slots[i] == unused
	})
}

// Items returns the items in the order of CPython's iteration.
func (s *Set) Items() []int {
	list := make([]int, 0, s.items)
	for _, v := range s.slots {
		if v >= 0 {
			list = append(list, v)
		}
	}
	return list
}
