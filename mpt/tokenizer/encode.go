package tokenizer

import "unicode/utf8"

// EncodeOptions says how a text is read. The zero value is for text from a
// user: control tokens in it are plain text.
type EncodeOptions struct {
	// ParseSpecial makes control tokens that are spelled out in the text, such
	// as <|im_start|>, into their ids. User-defined tokens always are.
	ParseSpecial bool

	// AddSpecial puts bos first if the vocabulary asks for that. Those of
	// MosaicML's models do not.
	AddSpecial bool

	// Continue says that the text goes on with one that is tokens already, and
	// whose last token is not a control token. The models of sentencepiece put a
	// space before a text that does not.
	Continue bool
}

// Encode returns the ids of text. Ill-formed UTF-8 is read as U+FFFD.
func (t *Tokenizer) Encode(text string, opt EncodeOptions) []int32 {
	return t.AppendEncode(nil, text, opt)
}

// AppendEncode appends the ids of text to dst. It allocates nothing but room in
// dst if text is well-formed, in normal form C and without very long words.
func (t *Tokenizer) AppendEncode(dst []int32, text string, opt EncodeOptions) []int32 {
	if opt.AddSpecial && t.vocab.AddBOS {
		dst = append(dst, t.BOS())
	}
	if !utf8.ValidString(text) {
		text = string(appendValid(nil, []byte(text)))
	}
	s := &t.plain
	if opt.ParseSpecial {
		s = &t.parsed
	}
	fresh := !opt.Continue
	for done, at := 0, 0; done < len(text) || at < len(text); fresh = true {
		c := s.raw.find(text, done, at)
		if plain := text[done:max(done, c.start)]; t.pieces != nil {
			dst = t.pieces.appendText(dst, plain, fresh)
		} else {
			dst = t.appendPlain(dst, plain, s.normalized)
		}
		if c.id != None {
			dst = append(dst, c.id)
		}
		done, at = c.end, c.next
	}
	return dst
}

// appendPlain appends the ids of text, which has no token of the raw stage.
func (t *Tokenizer) appendPlain(dst []int32, text string, normalized *cutter) []int32 {
	if t.nfc {
		text = nfc(text)
	}
	for done, at := 0, 0; done < len(text) || at < len(text); {
		c := normalized.find(text, done, at)
		for rest := text[done:max(done, c.start)]; rest != ""; {
			n := word(rest)
			dst = t.merges.appendWord(dst, rest[:n])
			rest = rest[n:]
		}
		if c.id != None {
			dst = append(dst, c.id)
		}
		done, at = c.end, c.next
	}
	return dst
}
