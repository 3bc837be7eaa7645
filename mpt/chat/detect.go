package chat

import (
	"fmt"
	"strings"
)

// Detect returns the format of a model.
//
// If the model brings a chat template (in Jinja), the format is the one that
// the template describes, with its default system prompt; a template that is
// not known is an error, since any guess could be wrong unseen. Without a
// template the model's name decides, if it is one of the published models that
// are known to have come without; else ChatML if the vocabulary has its tokens;
// else [Named]("raw").
func Detect(template string, hasToken func(string) bool, name string) (*Format, error) {
	if strings.TrimSpace(template) != "" {
		return recognise(template)
	}
	chatTokens := hasToken(imStart) && hasToken(imEnd)
	for _, f := range Formats() {
		if !f.fits(name) {
			continue
		}
		if f.template == &chatML && !chatTokens {
			return nil, fmt.Errorf("chat: a model named %q uses %s and %s, but its vocabulary lacks them: "+
				"convert it again with its own tokenizer, or choose a format with --chat-template NAME (%s)", name, imStart, imEnd, names())
		}
		return f, nil
	}
	if chatTokens {
		return Named("chatml")
	}
	return Named("raw")
}

// fits reports whether f is the format of models with such a name.
func (f *Format) fits(name string) bool {
	name = plainName(name)
	for _, m := range f.models {
		if strings.Contains(name, m) {
			return true
		}
	}
	return false
}

// plainName removes the differences between "MPT 7B Chat" and "mpt-7b-chat".
func plainName(name string) string {
	return strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(name))
}

// recognise returns the format that a Jinja template describes.
func recognise(template string) (*Format, error) {
	got, err := normalForm(template)
	if err == nil && strings.Contains(template, hole) {
		err = fmt.Errorf("it contains control characters")
	}
	if err != nil {
		return nil, unknownTemplate(template, ": "+err.Error())
	}
	for _, k := range known {
		want, err := normalForm(k.template)
		if err != nil {
			return nil, fmt.Errorf("chat: known template of %s: %w", k.format, err)
		}
		system, ok := matches(want, got)
		if !ok {
			continue
		}
		f, err := Named(k.format)
		if err != nil {
			return nil, err
		}
		if k.as != nil {
			f.template = k.as
		}
		return f.WithSystem(system), nil
	}
	return nil, unknownTemplate(template, "")
}

func unknownTemplate(template, why string) error {
	const most = 100
	if len(template) > most {
		template = strings.ToValidUTF8(template[:most], "") + "..."
	}
	return fmt.Errorf("chat: the model's chat template is not one that is known here (it begins %q)%s: "+
		"choose a format with --chat-template NAME (%s)", template, why, names())
}
