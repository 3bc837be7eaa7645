package grammar

// array returns the alternatives of an array.
func (s *schema) array(all []*value) ([][]symbol, error) {
	least, most, err := s.bounds(all, "minItems", "maxItems")
	if err != nil {
		return nil, err
	}
	prefix := 0
	for _, v := range all {
		first, _ := s.itemsOf(v)
		prefix = max(prefix, len(first))
	}
	// At each place stand the schemas of the list for it, and those of all that follow.
	items := make([]int32, 0, prefix+1)
	for i := range prefix + 1 {
		list, possible := s.item(all, i)
		if !possible {
			if most < 0 || most > i {
				most = i
			}
			break
		}
		items = append(items, s.conj(list, nil))
	}
	if most >= 0 && least > most {
		s.noteImpossible(all[0], "items", "at least %d items have to be there and at most %d may", least, most)
		return nil, nil
	}
	tail, err := s.elements(items, prefix, least, most)
	if err != nil {
		return nil, s.large(all, "maxItems", err)
	}
	return [][]symbol{append(s.literal(nil, "["), symbol{rule: tail})}, nil
}

// itemsOf returns the schemas of the first items and that of all others; nil: any.
func (s *schema) itemsOf(v *value) (first []*value, others *value) {
	if x := v.fields["prefixItems"]; x != nil {
		return x.items, v.fields["items"]
	}
	if x := v.fields["items"]; x != nil && x.kind == isArray {
		return x.items, v.fields["additionalItems"]
	}
	return nil, v.fields["items"]
}

// item returns what the item at a place has to obey, and whether there may be one.
func (s *schema) item(all []*value, i int) (list []*value, possible bool) {
	for _, v := range all {
		first, x := s.itemsOf(v)
		if i < len(first) {
			x = first[i]
		}
		if x != nil && x.kind == isFalse {
			return nil, false
		}
		if x != nil {
			list = append(list, x)
		}
	}
	return list, true
}

// elements returns the rule of what follows the opening bracket: at place i stands the item
// items[i], behind them the last one again and again.
func (s *schema) elements(items []int32, prefix, least, most int) (int32, error) {
	end := max(prefix, least, 1)
	if most >= 0 {
		end = most
	}
	if err := s.grow(4 * end); err != nil {
		return 0, err
	}
	rules := make([]int32, end+1)
	for i := range rules {
		rules[i] = s.rule("")
	}
	for i, r := range rules {
		var alts [][]symbol
		if i >= least {
			alts = append(alts, s.literal(nil, "]"))
		}
		if most < 0 || i < most {
			next := rules[min(i+1, end)] // the last one goes on with itself
			item := symbol{rule: items[min(i, len(items)-1)]}
			alts = append(alts, append(s.comma(i), item, symbol{rule: next}))
		}
		s.g.rules[r].alts = alts
	}
	return rules[0], nil
}
