package tokenizer

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// configuration is the work of [Vocab.Configure].
type configuration struct {
	Beside
	v               *Vocab
	special, config jsonConfig
	added           map[string]int // of added_tokens.json
	modern          bool           // there is an added_tokens_decoder

	ids        map[string]int // by text, of the tokens that are not unused
	normalized map[int32]bool // see Vocab.Normalized
	rules      map[int32]rule
	marked     bool          // there may be tokens that were added to a model
	origin     map[int]named // who asked for a token that was added
}

// named is a special token that a file names.
type named struct {
	file, key string
	token     jsonToken

	id    *int // where it is kept, or nil
	used  bool // has to be in the vocabulary
	spare bool // nothing uses it: it may be left out
}

// apply does what the files say.
func (c *configuration) apply() error {
	if err := c.settings(mapFile, &c.special); err != nil {
		return err
	}
	if err := c.settings(configFile, &c.config); err != nil {
		return err
	}
	c.ids, c.origin = make(map[string]int, len(c.v.Tokens)), map[int]named{}
	for id, text := range c.v.Tokens {
		if _, twin := c.ids[text]; !twin && c.v.Types[id] != Unused {
			c.ids[text] = id
		}
	}
	c.normalized, c.rules = c.v.isNormalized(), c.v.rules()
	if c.rules == nil {
		c.rules = map[int32]rule{}
	}
	specials := c.specials()
	if err := c.addTokens(specials); err != nil {
		return err
	}
	for _, s := range specials {
		if err := c.addSpecial(s); err != nil {
			return err
		}
	}
	c.setIDs(specials)
	err := c.fit(specials)
	c.finish()
	return err
}

// specials returns the special tokens that the files name, in the order in which the
// reference adds them.
func (c *configuration) specials() []named {
	s, f, v := &c.special, &c.config, c.v
	var list []named
	for _, x := range []struct {
		key         string
		inMap, here jsonToken
		id          *int
		used        bool
	}{
		{"bos_token", s.BOS, f.BOS, &v.BOS, true},
		{"eos_token", s.EOS, f.EOS, &v.EOS, true},
		{"unk_token", s.UNK, f.UNK, &v.UNK, false},
		{"sep_token", s.SEP, f.SEP, nil, false},
		{"pad_token", s.PAD, f.PAD, &v.PAD, false},
		{"cls_token", s.CLS, f.CLS, nil, false},
		{"mask_token", s.MASK, f.MASK, nil, false},
	} {
		n := named{file: configFile, key: x.key, token: x.here, id: x.id, used: x.used, spare: !x.used}
		if x.inMap.named && !(c.modern && x.here.named) {
			n.file, n.token = mapFile, x.inMap
		}
		if x.inMap.named && x.here.named && !x.inMap.is(x.here) {
			c.Logf("%s and %s name different tokens as %s: that of %s counts, as in transformers",
				mapFile, configFile, x.key, n.file)
		}
		if n.token.named && (x.key != "unk_token" || !v.sentencepiece()) { // what such a model makes of unknown text counts
			list = append(list, n)
		}
	}
	for _, x := range []struct {
		file, key string
		tokens    jsonTokens
	}{
		{configFile, "additional_special_tokens", f.Additional}, {mapFile, "additional_special_tokens", s.Additional},
		{configFile, "extra_special_tokens", f.Extra}, {mapFile, "extra_special_tokens", s.Extra},
	} {
		for _, t := range x.tokens {
			list = append(list, named{file: x.file, key: x.key, token: t})
		}
	}
	return slices.DeleteFunc(list, func(n named) bool { return n.token.text == nil && n.id == nil })
}

