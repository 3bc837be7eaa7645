package tokenizer

// DecodeOptions says what of the ids is shown. The zero value shows everything.
type DecodeOptions struct {
	SkipControl bool // leave out control tokens such as <|im_end|>

	// Start says that the ids are those of a text from its beginning. The space
	// that the models of sentencepiece put there is left out.
	Start bool
}

// Decode returns the text of ids from its beginning: normal tokens contribute
// their bytes, control and user-defined tokens their literal text, unused tokens
// and ids outside the vocabulary nothing. Bytes that are not UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string { return t.DecodeWith(ids, DecodeOptions{Start: true}) }

// DecodeWith is like Decode with other options.
func (t *Tokenizer) DecodeWith(ids []int32, opt DecodeOptions) string {
	return string(appendValid(nil, t.AppendDecode(nil, ids, opt)))
}

// AppendDecode appends to dst the bytes that ids stand for, which need not be
// UTF-8.
func (t *Tokenizer) AppendDecode(dst []byte, ids []int32, opt DecodeOptions) []byte {
	start := opt.Start
	for _, id := range ids {
		dst = t.appendToken(dst, id, opt, &start)
	}
	return dst
}

// appendToken appends the bytes that id stands for. Start tells whether a space
// that encoding put there may come next, and is kept up to date.
func (t *Tokenizer) appendToken(dst []byte, id int32, opt DecodeOptions, start *bool) []byte {
	if id < 0 || int(id) >= len(t.ends) {
		return dst
	}
	b := t.bytesOf(id)
	switch {
	case t.pieces == nil || !opt.Start:
	case t.stands(id):
		*start = true
	case *start:
		b, *start = t.pieces.withoutPrefix(id, b)
	}
	if opt.SkipControl && t.vocab.Types[id] == Control {
		return dst
	}
	return append(dst, b...)
}

// stands reports whether a token is cut out of a text, so that a new one begins
// after it.
func (t *Tokenizer) stands(id int32) bool { return t.vocab.Types[id] == Control || t.cut[id] }

// bytesOf returns what a token contributes to a text.
func (t *Tokenizer) bytesOf(id int32) []byte {
	start := 0
	if id > 0 {
		start = t.ends[id-1]
	}
	return t.spelled[start:t.ends[id]]
}

// Decoder turns a stream of ids into text. The strings it returns, one after
// the other, are what DecodeWith makes of all ids at once.
type Decoder struct {
	tokenizer *Tokenizer
	opt       DecodeOptions
	start     bool
	pending   []byte // of a character that is not complete yet
}

// NewDecoder returns a decoder at the start of a text.
func (t *Tokenizer) NewDecoder(opt DecodeOptions) *Decoder {
	return &Decoder{tokenizer: t, opt: opt, start: opt.Start}
}

// Next returns the text that id completes. It is well-formed UTF-8: the start
// of a character is held back until the rest of it arrives.
func (d *Decoder) Next(id int32) string {
	b := d.tokenizer.appendToken(d.pending, id, d.opt, &d.start)
	ready := len(b) - incomplete(b)
	text := string(appendValid(nil, b[:ready]))
	d.pending = append(b[:0], b[ready:]...)
	return text
}

// Flush returns what is held back, a U+FFFD if a character is not complete, and
// puts the decoder at the start of a text.
func (d *Decoder) Flush() string {
	text := string(appendValid(nil, d.pending))
	d.pending, d.start = d.pending[:0], d.opt.Start
	return text
}
