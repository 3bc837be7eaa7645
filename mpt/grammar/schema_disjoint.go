package grammar

import (
	"slices"
)

// checkDisjoint refuses oneOf where it is not certain that a value obeys at most one of the
// schemas: which of them a text is about is not known before it ends. all are the schemas that
// the value obeys besides.
func (s *schema) checkDisjoint(c choice, all []*value, chosen []choice) error {
	// Values that are listed were checked against all of the schema.
	if slices.ContainsFunc(all, lists) {
		return nil
	}
	items := c.items()
	if listsDisjoint(items) {
		return nil
	}
	defer func(r int32) { s.filling = r }(s.filling)
	s.filling = -1
	sets := make([][][]*value, len(items))
	for i, v := range items {
		left, ok, err := mostChoices, false, error(nil)
		if sets[i], ok, err = s.choices(append(slices.Clone(all), v), chosen, &left); err != nil {
			return err
		}
		if !ok {
			sets[i] = [][]*value{nil} // anything
		}
		for k := range i {
			disjoint, err := s.disjointSets(sets[k], sets[i], 0)
			if err != nil {
				return err
			}
			if !disjoint {
				return failAt(c.of, c.keyword,
					"it is not certain that no value obeys both alternatives %d and %d: use anyOf, "+
						"or a property with another const in each", k, i)
			}
		}
	}
	return nil
}

// listsDisjoint reports whether each of some schemas lists its values, and no value is in two of
// the lists.
func listsDisjoint(items []*value) bool {
	in := map[string]int{}
	for i, v := range items {
		values := listed(v)
		if values == nil {
			return false
		}
		for _, x := range values {
			key, ok := scalarKey(x)
			if k, there := in[key]; !ok || there && k != i {
				return false
			}
			in[key] = i
		}
	}
	return true
}

func lists(v *value) bool { return listed(v) != nil }

// scalarKey returns a text that is the same for equal values.
func scalarKey(v *value) (key string, ok bool) {
	switch v.kind {
	case isObject, isArray:
		return "", false
	case isNumber:
		n, ok := number(v.text)
		if !ok {
			return "", false
		}
		return n.RatString(), true
	}
	return scalar(v), true
}

// mostDisjoint is how deep properties are looked into.
const mostDisjoint = 4

// disjoint reports whether it is certain that no value obeys both of two sets of schemas.
func (s *schema) disjoint(a, b []*value, depth int) (bool, error) {
	if depth > mostDisjoint {
		return false, nil
	}
	left := mostChoices
	as, ok, err := s.choices(a, nil, &left)
	if err != nil || !ok {
		return false, err
	}
	bs, ok, err := s.choices(b, nil, &left)
	if err != nil || !ok {
		return false, err
	}
	return s.disjointSets(as, bs, depth)
}

// disjointSets is disjoint for sets of which a value obeys one each.
func (s *schema) disjointSets(as, bs [][]*value, depth int) (bool, error) {
	for _, x := range as {
		for _, y := range bs {
			if err := s.budget.Spend(10); err != nil {
				return false, err
			}
			if disjoint, err := s.disjointPlain(x, y, depth); err != nil || !disjoint {
				return false, err
			}
		}
	}
	return true, nil
}

// mostChoices is how many combinations of alternatives are looked at.
const mostChoices = 64

// choices returns the sets of schemas, without alternatives, of which a value has to obey one;
// not ok: there are too many.
func (s *schema) choices(list []*value, chosen []choice, left *int) (sets [][]*value, ok bool, err error) {
	all, possible, err := s.conjuncts(list)
	if err != nil || !possible {
		return nil, true, err
	}
	c, open := unchosen(all, chosen)
	if !open {
		*left--
		return [][]*value{all}, *left >= 0, nil
	}
	chosen = append(slices.Clone(chosen), c)
	for _, v := range c.items() {
		more, ok, err := s.choices(append(slices.Clone(all), v), chosen, left)
		if err != nil || !ok {
			return nil, false, err
		}
		sets = append(sets, more...)
	}
	return sets, true, nil
}