// addTokens adds the tokens of added_tokens_decoder or, if there is none, of
// added_tokens.json.
func (c *configuration) addTokens(specials []named) error {
	var tokens []jsonAdded
	for _, key := range slices.Sorted(maps.Keys(c.config.Added)) {
		a := c.config.Added[key]
		id, err := strconv.Atoi(key)
		if err != nil {
			return fmt.Errorf("%s: added_tokens_decoder: %q is not an id", configFile, key)
		}
		a.ID = id
		tokens = append(tokens, a)
	}
	if err := c.addAll(configFile+": added_tokens_decoder", tokens); err != nil {
		return err
	}
	isSpecial := map[string]bool{}
	for _, s := range specials {
		if s.token.text != nil {
			isSpecial[*s.token.text] = true
		}
	}
	tokens = tokens[:0]
	for _, text := range slices.Sorted(maps.Keys(c.added)) {
		special := isSpecial[text]
		a := jsonAdded{ID: c.added[text], Content: text, Special: special && !c.v.sentencepiece(), Normalized: !special}
		id, known := c.ids[text]
		switch {
		case known && id == a.ID && (c.modern || c.v.Types[id].added() && !c.v.sentencepiece()):
			continue // the other file has said more
		case c.modern && !known:
			c.Logf("%s: %q is left out: transformers takes the added_tokens_decoder of %s instead",
				addedFile, text, configFile)
			continue
		}
		tokens = append(tokens, a)
	}
	return c.addAll(addedFile, tokens)
}

