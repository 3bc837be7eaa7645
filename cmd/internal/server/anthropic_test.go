package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/serve"
)

// named returns the events of a stream whose events have names, which have to be their types.
func named(t testing.TB, b []byte) (types []string, list []map[string]any) {
	t.Helper()
	for event := range bytes.SplitSeq(bytes.TrimSuffix(b, []byte("\n\n")), []byte("\n\n")) {
		name, data, ok := strings.Cut(string(event), "\ndata: ")
		v := object(t, []byte(data))
		if !ok || name != "event: "+fmt.Sprint(v["type"]) {
			t.Fatalf("an event %q", event)
		}
		types, list = append(types, v["type"].(string)), append(list, v)
	}
	return types, list
}

// A stream has Anthropic's events in their order; together they say what a whole answer says.
func TestAnthropicStream(t *testing.T) {
	_, h := start(t, serve.Options{})
	for _, fields := range []string{`"max_tokens":12`, `"max_tokens":60,"stop_sequences":["zebra","."," the"]`,
		`"max_tokens":1,"logit_bias":{"0":100}`} {
		body := `{` + question + `,"seed":3,"metadata":{"user_id":"x"},` + fields
		_, b, _ := post(t, h.URL+"/v1/messages", body+`}`, "anthropic-version", "2023-06-01")
		whole := object(t, b)
		status, b, head := post(t, h.URL+"/v1/messages", body+`,"stream":true}`, "anthropic-version", "2023-06-01")
		if status != 200 || head.Get("Content-Type") != "text/event-stream; charset=utf-8" ||
			head.Get("Request-Id") != head.Get("X-Request-Id") {
			t.Fatalf("%d %v", status, head)
		}
		types, list := named(t, b)
		n := len(types)
		text := textOf(list, "delta.text")
		for i := range max(n-6, 0) {
			if v := list[3+i]; types[3+i] != "content_block_delta" || v["index"] != 0.0 || at(v,
				"delta.type") != "text_delta" || at(v, "delta.text") == "" {
				t.Errorf("%s: %v", fields, v)
			}
		}
		types = append(types[:3:3], types[n-3:]...)
		if got := strings.Join(types,
			" "); got != "message_start content_block_start ping content_block_stop message_delta message_stop" {
			t.Errorf("%s: the events are %s", fields, got)
		}
		message := at(list[0], "message")
		if at(message, "stop_reason") != nil || at(message, "usage.output_tokens") != 0.0 || at(message,
			"id") == whole["id"] || at(message, "seed") != 3.0 ||
			fmt.Sprint(at(message, "content")) != "[]" || at(message, "role") != "assistant" || at(message,
			"type") != "message" || at(message, "model") != "mpt-stories" {
			t.Errorf("%s: it begins with %v", fields, message)
		}
		end := list[n-2]
		got := fmt.Sprint(text, at(end, "delta.stop_reason"), at(end, "delta.stop_sequence"), at(end,
			"usage.output_tokens"))
		want := fmt.Sprint(at(whole, "content.0.text"), whole["stop_reason"], whole["stop_sequence"], at(whole,
			"usage.output_tokens"))
		const in = "usage.input_tokens usage.cache_read_input_tokens usage.cache_creation_input_tokens"
		if got != want || sum(end, in) != sum(whole, in) || sum(message, in) != sum(whole, in) {
			t.Errorf("%s: streamed %s\nwhole %s\n%v\n%v", fields, got, want, end, whole)
		}
	}
}

