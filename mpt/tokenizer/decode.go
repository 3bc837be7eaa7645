package tokenizer

// DecodeOptions says what of the ids is shown. The zero value shows everything.
type DecodeOptions struct {
	SkipControl bool // leave out control tokens such as <|im_end|>
}

// Decode returns the text of ids: normal tokens contribute their bytes, control
// and user-defined tokens their literal text, unused tokens and ids outside the
// vocabulary nothing. Bytes that are not UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int32) string {
	return string(appendValid(nil, t.AppendDecode(nil, ids, DecodeOptions{})))
}

// AppendDecode appends to dst the bytes that ids stand for, which need not be
// UTF-8.
func (t *Tokenizer) AppendDecode(dst []byte, ids []int32, opt DecodeOptions) []byte {
	for _, id := range ids {
		if id < 0 || int(id) >= len(t.ends) {
			continue
		}
		if opt.SkipControl && t.vocab.Types[id] == Control {
			continue
		}
		start := 0
		if id > 0 {
			start = t.ends[id-1]
		}
		dst = append(dst, t.pieces[start:t.ends[id]]...)
	}
	return dst
}

// Decoder turns a stream of ids into text. The strings it returns, one after
// the other, are what Decode makes of all ids at once.
type Decoder struct {
	tokenizer *Tokenizer
	opt       DecodeOptions
	pending   []byte // of a character that is not complete yet
}

// NewDecoder returns a decoder at the start of a text.
func (t *Tokenizer) NewDecoder(opt DecodeOptions) *Decoder {
	return &Decoder{tokenizer: t, opt: opt}
}

// Next returns the text that id completes. It is well-formed UTF-8: the start
// of a character is held back until the rest of it arrives.
func (d *Decoder) Next(id int32) string {
	b := d.tokenizer.AppendDecode(d.pending, []int32{id}, d.opt)
	ready := len(b) - incomplete(b)
	text := string(appendValid(nil, b[:ready]))
	d.pending = append(b[:0], b[ready:]...)
	return text
}

// Flush returns what is held back, a U+FFFD if a character is not complete, and
// puts the decoder at the start of a text.
func (d *Decoder) Flush() string {
	text := string(appendValid(nil, d.pending))
	d.pending = d.pending[:0]
	return text
}
