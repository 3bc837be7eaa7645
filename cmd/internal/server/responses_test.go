package server

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// A stream has OpenAI's events in their order, numbered from 0, and ends with the response that
// a whole answer is.
func TestResponsesStream(t *testing.T) {
	_, h := start(t, serve.Options{})
	for fields, status := range map[string]string{
		`"max_output_tokens":12`: "incomplete", `"grammar":"root ::= \"yes\""`: "completed",
		`"max_output_tokens":9,"top_logprobs":2,"stop":["zebra"],"metadata":{"a":"b"},"instructions":"Be kind."`: "incomplete",
		`"max_output_tokens":3,"logit_bias":{"0":100}`:                                                           "completed", // nothing but the end
	} {
		body := `{"input":"Tell me a story","seed":3,` + fields
		_, b, _ := post(t, h.URL+"/v1/responses", body+`}`)
		whole := object(t, b)
		code, b, head := post(t, h.URL+"/v1/responses", body+`,"stream":true}`)
		if code != 200 || head.Get("Content-Type") != "text/event-stream; charset=utf-8" {
			t.Fatalf("%d %v", code, head)
		}
		types, list := named(t, b)
		for i, v := range list {
			if v["sequence_number"] != float64(i) {
				t.Errorf("%s: event %d: %v", fields, i, v)
			}
		}
		n := len(types)
		deltas := list[4 : n-4]
		for i, v := range deltas {
			if types[4+i] != "response.output_text.delta" || v["item_id"] != at(list[2], "item.id") ||
				v["output_index"] != 0.0 || v["content_index"] != 0.0 {
				t.Errorf("%s: %v", fields, v)
			}
		}
		order := strings.ReplaceAll(strings.Join(append(types[:4:4], types[n-4:]...), " "), "response.", "")
		if order != "created in_progress output_item.added content_part.added output_text.done content_part.done output_item.done "+status {
			t.Errorf("%s: the events are %s", fields, order)
		}
		if at(list[0], "response.status") != "in_progress" || at(list[0], "response.id") != at(list[n-1],
			"response.id") || whole["status"] != status {
			t.Errorf("%s: it begins with %v", fields, list[0])
		}
		text := textOf(deltas, "delta")
		if text != list[n-4]["text"] || text != at(list[n-3], "part.text") || text != at(list[n-2],
			"item.content.0.text") || list[n-2]["item_id"] == "" {
			t.Errorf("%s: the text is %q, the end says %v", fields, text, list[n-4:])
		}
		last, _ := list[n-1]["response"].(map[string]any)
		for _, v := range []map[string]any{last, whole} { // what differs between equal answers
			delete(v, "id")
			delete(v, "created_at")
			delete(at(v, "output.0").(map[string]any), "id")
			delete(at(v, "usage.input_tokens_details").(map[string]any), "cached_tokens")
		}
		if !reflect.DeepEqual(last, whole) {
			t.Errorf("%s: the stream ends with %v\nwhole: %v", fields, last, whole)
		}
	}
}

// What the fields of a request mean, and what an answer repeats of them.
func TestResponsesFields(t *testing.T) {
	_, h := start(t, serve.Options{})
	ask := func(path, body string) map[string]any {
		status, b, _ := post(t, h.URL+path, body)
		if status != 200 {
			t.Errorf("%s: %d %s", body, status, b)
		}
		return object(t, b)
	}
	for _, x := range []struct{ fields, messages string }{
		{`"input":[{"role":"user","content":[{"type":"input_text","text":"A"},{"type":"input_text","text":"b"}]}]`,
			`{"role":"user","content":"A\nb"}`},
		{`"instructions":"Be","input":[{"role":"developer","content":"kind."},{"type":"message","role":"user","content":"A"}]`,
			`{"role":"system","content":"Be\nkind."},{"role":"user","content":"A"}`},
		{`"input":[{"role":"user","content":"A"},{"type":"message","id":"msg_1","status":"completed","role":"assistant",
			"content":[{"type":"output_text","text":"One.","annotations":[]}]},{"role":"user","content":"More"}]`,
			`{"role":"user","content":"A"},{"role":"assistant","content":"One."},{"role":"user","content":"More"}`},
		{`"input":"A","store":false,"previous_response_id":null,"tools":[],"tool_choice":"auto","text":{"format":{"type":"text"},"verbosity":"low"},"background":false,
			"include":["reasoning.encrypted_content"],"truncation":"auto","reasoning":{"effort":"low"},"parallel_tool_calls":true,"prompt_cache_key":"x"`,
			`{"role":"user","content":"A"}`},
	} {
		v := ask("/v1/responses", `{"temperature":0,"max_output_tokens":20,`+x.fields+`}`)
		w := ask("/v1/chat/completions", `{"temperature":0,"max_tokens":20,"messages":[`+x.messages+`]}`)
		got := fmt.Sprint(at(v, "usage.input_tokens"), at(v, "output.0.content.0.text"))
		if want := fmt.Sprint(at(w, "usage.prompt_tokens"), at(w, "choices.0.message.content")); got != want {
			t.Errorf("%s: %q, want %q", x.fields, got, want)
		}
	}
	v := ask("/v1/responses",
		`{"input":"A","max_output_tokens":3,"top_p":0.5,"metadata":{"a":"b"},"instructions":"Be kind.","text":{"format":{"type":"json_object"}}}`)
	got := fmt.Sprint(v["store"], v["object"], v["model"], v["max_output_tokens"], v["temperature"], v["top_p"],
		v["metadata"], v["instructions"],
		v["incomplete_details"], v["error"], at(v, "text.format.type"), at(v, "usage.output_tokens_details"), at(v,
			"output.0.role"), at(v, "output.0.content.0.type"))
	const want = "falseresponsempt-stories3 0.8 0.5 map[a:b]Be kind.map[reason:max_output_tokens] <nil>json_objectmap[reasoning_tokens:0]assistantoutput_text"
	if text, _ := at(v, "output.0.content.0.text").(string); got != want || text[0] != '{' {
		t.Errorf("%v\nis %s\nwant %s", v, got, want)
	}
	if _, b, _ := post(t, h.URL+"/v1/responses",
		`{"input":[{"type":"item_reference","id":"msg_1"}]}`); !strings.Contains(string(b), "nothing is kept") {
		t.Errorf("%s", b)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if status, b, _ := send(t, method, h.URL+"/v1/responses/resp_1", nil); status != 404 ||
			!strings.Contains(string(b), "nothing is kept") {
			t.Errorf("%s: %d %s", method, status, b)
		}
	}
}

