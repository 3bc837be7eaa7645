package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/talk"
)

// formatFlags choose the chat format.
type formatFlags struct {
	template, file string
	now            func() time.Time // the clock of templates; nil: the system's
}

func (f *formatFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.template, "chat-template", "", "`NAME|FILE|TEXT` in place of the model's own chat format: one of "+
		strings.Join(formatNames(), ", ")+
		"; or one of the model's named templates; or a template in Jinja, from a file or as text")
	fs.StringVar(&f.file, "chat-template-file", "", "the same from a `FILE` in Jinja, whatever its name")
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

// choose returns the chat format that the flags or the model ask for.
func (f *formatFlags) choose(ctx context.Context, m *mpt.Model) (*chat.Format, error) {
	model := talk.Model(m)
	model.Now = f.now
	if f.file != "" {
		if f.template != "" {
			return nil, errors.New("--chat-template and --chat-template-file: want one of the two")
		}
		text, err := readFile(ctx, f.file)
		if err != nil {
			return nil, fmt.Errorf("--chat-template-file: %w", err)
		}
		return model.Jinja(string(text))
	}
	if f.template == "" {
		return model.Detect()
	}
	named, err := chat.Named(f.template)
	if err == nil {
		return named, nil
	}
	if text, ok := model.Templates[f.template]; ok {
		return model.Jinja(text)
	}
	if strings.Contains(f.template, "{{") || strings.Contains(f.template, "{%") {
		return model.Jinja(f.template)
	}
	text, fileErr := readFile(ctx, f.template)
	switch {
	case fileErr == nil:
		return model.Jinja(string(text))
	case len(model.Templates) > 0:
		err = fmt.Errorf("%w; the model's own are %s", err, strings.Join(slices.Sorted(maps.Keys(model.Templates)), ", "))
	}
	return nil, fmt.Errorf("--chat-template: %w; nor is it a file (%w) or a template in Jinja", err, fileErr)
}

// digest identifies what the flags say, whatever the names of files; "": nothing.
func (f *formatFlags) digest(ctx context.Context) string {
	text := f.template
	for _, name := range []string{f.template, f.file} {
		if b, err := readFile(ctx, name); name != "" && err == nil {
			text = string(b)
		}
	}
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