// What Anthropic's fields mean.
func TestAnthropicFields(t *testing.T) {
	_, h := start(t, serve.Options{})
	ask := func(path, body string) map[string]any {
		status, b, _ := post(t, h.URL+path, body)
		if status != 200 {
			t.Errorf("%s: %d %s", body, status, b)
		}
		return object(t, b)
	}
	say := func(fields string) map[string]any {
		return ask("/v1/messages", `{"temperature":0,"max_tokens":30,`+fields+`}`)
	}
	openai := func(messages string) string {
		v := ask("/v1/chat/completions", `{"temperature":0,"max_tokens":30,"messages":[`+messages+`]}`)
		return fmt.Sprint(at(v, "usage.prompt_tokens"), at(v, "choices.0.message.content"))
	}
	for _, x := range []struct{ fields, messages string }{
		{`"messages":[{"role":"user","content":[{"type":"text","text":"A","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}]}]`,
			`{"role":"user","content":"A\nb"}`},
		{`"messages":[{"role":"user","content":"A"},{"role":"user","content":"b"}]`,
			`{"role":"user","content":"A\nb"}`},
		{`"system":[{"type":"text","text":"Be"},{"type":"text","text":"kind."}],"messages":[{"role":"user","content":"A"}]`,
			`{"role":"system","content":"Be\nkind."},{"role":"user","content":"A"}`},
		{question[:len(question)-1] + `,{"role":"assistant","content":"Once upon"}]`,
			question[len(`"messages":[`):len(question)-1] + `,{"role":"assistant","content":"Once upon"}`},
		{question + `,"tools":[],"tool_choice":{"type":"auto"},"thinking":{"type":"disabled"},"container":null,"mcp_servers":[],"service_tier":"auto",
			"output_config":{"effort":"low"},"stop_sequences":[]`, question[len(`"messages":[`) : len(question)-1]},
	} {
		v := say(x.fields)
		got := fmt.Sprint(sum(v, "usage.input_tokens usage.cache_read_input_tokens"), at(v, "content.0.text"))
		if want := openai(x.messages); got != want {
			t.Errorf("%s: %q, want %q", x.fields, got, want)
		}
	}
	v := say(question + `,"stop_sequences":["zebra"," a "," was"]`)
	text, _ := at(v, "content.0.text").(string)
	if v["stop_reason"] != "stop_sequence" || v["stop_sequence"] != " was" && v["stop_sequence"] != " a " ||
		strings.Contains(text, " was") {
		t.Errorf("%v", v)
	}
	v = say(question + `,"grammar":"root ::= \"yes\""`)
	if v["stop_reason"] != "end_turn" || v["stop_sequence"] != nil || at(v, "content.0.text") != "yes" {
		t.Errorf("%v", v)
	}
}

// With max_tokens 0 a prompt is only read; what the cache has of one is counted by itself.
func TestAnthropicUsage(t *testing.T) {
	_, h := start(t, serve.Options{})
	body := `{"messages":[{"role":"user","content":"A story about a cat and a dog who were friends"}]`
	_, b, _ := post(t, h.URL+"/v1/messages/count_tokens", body+`}`)
	n := at(object(t, b), "input_tokens").(float64)
	for i, max := range []int{0, 1, 1} {
		_, b, _ := post(t, h.URL+"/v1/messages", fmt.Sprintf(`%s,"max_tokens":%d,"ignore_eos":true}`, body, max))
		v := object(t, b)
		read := at(v, "usage.cache_read_input_tokens").(float64)
		if at(v, "usage.input_tokens").(float64)+read != n || (read > n-2) != (i > 0) || at(v,
			"usage.output_tokens") != float64(max) || v["stop_reason"] != "max_tokens" {
			t.Errorf("the prompt has %v tokens: %s", n, b)
		}
	}
}

// A string of the format that ends an answer ends the turn.
func TestAnthropicReason(t *testing.T) {
	a := &messageAnswer{asked: []string{"x"}}
	for _, x := range []struct {
		why        mpt.Reason
		stop, want string
	}{
		{mpt.EndedStop, "x", "stop_sequence x"}, {mpt.EndedStop, "### End", "end_turn <nil>"}, {mpt.EndedToken, "",
			"end_turn <nil>"},
		{mpt.EndedLimit, "", "max_tokens <nil>"}, {mpt.EndedFull, "", "max_tokens <nil>"},
	} {
		why, stop := a.reason(&answered{why: x.why, stop: x.stop})
		if got := fmt.Sprint(why, " ", stop); got != x.want {
			t.Errorf("%s %s: %s, want %s", x.why, x.stop, got, x.want)
		}
	}
}

// An error in the middle of a stream is an event of its own.
func TestAnthropicError(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := post(t, h.URL+"/tokenize", `{"content":"a"}`)
	id, _ := json.Marshal(at(object(t, b), "tokens.0"))
	_, b, head := post(t, h.URL+"/v1/messages", `{`+question+`,"max_tokens":5,"stream":true,"grammar":"root ::= \"a\"","logit_bias":{"`+string(id)+`":-100}}`)
	types, list := named(t, b)
	last := list[len(list)-1]
	if types[len(types)-1] != "error" || at(last, "error.type") != "invalid_request_error" ||
		last["request_id"] != head.Get("X-Request-Id") ||
		!strings.Contains(fmt.Sprint(at(last, "error.message")), "every token is ruled out") {
		t.Errorf("%s", b)
	}
}
