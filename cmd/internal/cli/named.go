package cli

import (
	"fmt"
	"io"
	"strconv"

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
	note(w, "quantize: %s", line)
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

// noteUnknownFormat says that a chat goes to the model as it is, if its name promises
// something else.
func noteUnknownFormat(w io.Writer, m *mpt.Model, f *chat.Format) {
	if name := m.Config().Name; f.Name == "raw" && chat.SoundsTuned(name) {
		note(w, "the prompt format of %q is not known: the text goes to the model as it is (raw); "+
			"--chat-template NAME chooses another", name)
	}
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
			note(w, "%q sounds like a model for questions: run gives it the text as it is; "+
				"write the prompt in the form that its card tells", name)
		}
	case !f.Wrote(prompt):
		what := "the format " + f.Name
		if f.Jinja {
			what = "its own template"
		}
		note(w, "this model was trained for prompts of %s: run gives it the text as it is, mpt chat writes them", what)
	}
}
