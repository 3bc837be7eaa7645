package server

import (
	"reflect"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// The log-probabilities of a streamed answer are those of a whole one, also where it ends at a
// string whose tokens were chosen but are no part of the text.
func TestStreamedLogprobs(t *testing.T) {
	_, h := start(t, serve.Options{})
	const story, most = `"prompt":"Once upon a time","temperature":0,`, `"max_tokens":40,`
	const oddBytes = `"prompt":"Once upon","max_tokens":40,"temperature":2,"top_k":0,"top_p":1,"min_p":0,"seed":33,
		"ignore_eos":true,"logit_bias":{"1298":18,"716":22,"622":18,"2505":20,"1812":20,"164":22,"247":22,"100":22,
		"4658":18,"174":22,"255":22,"248":22,"224":20},"logprobs":1,`
	chat, text := "/v1/chat/completions", "/v1/completions"
	for _, x := range []struct{ path, body, list string }{
		{chat, question + `,"temperature":0,"logprobs":true,"top_logprobs":1,` + most, "choices.0.logprobs.content"},
		{text, story + `"logprobs":1,` + most, "choices.0.logprobs.token_logprobs"},
		{text, story + `"logprobs":1,` + most, "choices.0.logprobs.text_offset"},
		{text, story + `"logprobs":1,"echo":true,` + most, "choices.0.logprobs.tokens"},
		{text, `"prompt":"<|endoftext|>日本é","logprobs":1,"echo":true,` + most, "choices.0.logprobs.text_offset"},
		{text, `"prompt":"<|endoftext|>日本é","logprobs":1,"echo":true,` + most, "choices.0.logprobs.token_logprobs"},
		{text, oddBytes, "choices.0.logprobs.token_logprobs"},
		{text, oddBytes, "choices.0.logprobs.text_offset"},
		{"/completion", story + `"n_probs":1,"n_predict":40,`, "completion_probabilities"},
		{"/completion", story + `"n_probs":1,"n_predict":3,"ignore_eos":true,"logit_bias":[[0,100]],`, "completion_probabilities"},
	} {
		for _, stop := range []string{
			`"."`, `"dog"`, `" little"`, `"ly","."`, `" was a li"`, `"ttle girl"`, `"nothing"`, `"e","i","a","o"`, `"é"`, `"\ufffd"`,
		} {
			body := `{"seed":1,` + x.body + `"stop":[` + stop + "]"
			_, b, _ := post(t, h.URL+x.path, body+"}")
			want, _ := at(object(t, b), x.list).([]any)
			_, b, _ = post(t, h.URL+x.path, body+`,"stream":true}`)
			got := []any{}
			for _, e := range events(t, b) {
				if e == "[DONE]" || strings.Contains(e, `"stop":true`) {
					continue
				}
				part, _ := at(object(t, []byte(e)), x.list).([]any)
				got = append(got, part...)
			}
			if want == nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, stop %s, %s: streamed\n%v\nwhole\n%v", x.path, stop, x.list, got, want)
			}
		}
	}
}

// An echo is whole characters in a stream, too, and tokens are where they are in the text.
func TestEchoedText(t *testing.T) {
	_, h := start(t, serve.Options{})
	body := `{"prompt":"<|endoftext|>日本é tea","echo":true,"max_tokens":3,"temperature":0,"logprobs":0`
	_, b, _ := post(t, h.URL+"/v1/completions", body+"}")
	v := object(t, b)
	whole, _ := at(v, "choices.0.text").(string)
	_, b, _ = post(t, h.URL+"/v1/completions", body+`,"stream":true}`)
	streamed := ""
	for _, e := range events(t, b) {
		if e != "[DONE]" {
			piece, _ := at(object(t, []byte(e)), "choices.0.text").(string)
			streamed += piece
		}
	}
	if streamed != whole || !strings.HasPrefix(whole, "<|endoftext|>日本é tea") {
		t.Errorf("streamed %q, whole %q", streamed, whole)
	}
	tokens, _ := at(v, "choices.0.logprobs.tokens").([]any)
	offsets, _ := at(v, "choices.0.logprobs.text_offset").([]any)
	if len(tokens) < 2 || tokens[0] != "<|endoftext|>" || offsets[1] != 13.0 {
		t.Errorf("tokens %v at %v", tokens, offsets)
	}
	for i, token := range tokens {
		text, _ := token.(string)
		from := int(offsets[i].(float64))
		if rest := string([]rune(whole)[from:]); !strings.Contains(text, "\ufffd") && !strings.HasPrefix(rest, text) {
			t.Errorf("token %d, %q, is said to begin at %q", i, text, rest)
		}
	}
}
