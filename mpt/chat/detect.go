package chat

import (
	"fmt"
	"strings"
)

// detect returns the format of a model.
//
// If the model brings a chat template (in Jinja), the format is the one that
// the template describes, with its default system prompt; a template that is
// not known is an error, since any guess could be wrong unseen. Without a
// template the model's name decides, if it is one of the published models that
// are known to have come without. Bases are the names of models that it was made of:
// they decide where its own name does not, but not against the vocabulary. If ChatML's
// tokens are in it that is the format; else it is [Named]("raw").
func detect(template string, hasToken func(string) bool, name string, bases ...string) (*Format, error) {
	if strings.TrimSpace(template) != "" {
		return recognise(template)
	}
	chatTokens := hasToken(imStart) && hasToken(imEnd)
	if f := published(name); f != nil {
		if f.template == &chatML && !chatTokens {
			return nil, fmt.Errorf("chat: a model named %q uses %s and %s, but its vocabulary lacks them: "+
				"convert it again with its own tokenizer, or choose a format by its name (%s)", name, imStart, imEnd, names())
		}
		return f, nil
	}
	for _, base := range bases {
		if f := published(base); f != nil && (f.template == &chatML) == chatTokens {
			return f, nil
		}
	}
	if chatTokens {
		return Named("chatml")
	}
	return Named("raw")
}

// published returns the format of the published model whose name is in the given one,
// the longest if there are several: mpt-7b-instruct-8k is another model than
// mpt-7b-instruct. It is nil if there is none.
func published(name string) *Format {
	name = plainName(name)
	var best *Format
	longest := 0
	for _, f := range Formats() {
		for _, m := range f.models {
			if m = plainName(m); len(m) > longest && strings.Contains(name, m) {
				best, longest = f, len(m)
			}
		}
	}
	return best
}

// plainName removes the differences between "MPT 7B Chat", "mpt7b_chat" and
// "mpt-7b-chat".
func plainName(name string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "", ".", "").Replace(strings.ToLower(name))
}

// SoundsTuned reports whether a name is like those of models that were trained to
// answer, whatever their prompts look like.
func SoundsTuned(name string) bool {
	name = plainName(name)
	for _, s := range []string{"instruct", "chat", "dolly", "alpaca", "assistant"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
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
		f.Jinja = true
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
		"choose a format by its name (%s)", template, why, names())
}
