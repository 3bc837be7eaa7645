package chat

import "strings"

// hole stands in a known template for a default system prompt.
const hole = "\x00"

// known lists the templates that [Model.Detect] recognises, each with the format that
// renders the same text from the same messages, wherever that format does not
// refuse them. A template matches if its normal form is the same.
var known = []struct {
	format   string
	as       *markup // in place of the format's own
	template string
}{
	{"chatml", nil, `{% for message in messages %}` + eachMessage + `{% endfor %}` + generationPrompt},
	{"chatml", nil, `{% for message in messages %}` +
		`{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n` + hole +
		`<|im_end|>\n' }}{% endif %}` +
		eachMessage + `{% endfor %}` + generationPrompt},
	{"chatml", nil, `{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n` + hole + `<|im_end|>\n' }}{% endif %}` +
		`{% for message in messages %}` + eachMessage + `{% endfor %}` + generationPrompt},
	{"chatml", nil, `{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}` +
		`{% else %}{% set loop_messages = messages %}{% set system_message = '` + hole + `' %}{% endif %}` +
		`{{ '<|im_start|>system\n' + system_message + '<|im_end|>\n' }}` +
		`{% for message in loop_messages %}` + eachMessage + `{% endfor %}` + generationPrompt},
	{"chatml", nil, `{% for message in messages %}` +
		`{% if message['role'] == 'user' %}{{ '<|im_start|>user\n' + message['content'] + '<|im_end|>\n' }}` +
		`{% elif message['role'] == 'assistant' %}{{ '<|im_start|>assistant\n' + message['content'] + '<|im_end|>\n' }}` +
		`{% else %}{{ '<|im_start|>system\n' + message['content'] + '<|im_end|>\n' }}{% endif %}` +
		`{% endfor %}` + generationPrompt},
	{"chatml", &chatMLOpen, `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] }}` +
		`{% if (loop.last and add_generation_prompt) or not loop.last %}{{ '<|im_end|>\n' }}{% endif %}{% endfor %}` +
		`{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}{{ '<|im_start|>assistant\n' }}{% endif %}`},
	{"sealion", nil, `{% for message in messages %}` + alternation +
		`{% if message['role'] == 'user' %}{{ '### USER:\n' + message['content'] + '\n\n' }}` +
		`{% elif message['role'] == 'assistant' %}{{ '### RESPONSE:\n' + message['content'] + '\n\n' }}{% endif %}` +
		`{% endfor %}{% if add_generation_prompt %}{{ '### RESPONSE:\n' }}{% endif %}`},
}

const (
	eachMessage      = `{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}`
	generationPrompt = `{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`
	alternation      = `{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}` +
		`{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}`
)

// matches compares normal forms. If want has a hole, it returns the text that
// fills it: not nothing, since an empty system prompt is not the same as none,
// and nothing with ChatML tokens in it.
func matches(want, got []node) (system string, ok bool) {
	if len(want) != len(got) {
		return "", false
	}
	for i, w := range want {
		if w == got[i] {
			continue
		}
		before, after, found := strings.Cut(w.text, hole)
		text := got[i].text
		if !found || w.kind != got[i].kind || len(text) < len(before)+len(after) ||
			!strings.HasPrefix(text, before) || !strings.HasSuffix(text, after) {
			return "", false
		}
		system = text[len(before) : len(text)-len(after)]
		if system == "" || strings.Contains(system, imStart) || strings.Contains(system, imEnd) ||
			strings.Contains(system, quote) {
			return "", false
		}
	}
	return system, true
}
