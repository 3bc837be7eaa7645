package chat

import (
	"slices"
	"testing"
)

// What a template writes behind an answer ends one.
func TestEnds(t *testing.T) {
	const loop, end = "{% for m in messages %}", "{% endfor %}"
	for template, want := range map[string]struct{ tokens, texts []string }{
		loop + "[{{ m.role }}]: {{ m.content }}</s>" + end:                                      {tokens: []string{"</s>"}},
		loop + "{{ m.role }}: {{ m.content }}{{ eos_token }}\n" + end:                           {tokens: []string{"</s>"}},
		loop + "<s>{{ m.role }}: {{ m.content }}\n" + end:                                       {tokens: []string{"<s>"}},
		loop + "### {{ m.role | title }}:\n{{ m.content }}\n\n" + end:                           {texts: []string{"\n### User:"}},
		loop + "{{ m.role | upper }}: {{ m.content | trim }} " + end:                            {texts: []string{"USER:"}},
		loop + "{{ m.content }}<|eot|>\n" + end:                                                 {texts: []string{"<|eot|>"}},
		loop + "{{ m.content }}\n------\n{{ m.role }}" + end:                                    {texts: nil},
		loop + "{{ m.content }}\n---\n{{ m.role }}" + end:                                       {texts: nil},
		loop + "{{ 'Q' if m.role == 'user' else 'A' }}: {{ m.content }}\n" + end:                {texts: nil},
		loop + "{{ m.content }}\n" + end:                                                        {texts: nil},
		loop + "{{ m.content | upper }}</s>" + end:                                              {texts: nil},
		"{{ raise_exception('no') }}":                                                           {texts: nil},
		loop + "{{ m.content }}{% if m.role == 'user' %}[INST]{% else %}\n{% endif %}" + end:    {texts: nil},
		loop + "<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n" + end:             {tokens: []string{"<|im_end|>"}},
		loop + "{{ m.content }}{{ '<|im_end|>' if m.role == 'assistant' else '\n\n' }}" + end:   {tokens: []string{"<|im_end|>"}},
		loop + "{{ m.content }}\n\n### Instruction:\nAnswer this as well as you can.\n\n" + end: {texts: []string{"\n### Instruction:"}},
	} {
		f, err := llamaLike().Jinja(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if !slices.Equal(f.StopTokens, want.tokens) || !slices.Equal(f.Stops, want.texts) {
			t.Errorf("%s: tokens %q, texts %q, want %q and %q", template, f.StopTokens, f.Stops, want.tokens, want.texts)
		}
	}
}
