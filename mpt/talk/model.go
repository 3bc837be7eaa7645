package talk

import (
	"fmt"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/tokenizer"
)

// Model returns what a model says about conversations.
func Model(m *mpt.Model) *chat.Model { return ModelOf(m.File(), m.Tokenizer()) }

// ModelOf returns what the file of a model, and its tokenizer, say about conversations.
func ModelOf(f *gguf.File, tok *tokenizer.Tokenizer) *chat.Model {
	text := func(id int32) string { s, _ := tok.Token(id); return s }
	name, _ := gguf.GetOr(f, "general.name", "") // what is no name tells nothing
	c := &chat.Model{
		Name: name, Bases: bases(f), Template: tok.ChatTemplate(), Templates: tok.Templates(),
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

// maxBases bounds how many names are read from a file.
const maxBases = 64

// bases returns the names of the models that a model was made of, under the keys that
// llama.cpp's converter gives them.
func bases(f *gguf.File) (names []string) {
	n, _ := gguf.GetOr(f, "general.base_model.count", uint32(0))
	for i := range min(n, maxBases) {
		if name, err := gguf.Get[string](f, fmt.Sprintf("general.base_model.%d.name", i)); err == nil {
			names = append(names, name)
		}
	}
	return names
}
