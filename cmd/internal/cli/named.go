package cli

import (
	"fmt"
	"io"
	"strconv"

	"mptgo/cmd/internal/cli/console"
	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/chat"
	"mptgo/mpt/talk"
	"mptgo/mpt/tokenizer"
)

// noteName says what a file that was made calls its model, and how it is talked to.
func noteName(w io.Writer, path string) {
	line, err := nameAndFormat(path)
	if err != nil {
		return // it is written; whoever runs it learns what is wrong with its vocabulary
	}
	console.Note(w, "quantize: %s", line)
}

// nameAndFormat returns what the file of a model calls it and the format of its
// prompts, in a line.
func nameAndFormat(path string) (string, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	tok, err := tokenizer.FromGGUF(f)
	if err != nil {
		return "", err
	}
	m := talk.ModelOf(f, tok)
	what := ""
	switch format, err := m.Detect(); {
	case err != nil:
		what = fmt.Sprintf("none that works: %v", err)
	case format.Name == "raw" && chat.SoundsTuned(m.Name):
		what = "raw: that of models called so is not known; --chat-template NAME chooses one"
	default:
		what = formatName(format)
	}
	return fmt.Sprintf("name %s, prompt format %s", escaped(m.Name), what), nil
}

// formatName returns what people read of a format.
func formatName(f *chat.Format) string {
	switch {
	case f.Jinja && f.Name == "jinja":
		return "its own template"
	case f.Jinja:
		return f.Name + ", by its template"
	}
	return f.Name
}

// escaped returns a text from a file with its control characters spelled out.
func escaped(s string) string {
	s = strconv.Quote(s)
	return s[1 : len(s)-1]
}

// noteRaw says that a prompt goes as it is to a model that was trained for another
// form, unless it has that form. The built-in model continues stories as well.
func noteRaw(w io.Writer, m *mpt.Model, prompt string) {
	name := m.Config().Name
	f, err := talk.Model(m).Detect()
	switch {
	case err != nil || name == builtin.Name:
	case f.Name == "raw":
		if chat.SoundsTuned(name) {
			console.Note(w, "%q sounds like a model for questions: run gives it the text as it is; "+
				"write the prompt in the form that its card tells", name)
		}
	case !f.Wrote(prompt):
		what := "the format " + f.Name
		if f.Jinja {
			what = "its own template"
		}
		console.Note(w, "this model was trained for prompts of %s: run gives it the text as it is, mpt chat writes them", what)
	}
}
