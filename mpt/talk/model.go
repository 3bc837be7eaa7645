package talk

import (
	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// Model returns what a model says about conversations.
func Model(m *mpt.Model) *chat.Model {
	tok := m.Tokenizer()
	text := func(id int32) string { s, _ := tok.Token(id); return s }
	c := &chat.Model{
		Name: m.Config().Name, Template: tok.ChatTemplate(), Templates: tok.Templates(),
		Has: func(text string) bool { _, ok := tok.ID(text); return ok },
		BOS: text(tok.BOS()), EOS: text(tok.EOS()), UNK: text(tok.UNK()), PAD: text(tok.PAD()),
	}
	for id := range int32(tok.Size()) {
		if s, typ := tok.Token(id); typ == tokenizer.Control {
			c.Control = append(c.Control, s)
		}
	}
	return c
}
