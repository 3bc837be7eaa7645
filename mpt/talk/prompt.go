package talk

import (
	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// Prompt returns the tokens of a conversation up to where an answer begins. If the last
// message is the assistant's, the answer goes on behind it. No words of a message become
// control tokens.
func Prompt(f *chat.Format, tok *tokenizer.Tokenizer, msgs []chat.Message) ([]int32, error) {
	last := len(msgs) - 1
	if last < 0 || msgs[last].Role != chat.Assistant {
		pieces, err := f.Render(msgs, true)
		return encode(f, tok, pieces, false), err
	}
	pieces, err := f.Render(msgs[:last], true)
	if err != nil {
		return nil, err
	}
	begun := chat.Piece{Text: msgs[last].Content}
	if n := len(pieces); n > 0 && !pieces[n-1].Special {
		pieces[n-1].Text += begun.Text // one text has other tokens than two
	} else {
		pieces = append(pieces, begun)
	}
	return encode(f, tok, pieces, false), nil
}

// Follow returns the tokens with which a conversation goes on behind an answer: the end of that,
// some messages, and where the next answer begins. What was said before is not known. With a
// format for which that matters the error wraps [chat.ErrRewritten].
func Follow(f *chat.Format, tok *tokenizer.Tokenizer, msgs []chat.Message) ([]int32, error) {
	const anything = "-"
	pieces, err := f.Next([]chat.Message{{Role: chat.User, Content: anything}}, anything, msgs...)
	if err != nil {
		return nil, err
	}
	return encode(f, tok, pieces, true), nil
}

// Stops returns the tokens that end an answer in a format, and the texts that do.
func Stops(f *chat.Format, tok *tokenizer.Tokenizer) (ids []int32, texts []string) {
	tokens, texts := f.StopsFor(func(text string) bool { _, ok := tok.ID(text); return ok })
	for _, t := range tokens {
		id, _ := tok.ID(t)
		ids = append(ids, id)
	}
	return ids, texts
}

// encode returns the tokens of pieces, the first of which may continue a text; if not,
// bos comes first where the vocabulary asks for it, but not with a template in Jinja,
// which writes its own. What looks like a control token in the user's own words stays
// text.
func encode(f *chat.Format, tok *tokenizer.Tokenizer, pieces []chat.Piece, more bool) (ids []int32) {
	for i, p := range pieces {
		opt := tokenizer.EncodeOptions{
			ParseSpecial: p.Special, Continue: i == 0 && more, AddSpecial: i == 0 && !more && !f.Jinja,
		}
		ids = tok.AppendEncode(ids, p.Text, opt)
	}
	return ids
}
