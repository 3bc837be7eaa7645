package flags

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/talk"
)

// ChatFormat choose the chat format.
type ChatFormat struct {
	Template, File string
	Now            func() time.Time // the clock of templates; nil: the system's
}

// Add adds the flags.
func (f *ChatFormat) Add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.Template, "chat-template", "", "`NAME|FILE|TEXT` in place of the model's own chat format: one of "+
		strings.Join(formatNames(), ", ")+
		"; or one of the model's named templates; or a template in Jinja, from a file or as text")
	fs.StringVar(&f.File, "chat-template-file", "", "the same from a `FILE` in Jinja, whatever its name")
	cmd.RegisterFlagCompletionFunc("chat-template",
		cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
}

func formatNames() []string {
	var names []string
	for _, f := range chat.Formats() {
		names = append(names, f.Name)
	}
	return names
}

// Choose returns the chat format that the flags or the model ask for.
func (f *ChatFormat) Choose(ctx context.Context, m *mpt.Model) (*chat.Format, error) {
	model := talk.Model(m)
	model.Now = f.Now
	if f.File != "" {
		if f.Template != "" {
			return nil, errors.New("--chat-template and --chat-template-file: want one of the two")
		}
		text, err := fileio.ReadFile(ctx, f.File)
		if err != nil {
			return nil, fmt.Errorf("--chat-template-file: %w", err)
		}
		return model.Jinja(string(text))
	}
	if f.Template == "" {
		return model.Detect()
	}
	named, err := chat.Named(f.Template)
	if err == nil {
		return named, nil
	}
	if text, ok := model.Templates[f.Template]; ok {
		return model.Jinja(text)
	}
	if strings.Contains(f.Template, "{{") || strings.Contains(f.Template, "{%") {
		return model.Jinja(f.Template)
	}
	text, fileErr := fileio.ReadFile(ctx, f.Template)
	switch {
	case fileErr == nil:
		return model.Jinja(string(text))
	case len(model.Templates) > 0:
		err = fmt.Errorf("%w; the model's own are %s", err,
			strings.Join(slices.Sorted(maps.Keys(model.Templates)), ", "))
	}
	return nil, fmt.Errorf("--chat-template: %w; nor is it a file (%w) or a template in Jinja", err, fileErr)
}

// Digest identifies what the flags say, whatever the names of files; "": nothing.
func (f *ChatFormat) Digest(ctx context.Context) string {
	text := f.Template
	for _, name := range []string{f.Template, f.File} {
		if b, err := fileio.ReadFile(ctx, name); name != "" && err == nil {
			text = string(b)
		}
	}
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// NoteUnknownFormat says that a chat goes to the model as it is, if its name promises
// something else.
func NoteUnknownFormat(w io.Writer, m *mpt.Model, f *chat.Format) {
	if name := m.Config().Name; f.Name == "raw" && chat.SoundsTuned(name) {
		console.Note(w, "the prompt format of %q is not known: the text goes to the model as it is (raw); "+
			"--chat-template NAME chooses another", name)
	}
}
