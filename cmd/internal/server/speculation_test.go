package server

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/serve"
)

// With guesses an answer is the same, streamed or not, and it says how many came true; so do the
// metrics, which count tokens that took no step as tokens.
func TestSpeculationIsTold(t *testing.T) {
	_, plain := start(t, serve.Options{})
	_, guessing := start(t, serve.Options{Speculate: &mpt.Speculation{Always: true, Max: 3}})
	drafted, accepted := 0.0, 0.0
	for _, request := range []string{
		`"seed": 2, "temperature": 0, "logprobs": 2`, `"seed": 3, "ignore_eos": true`, `"seed": 4, "stop": ["cat"]`, `"seed": 5, "mirostat": 2`,
		`"seed": 6, "grammar": "root ::= (\"a cat \" | \"a dog \")+"`, `"seed": 7, "repeat_penalty": 1.3, "dry_multiplier": 1`,
	} {
		body := `{"prompt": "A cat and a dog. A cat and a dog. A cat and", "max_tokens": 30, ` + request + `}`
		_, want, _ := post(t, plain.URL+"/v1/completions", body)
		_, got, _ := post(t, guessing.URL+"/v1/completions", body)
		if stable(t, want) != stable(t, got) {
			t.Errorf("%s:\n%s\n%s", request, stable(t, want), stable(t, got))
		}
		_, want, _ = post(t, plain.URL+"/completion", body)
		_, got, _ = post(t, guessing.URL+"/completion", body)
		if at(object(t, want), "timings.draft_n") != nil {
			t.Errorf("guesses nobody asked for: %s", want)
		}
		n, _ := at(object(t, got), "timings.draft_n").(float64)
		a, _ := at(object(t, got), "timings.draft_n_accepted").(float64)
		drafted, accepted = drafted+n, accepted+a
		stream := strings.Replace(body, "{", `{"stream": true, `, 1)
		_, x, _ := post(t, plain.URL+"/v1/completions", stream)
		_, y, _ := post(t, guessing.URL+"/v1/completions", stream)
		if a, b := streamed(t, x), streamed(t, y); a != b || a == "" {
			t.Errorf("%s, streamed:\n%s\n%s", request, a, b)
		}
	}
	if accepted == 0 || drafted <= accepted {
		t.Errorf("%v of %v guesses", accepted, drafted)
	}
	_, text, _ := send(t, "GET", guessing.URL+"/metrics", nil)
	for name, least := range map[string]float64{
		"vllm:spec_decode_num_draft_tokens_total": drafted, "vllm:spec_decode_num_accepted_tokens_total": accepted,
	} {
		var v float64
		m := regexp.MustCompile(`(?m)^` + name + `\{[^}]*\} (\S+)$`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in %s", name, text)
		}
		if fmt.Sscan(string(m[1]), &v); v < least {
			t.Errorf("%s is %v, less than %v", name, v, least)
		}
	}
}

// streamed is what the events of a stream say to a reader, choice by choice.
func streamed(t *testing.T, b []byte) string {
	texts := map[string]string{}
	for _, e := range events(t, b) {
		if e == "[DONE]" {
			continue
		}
		v := object(t, []byte(e))
		texts[fmt.Sprint(at(v, "choices.0.index"))] += fmt.Sprint(at(v, "choices.0.text"), at(v, "choices.0.logprobs"), at(v, "choices.0.finish_reason"))
	}
	return fmt.Sprint(texts)
}
