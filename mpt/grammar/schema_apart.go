package grammar

import (
	"slices"
)

// checkApart refuses oneOf where it is not certain that a value obeys at most one of the
// schemas: which of them a text is about is not known before it ends.
func (s *schema) checkApart(choice *value, all []*value) error {
	defer func(r *SchemaError) { s.reason = r }(s.reason) // what is tried here is not what is wanted
	// Values that are listed were checked against all of the schema.
	if slices.ContainsFunc(all, func(v *value) bool { return listed(v) != nil }) {
		return nil
	}
	for i, a := range choice.items {
		for k, b := range choice.items[:i] {
			apart, err := s.apart([]*value{a}, []*value{b}, 0)
			if err != nil {
				return err
			}
			if !apart {
				return &SchemaError{choice.pointer, "it is not certain that no value obeys both " + choice.items[k].pointer +
					" and " + choice.items[i].pointer + ": use anyOf, or a property with another const in each"}
			}
		}
	}
	return nil
}

// mostApart is how deep properties are looked into.
const mostApart = 8

// apart reports whether it is certain that no value obeys both of two sets of schemas.
func (s *schema) apart(a, b []*value, depth int) (bool, error) {
	if depth > mostApart {
		return false, nil
	}
	as, err := s.choices(a, nil)
	if err != nil {
		return false, err
	}
	bs, err := s.choices(b, nil)
	if err != nil {
		return false, err
	}
	for _, x := range as {
		for _, y := range bs {
			if apart, err := s.apartPlain(x, y, depth); err != nil || !apart {
				return false, err
			}
		}
	}
	return true, nil
}

// mostChoices is how many combinations of alternatives are looked at.
const mostChoices = 64

// choices returns the sets of schemas, without alternatives, of which a value has to obey one.
// If there are too many, anything goes.
func (s *schema) choices(list, chosen []*value) (sets [][]*value, err error) {
	all, possible, err := s.expand(list)
	if err != nil || !possible {
		return nil, err
	}
	choice, _ := unchosen(all, chosen)
	if choice == nil {
		return [][]*value{all}, nil
	}
	for _, v := range choice.items {
		more, err := s.choices(append(slices.Clone(all), v), append(slices.Clone(chosen), choice))
		if err != nil {
			return nil, err
		}
		if sets = append(sets, more...); len(sets) > mostChoices {
			return [][]*value{nil}, nil
		}
	}
	return sets, nil
}

// apartPlain is apart for schemas without alternatives.
func (s *schema) apartPlain(a, b []*value, depth int) (bool, error) {
	if apart, err := s.apartListed(a, b); apart || err != nil {
		return apart, err
	}
	if apart, err := s.apartListed(b, a); apart || err != nil {
		return apart, err
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
		if apart, err := s.apartNumbers(a, b); err != nil || !apart {
			return false, err
		}
	}
	if both&kindString != 0 {
		if apart, err := s.apartStrings(a, b); err != nil || !apart {
			return false, err
		}
	}
	if both&kindObject != 0 {
		return s.apartObjects(a, b, depth)
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

// apartListed reports whether a lists values that do not obey b.
func (s *schema) apartListed(a, b []*value) (bool, error) {
	values, is, err := s.finite(a)
	if err != nil || !is {
		return false, err
	}
	for _, x := range values {
		obeys := true
		for _, v := range b {
			if obeys, err = s.obeys(x.plain(), v); err != nil || !obeys {
				break
			}
		}
		if err != nil || obeys {
			return false, err
		}
	}
	return true, nil
}

// apartNumbers reports whether all numbers of one are smaller than those of the other.
func (s *schema) apartNumbers(a, b []*value) (bool, error) {
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

// apartStrings reports whether no string obeys both.
func (s *schema) apartStrings(a, b []*value) (bool, error) {
	d, least, most, err := s.stringOf(slices.Concat(a, b))
	if err != nil {
		return false, err
	}
	if d == nil {
		return most >= 0 && least > most, nil
	}
	return d.Empty(), nil
}

// apartObjects looks for a name that has to be in one of two objects, and whose value tells
// them apart, or that must not be in the other.
func (s *schema) apartObjects(a, b []*value, depth int) (bool, error) {
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
			if apart, err := s.apart(in, inOther, depth+1); apart || err != nil {
				return apart, err
			}
		}
	}
	return false, nil
}