// addAll adds tokens in the order of their ids.
func (c *configuration) addAll(file string, tokens []jsonAdded) error {
	slices.SortStableFunc(tokens, func(a, b jsonAdded) int { return a.ID - b.ID })
	for _, a := range tokens {
		if a.Content == "" {
			continue // the reference ignores it
		}
		if err := c.add(a); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// add makes a token of the vocabulary an added one, or adds it.
func (c *configuration) add(a jsonAdded) error {
	v := c.v
	id, known := c.ids[a.Content]
	switch {
	case known && id != a.ID && a.ID >= 0 && a.ID < len(v.Tokens):
		return fmt.Errorf("token %d is %q here and %q in the vocabulary", a.ID, a.Content, v.Tokens[a.ID])
	case known && id != a.ID:
		return fmt.Errorf("token %q has the id %d here and %d in the vocabulary", a.Content, a.ID, id)
	case known:
	case a.ID < 0 || a.ID > len(v.Tokens):
		return fmt.Errorf("token %d %q: the ids up to there are not all in use", a.ID, a.Content)
	case a.ID < len(v.Tokens) && v.Types[a.ID] != Unused:
		return fmt.Errorf("token %d is %q here and %q in the vocabulary", a.ID, a.Content, v.Tokens[a.ID])
	case a.ID < len(v.Tokens):
		v.Tokens[a.ID], v.Types[a.ID] = a.Content, Normal
	default:
		c.append(a.Content)
	}
	c.ids[a.Content] = a.ID
	c.mark(a)
	return nil
}

// append adds a token whose type is still to be set.
func (c *configuration) append(text string) {
	v := c.v
	if v.sentencepiece() {
		v.Scores = append(v.Scores, addedScore)
	}
	v.Tokens, v.Types = append(v.Tokens, text), append(v.Types, Normal)
}

// mark makes a token one that is cut out of a text before the model sees it.
func (c *configuration) mark(a jsonAdded) {
	id := int32(a.ID)
	if old := c.v.Types[id]; old != Unknown && old != Control {
		c.v.Types[id] = a.tokenType()
	}
	c.normalized[id] = a.Normalized && !c.v.sentencepiece()
	c.rules[id] = rule{a.LStrip, a.RStrip, a.SingleWord}
	c.marked = true
}

// addSpecial makes a special token one of the vocabulary.
func (c *configuration) addSpecial(s named) error {
	if s.token.text == nil {
		return nil
	}
	a, text := s.token.how, *s.token.text
	a.Content, a.Special = text, true
	id, known := c.ids[text]
	a.ID = id
	switch {
	case known:
		if sp := c.v.sentencepiece(); sp && s.list() && c.v.Types[id] != Unknown || !sp && c.v.Types[id] == Normal {
			c.mark(a)
		}
		return nil
	case c.modern && s.file == mapFile:
		c.Logf("%s: %s %q is left out: it is not in the vocabulary, and transformers does not read this file "+
			"beside an added_tokens_decoder", s.file, s.key, text)
		return nil
	case s.used:
		return fmt.Errorf("%s: %s: the vocabulary has no token %q: name one that it has, or null", s.file, s.key, text)
	}
	a.ID = len(c.v.Tokens)
	c.append(text)
	c.ids[text], c.origin[a.ID] = a.ID, s
	c.mark(a)
	return nil
}

// list reports whether s is one of a list.
func (s *named) list() bool { return !s.used && !s.spare }

// setIDs sets the special ids.
func (c *configuration) setIDs(specials []named) {
	var bos, eos, unk bool
	v := c.v
	for _, s := range specials {
		if s.id == nil {
			continue
		}
		*s.id = None
		if s.token.text != nil {
			if id, ok := c.ids[*s.token.text]; ok {
				*s.id = id
			}
		}
		bos, eos, unk = bos || s.id == &v.BOS, eos || s.id == &v.EOS, unk || s.id == &v.UNK
	}
	id, ok := c.ids[endOfText]
	switch {
	case !ok:
	case v.sentencepiece():
		v.EOS = setIf(!eos && v.EOS == None, v.EOS, id)
	default:
		v.BOS = setIf(!bos && v.BOS == None, v.BOS, id)
		v.EOS = setIf(!eos && v.EOS == None, v.EOS, id)
		v.UNK = setIf(!unk && v.UNK == None, v.UNK, id)
		if v.Types[id] == Normal && (id == v.BOS || id == v.EOS || id == v.UNK) {
			c.mark(jsonAdded{ID: id, Content: endOfText, Special: true})
		}
	}
}

func setIf(ok bool, old, id int) int {
	if ok {
		return id
	}
	return old
}

// fit leaves out the last tokens if the embedding has no rows for them and nothing
// uses them.
func (c *configuration) fit(specials []named) error {
	v := c.v
	spare := map[string]string{} // who names it
	for _, s := range specials {
		if s.token.text != nil && s.spare {
			spare[*s.token.text] = s.file + ": " + s.key
		}
	}
	for _, s := range specials {
		if s.token.text != nil && !s.spare {
			delete(spare, *s.token.text)
		}
	}
	for c.Rows > 0 && len(v.Tokens) > c.Rows {
		id := len(v.Tokens) - 1
		text := v.Tokens[id]
		from, asked := c.origin[id]
		switch {
		case v.Types[id] == Unused:
		case spare[text] != "" && id != v.BOS && id != v.EOS:
			c.Logf("%s %q is left out: it would be token %d, the embedding has %d rows, and nothing uses it",
				spare[text], text, id, c.Rows)
		case asked:
			return fmt.Errorf("%s: %s: %q would be token %d, and the embedding has %d rows: the model was not made for it",
				from.file, from.key, text, id, c.Rows)
		default:
			return nil // the tokenizer of another model: see Pad
		}
		c.drop(id)
	}
	return nil
}

// drop removes the last token.
func (c *configuration) drop(id int) {
	v := c.v
	v.Tokens, v.Types = v.Tokens[:id], v.Types[:id]
	if v.sentencepiece() {
		v.Scores = v.Scores[:id]
	}
	delete(c.normalized, int32(id))
	delete(c.rules, int32(id))
	delete(c.origin, id)
	for _, x := range v.ids() {
		*x.value = setIf(*x.value == id, *x.value, None)
	}
}

// finish writes down what is known of added tokens.
func (c *configuration) finish() {
	for _, id := range slices.Sorted(maps.Keys(c.origin)) {
		s := c.origin[id]
		c.Logf("%s: %s %q is not in the vocabulary: it becomes token %d, as in transformers",
			s.file, s.key, *s.token.text, id)
	}
	c.v.setRules(c.rules)
	late := sortedIDs(c.normalized, func(is bool) bool { return is })
	switch {
	case !c.v.sentencepiece():
		c.v.setNormalized(late)
	case c.marked || c.v.Normalized != nil:
		c.v.Normalized = late
	}
}
