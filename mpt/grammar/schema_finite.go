package grammar

import (
	"cmp"
	"fmt"
	"slices"
)

// finite returns the values that schemas list with enum or const, if they do: those that obey
// all of the schemas.
func (s *schema) finite(all []*value) (values []*value, is bool, err error) {
	for _, v := range all {
		list := listed(v)
		if list == nil {
			continue
		}
		if !is || len(list) < len(values) {
			values, is = list, true
		}
	}
	if !is {
		return nil, false, nil
	}
	for _, x := range values {
		if n := tooLargeNumber(x); n != "" {
			return nil, true, &SchemaError{x.pointer, fmt.Sprintf("%.40s is too large, or has too many digits", n)}
		}
	}
	kept := values
	for _, v := range all {
		if kept, err = s.obeying(kept, v, onlyLists(v, values)); err != nil {
			return nil, true, err
		}
	}
	if len(kept) == 0 {
		s.noteImpossible(all[0], "", "none of the values of enum or const obeys the rest of it")
	}
	return kept, true, nil
}

// obeying returns the values that obey a schema, which may say nothing but their types.
func (s *schema) obeying(values []*value, v *value, onlyTypes bool) (kept []*value, err error) {
	types, _ := typesOf(v)
	for _, x := range values {
		ok := kindsOf(x)&types != 0
		if !onlyTypes {
			if err := s.budget.Spend(200 + len(values)); err != nil {
				return nil, s.large([]*value{v}, "enum", err)
			}
			if ok, err = s.obeys(x.decoded(), v); err != nil {
				return nil, err
			}
		}
		if ok {
			kept = append(kept, x)
		}
	}
	return kept, nil
}

// tooLargeNumber returns a number in a value that readers of JSON would not read, "" if there is
// none.
func tooLargeNumber(v *value) string {
	if v.kind == isNumber {
		if n, ok := number(v.text); !ok || n.Num().BitLen()-n.Denom().BitLen() > 1022 {
			return v.text
		}
	}
	for _, name := range v.names {
		if n := tooLargeNumber(v.fields[name]); n != "" {
			return n
		}
	}
	for _, x := range v.items {
		if n := tooLargeNumber(x); n != "" {
			return n
		}
	}
	return ""
}

// listed returns the values of const or enum; nil: it has neither.
func listed(v *value) []*value {
	if x := v.fields["const"]; x != nil {
		return []*value{x}
	}
	if x := v.fields["enum"]; x != nil {
		return append([]*value{}, x.items...)
	}
	return nil
}

// onlyLists reports whether a schema says nothing but that it lists these values, and their types.
func onlyLists(v *value, values []*value) bool {
	for _, name := range v.names {
		switch name {
		case "enum", "type", "title", "description", "$comment", "default":
		default:
			return false
		}
	}
	return len(values) > 0 && slices.Equal(listed(v), values)
}

// kindsOf returns the type of a value.
func kindsOf(v *value) kinds {
	switch v.kind {
	case isNull:
		return kindNull
	case isTrue, isFalse:
		return kindBoolean
	case isString:
		return kindString
	case isArray:
		return kindArray
	case isObject:
		return kindObject
	}
	if n, ok := number(v.text); ok && n.IsInt() {
		return kindInteger
	}
	return kindNumber
}

// enumeration returns the alternatives of some values. Those without names or items are parted
// where they differ, so that few are to be thought of at once.
func (s *schema) enumeration(values []*value) (alts [][]symbol) {
	var texts []string
	for _, v := range values {
		switch v.kind {
		case isObject, isArray:
			alts = append(alts, s.write(nil, v))
		default:
			texts = append(texts, scalar(v))
		}
	}
	slices.Sort(texts)
	return append(alts, s.tree(slices.Compact(texts), 0)...)
}

// scalar writes a value without names or items.
func scalar(v *value) string {
	switch v.kind {
	case isNull:
		return "null"
	case isTrue:
		return "true"
	case isFalse:
		return "false"
	case isNumber:
		return v.text
	}
	return quoted(v.text)
}

// write appends a value with a space, which may be left out, behind colons and commas.
func (s *schema) write(seq []symbol, v *value) []symbol {
	switch v.kind {
	case isArray:
		seq = s.literal(seq, "[")
		for i, x := range v.items {
			if i > 0 {
				seq = append(s.literal(seq, ","), symbol{rule: s.space})
			}
			seq = s.write(seq, x)
		}
		return s.literal(seq, "]")
	case isObject:
		seq = s.literal(seq, "{")
		for i, name := range v.names {
			if i > 0 {
				seq = append(s.literal(seq, ","), symbol{rule: s.space})
			}
			seq = append(s.literal(seq, quoted(name)+":"), symbol{rule: s.space})
			seq = s.write(seq, v.fields[name])
		}
		return s.literal(seq, "}")
	}
	return s.literal(seq, scalar(v))
}

// tree returns the alternatives of texts, which are in order and have depth bytes in common.
func (s *schema) tree(texts []string, depth int) (alts [][]symbol) {
	for len(texts) > 0 {
		if len(texts[0]) == depth {
			alts, texts = append(alts, nil), texts[1:]
			continue
		}
		n, _ := slices.BinarySearchFunc(texts, texts[0][depth]+1, func(t string, b byte) int { return cmp.Compare(t[depth], b) })
		first, last := texts[0], texts[n-1]
		common := depth
		for common < len(first) && common < len(last) && first[common] == last[common] {
			common++
		}
		seq := s.literal(nil, first[depth:common])
		if n > 1 {
			r := s.rule("")
			s.g.rules[r].alts = s.tree(texts[:n], common)
			seq = append(seq, symbol{rule: r})
		}
		alts, texts = append(alts, seq), texts[n:]
	}
	return alts
}
