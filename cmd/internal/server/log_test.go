package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// The line of a request says what became of it; texts are in it only if they are wanted.
func TestLogLine(t *testing.T) {
	for _, texts := range []bool{false, true} {
		var log lockedLog
		_, h := start(t, serve.Options{}, pooling(serve.MeanPooling), func(c *Config) {
			c.Log, c.LogText = slog.New(slog.NewJSONHandler(&log, nil)), texts
		})
		line := func() map[string]any {
			t.Helper()
			waitFor(t, "no line", func() bool { return strings.HasSuffix(log.String(), "\n") })
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			var v map[string]any
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
				t.Fatal(err)
			}
			log.mu.Lock()
			defer log.mu.Unlock()
			log.b.Reset()
			return v
		}
		_, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":["Once upon a time","The dog"],"n":2,"max_tokens":3,"temperature":0}`)
		v, answer := line(), object(t, b)
		if v["finish_reason"] != "length" || v["completion_tokens"] != 12.0 || v["model"] != "mpt-stories" || v["status"] != 200.0 {
			t.Errorf("%v", v)
		}
		prompts, answers := v["prompts"], v["answers"]
		want := fmt.Sprint([]any{at(answer, "choices.0.text"), at(answer, "choices.2.text")})
		if texts != (fmt.Sprint(prompts) == "[Once upon a time The dog]" && fmt.Sprint(answers) == want) || !texts && (prompts != nil || answers != nil) {
			t.Errorf("texts %v: %v, want %s", texts, v, want)
		}
		post(t, h.URL+"/v1/completions", `{"prompt":"Once upon a time","n":2,"max_tokens":40,"seed":3,"stop":[" the"],"stream":true}`)
		if v := line(); v["finish_reason"] == nil || strings.Trim(v["finish_reason"].(string), "stoplength,") != "" {
			t.Errorf("%v", v)
		}
		post(t, h.URL+"/v1/embeddings", `{"input":"a"}`)
		if v := line(); v["finish_reason"] != nil || v["prompt_tokens"] != 1.0 {
			t.Errorf("%v", v)
		}
	}
}

// The time that grammars take is in the metrics.
func TestMaskTime(t *testing.T) {
	_, h := start(t, serve.Options{})
	count := func() string {
		_, b, _ := send(t, "GET", h.URL+"/metrics", nil)
		_, rest, _ := strings.Cut(string(b), "\nmpt_grammar_mask_seconds_count{model_name=\"mpt-stories\"} ")
		n, _, _ := strings.Cut(rest, "\n")
		return n
	}
	post(t, h.URL+"/v1/completions", `{"prompt":"Once","max_tokens":3}`)
	if n := count(); n != "0" {
		t.Errorf("%s masks without a grammar", n)
	}
	post(t, h.URL+"/v1/completions", `{"prompt":"Once","max_tokens":3,"grammar":"root ::= [a-z]+"}`)
	if n := count(); n != "3" {
		t.Errorf("%s masks for three tokens", n)
	}
}