// disjointPlain is disjoint for schemas without alternatives.
func (s *schema) disjointPlain(a, b []*value, depth int) (bool, error) {
	if x, y := slices.IndexFunc(a, lists), slices.IndexFunc(b, lists); x >= 0 && y >= 0 && listsDisjoint([]*value{a[x], b[y]}) {
		return true, nil
	}
	if disjoint, err := s.disjointListed(a, b); disjoint || err != nil {
		return disjoint, err
	}
	if disjoint, err := s.disjointListed(b, a); disjoint || err != nil {
		return disjoint, err
	}
	ours, err := s.types(a)
	if err != nil {
		return false, err
	}
	theirs, err := s.types(b)
	if err != nil {
		return false, err
	}
	both := ours&namedTypes(b) | theirs&namedTypes(a)
	if both&(kindNull|kindBoolean|kindArray) != 0 {
		return false, nil
	}
	if both&(kindInteger|kindNumber) != 0 {
		if disjoint, err := s.disjointNumbers(a, b); err != nil || !disjoint {
			return false, err
		}
	}
	if both&kindString != 0 {
		if disjoint, err := s.disjointStrings(a, b); err != nil || !disjoint {
			return false, err
		}
	}
	if both&kindObject != 0 {
		return s.disjointObjects(a, b, depth)
	}
	return true, nil
}

// namedTypes returns the types that schemas allow by name.
func namedTypes(all []*value) kinds {
	types := anyKind
	for _, v := range all {
		t, _ := typesOf(v)
		types &= t
	}
	return types
}

// disjointListed reports whether a lists values that do not obey b.
func (s *schema) disjointListed(a, b []*value) (bool, error) {
	values, is, err := s.finite(a)
	if err != nil || !is {
		return false, err
	}
	for _, x := range values {
		obeys := true
		for _, v := range b {
			if obeys, err = s.obeys(x.decoded(), v); err != nil || !obeys {
				break
			}
		}
		if err != nil || obeys {
			return false, err
		}
	}
	return true, nil
}

// disjointNumbers reports whether all numbers of one are smaller than those of the other.
func (s *schema) disjointNumbers(a, b []*value) (bool, error) {
	x, err := s.limits(a)
	if err != nil {
		return false, err
	}
	y, err := s.limits(b)
	if err != nil {
		return false, err
	}
	return below(x, y) || below(y, x), nil
}

// below reports whether what is within x is smaller than what is within y.
func below(x, y limits) bool {
	if x.high == nil || y.low == nil {
		return false
	}
	c := x.high.Cmp(y.low)
	return c < 0 || c == 0 && (x.highOpen || y.lowOpen)
}

// disjointStrings reports whether no string obeys both.
func (s *schema) disjointStrings(a, b []*value) (bool, error) {
	d, least, most, err := s.stringOf(slices.Concat(a, b))
	if err != nil {
		return false, err
	}
	if d == nil {
		return most >= 0 && least > most, nil
	}
	return d.Empty(), nil
}

// disjointObjects looks for a name that has to be in one of two objects, and whose value tells
// them apart, or that must not be in the other.
func (s *schema) disjointObjects(a, b []*value, depth int) (bool, error) {
	x, y := &object{all: a, required: map[string]bool{}}, &object{all: b, required: map[string]bool{}}
	x.find()
	y.find()
	for _, name := range slices.Concat(x.names, y.names) {
		if !x.required[name] && !y.required[name] {
			continue
		}
		in, possible, err := s.member(x, name)
		if err != nil {
			return false, err
		}
		inOther, possibleOther, err := s.member(y, name)
		if err != nil {
			return false, err
		}
		if x.required[name] && !possibleOther || y.required[name] && !possible {
			return true, nil
		}
		if len(in) > 0 && len(inOther) > 0 {
			if disjoint, err := s.disjoint(in, inOther, depth+1); disjoint || err != nil {
				return disjoint, err
			}
		}
	}
	return false, nil
}