// Log-probabilities are those of a chat, whole and streamed.
func TestResponsesLogprobs(t *testing.T) {
	_, h := start(t, serve.Options{})
	for _, x := range []struct {
		fields, both string
		top          int
	}{
		{`"top_logprobs":3`, `"stop":["."]`, 3},
		{`"include":["message.output_text.logprobs"]`, `"stop":[]`, 0},
		{`"top_logprobs":1`, `"ignore_eos":true,"logit_bias":{"0":100}`, 1}, // tokens without text
	} {
		body := `{"input":"Tell me a story about a dog.","seed":4,"max_output_tokens":30,` + x.both + `,` + x.fields
		chat := fmt.Sprintf(`{%s,"seed":4,"max_tokens":30,%s,"logprobs":true,"top_logprobs":%d}`, question, x.both,
			x.top)
		_, b, _ := post(t, h.URL+"/v1/chat/completions", chat)
		want := at(object(t, b), "choices.0.logprobs.content").([]any)
		_, b, _ = post(t, h.URL+"/v1/responses", body+`}`)
		whole := at(object(t, b), "output.0.content.0.logprobs")
		_, b, _ = post(t, h.URL+"/v1/responses", body+`,"stream":true}`)
		_, list := named(t, b)
		streamed := []any{}
		for _, v := range list {
			if v["type"] == "response.output_text.delta" {
				streamed = append(streamed, v["logprobs"].([]any)...)
			}
		}
		if len(want) == 0 || !reflect.DeepEqual(whole, any(want)) || !reflect.DeepEqual(streamed, want) {
			t.Errorf("%s: whole %v\nstreamed %v\nwant %v", x.fields, whole, streamed, want)
		}
	}
}

// An error in the middle of a stream is a response that failed.
func TestResponsesError(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := post(t, h.URL+"/tokenize", `{"content":"a"}`)
	id, _ := json.Marshal(at(object(t, b), "tokens.0"))
	_, b, _ = post(t, h.URL+"/v1/responses", `{"input":"a","stream":true,"grammar":"root ::= \"a\"","logit_bias":{"`+string(id)+`":-100}}`)
	types, list := named(t, b)
	v := list[len(list)-1]["response"]
	if types[len(types)-1] != "response.failed" || at(v, "status") != "failed" || at(v,
		"error.code") != "invalid_prompt" ||
		!strings.Contains(fmt.Sprint(at(v, "error.message")), "every token is ruled out") {
		t.Errorf("%s", b)
	}
	if code := at((&responseAnswer{m: &served{}}).failed(errorOf(serve.ErrClosed)),
		"error.code"); code != "server_error" {
		t.Errorf("the end of the server is %v", code)
	}
}

// How many tokens a request has is what its answer says, and nothing is evaluated for it.
func TestResponseTokens(t *testing.T) {
	s, h := start(t, serve.Options{})
	for _, body := range []string{
		`{"input":"Hello"}`, `{"input":[{"role":"user","content":[{"type":"input_text","text":"Hello"}]}],"instructions":"Be kind.","model":"alias"}`,
	} {
		before := s.models.all[0].m.Engine.Stats().PromptTokens
		status, b, _ := post(t, h.URL+"/v1/responses/input_tokens", body)
		v := object(t, b)
		if status != 200 || v["object"] != "response.input_tokens" || s.models.all[0].m.Engine.Stats().PromptTokens != before {
			t.Errorf("%s: %d %s", body, status, b)
		}
		_, b, _ = post(t, h.URL+"/v1/responses", strings.TrimSuffix(body, "}")+`,"max_output_tokens":1}`)
		if n := at(object(t, b), "usage.input_tokens"); n != v["input_tokens"] || n == 0.0 {
			t.Errorf("%s: %v tokens, the answer says %v", body, v["input_tokens"], n)
		}
	}
	for body, param := range map[string]string{`{}`: "input", `{"input":[]}`: "input", `{"input":"a","tools":[{}]}`: "tools", `{"input":"a","conversation":"c"}`: "conversation"} {
		status, b, head := post(t, h.URL+"/v1/responses/input_tokens", body)
		code := map[string]string{"tools": "tools_not_supported"}[param]
		checkError(t, body, "/v1/responses/input_tokens", status, 400, code, param, b, head)
	}
}
