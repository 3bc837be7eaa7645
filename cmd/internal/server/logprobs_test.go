package server

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// The log-probabilities of a streamed answer are those of a whole one, also where it ends at a
// string whose tokens were chosen but are no part of the text.
func TestStreamedLogprobs(t *testing.T) {
	_, h := start(t, serve.Options{})
	story := `"prompt":"Once upon a time","temperature":0,`
	for _, x := range []struct{ path, body, list string }{
		{"/v1/chat/completions", question + `,"temperature":0,"logprobs":true,"top_logprobs":1,"max_tokens":40,`, "choices.0.logprobs.content"},
		{"/v1/completions", story + `"logprobs":1,"max_tokens":40,`, "choices.0.logprobs.token_logprobs"},
		{"/v1/completions", story + `"logprobs":1,"max_tokens":40,`, "choices.0.logprobs.text_offset"},
		{"/v1/completions", story + `"logprobs":1,"echo":true,"max_tokens":40,`, "choices.0.logprobs.tokens"},
		{"/completion", story + `"n_probs":1,"n_predict":40,`, "completion_probabilities"},
	} {
		for _, stop := range []string{`"."`, `"dog"`, `" little"`, `"ly","."`, `" was a li"`, `"ttle girl"`, `"nothing"`, `"e","i","a","o"`} {
			body := "{" + x.body + `"stop":[` + stop + "]"
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
				t.Errorf("%s, stop %s, %s: streamed\n%s\nwhole\n%s", x.path, stop, x.list, fmt.Sprint(got), fmt.Sprint(want))
			}
		}
	}
}
