package server

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// badJSON are bodies that are no JSON object.
var badJSON = []string{
	``,
	`{`,
	`hello`,
	`{"a":1} {"b":2}`,
	`{"a":1} // x`,
	`{"a":NaN}`,
	`{"a":1e999}`,
	"\ufeff{}",
	"{\"a\":\"\x00\"}",
	"{\"a\":\"\xff\"}",
	`{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`,
	`[]`,
	`5`,
}

// TestBadJSON sends them to every path that takes a body.
func TestBadJSON(t *testing.T) {
	_, h := start(t, serve.Options{})
	for _, r := range routes {
		if status, _, _ := post(t, h.URL+r.path, "{}"); r.method != "POST" || status == 501 {
			continue
		}
		for _, body := range badJSON {
			if body == "[]" && r.path == "/lora-adapters" {
				continue // which takes a list
			}
			status, b, head := post(t, h.URL+r.path, body)
			checkError(t, r.path+" "+body, r.path, status, 400, "invalid_json", "", b, head)
		}
	}
}

// checkError wants an error in the form that the clients of a path expect, about a field.
func checkError(t *testing.T, what, path string, status, want int, code, param string, b []byte, head http.Header) {
	t.Helper()
	if status != want || head.Get("Content-Type") != "application/json" || head.Get("X-Request-Id") == "" {
		t.Errorf("%s: status %d, want %d: %s", what, status, want, b)
		return
	}
	e := object(t, b)
	message, _ := at(e, "error.message").(string)
	switch {
	case strings.HasPrefix(path, "/api/"):
		message, _ = e["error"].(string)
	case strings.HasPrefix(strings.TrimPrefix(path, "/v1"), "/messages"):
		kind := map[int]string{401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
			503: "overloaded_error"}[want]
		if e["type"] != "error" || at(e, "error.type") != cmp.Or(kind, "invalid_request_error") || e["request_id"] != head.Get("X-Request-Id") {
			t.Errorf("%s: %s", what, b)
		}
	default:
		if got := fmt.Sprint(at(e, "error.code"), " ", at(e, "error.param")); got != fmt.Sprint(or(code), " ", or(param)) || at(e, "error.type") == nil {
			t.Errorf("%s: code and param %s, want %s %s: %s", what, got, or(code), or(param), b)
		}
	}
	if !strings.Contains(message, param) || len(message) < 10 || strings.Contains(message, "map[") || strings.Contains(message, "json.") {
		t.Errorf("%s: the message is %q", what, message)
	}
}

// TestBadInput sends what no client should: each gets its status, type, code and field, and
// the server goes on.
func TestBadInput(t *testing.T) {
	_, h := start(t, serve.Options{})
	chat := func(fields string) string { return `{"messages":[{"role":"user","content":"a"}],` + fields + `}` }
	text := func(fields string) string { return `{"prompt":"a",` + fields + `}` }
	input := func(fields string) string { return `{"input":"a",` + fields + `}` }
	msg := func(m string) string { return `{"messages":` + m + `}` }
	long := strings.Repeat("word ", 3000)
	for _, x := range []struct {
		path, body  string
		status      int
		code, param string
	}{
		{"chat/completions", `{}`, 400, "", "messages"},
		{"chat/completions", msg(`null`), 400, "", "messages"},
		{"chat/completions", msg(`[]`), 400, "", "messages"},
		{"chat/completions", msg(`{}`), 400, "", "messages"},
		{"chat/completions", msg(`"a"`), 400, "", "messages"},
		{"chat/completions", msg(`["a"]`), 400, "", "messages[0]"},
		{"chat/completions", msg(`[{"content":"a"}]`), 400, "", "messages[0].role"},
		{"chat/completions", msg(`[{"role":"king","content":"a"}]`), 400, "", "messages[0].role"},
		{"chat/completions", msg(`[{"role":5,"content":"a"}]`), 400, "", "messages[0].role"},
		{"chat/completions", msg(`[{"role":"user"}]`), 400, "", "messages[0].content"},
		{"chat/completions", msg(`[{"role":"user","content":5}]`), 400, "", "messages[0].content"},
		{"chat/completions", msg(`[{"role":"user","content":{}}]`), 400, "", "messages[0].content"},
		{"chat/completions", msg(`[{"role":"user","content":[{"text":"a"}]}]`), 400, "", "messages[0].content[0].type"},
		{"chat/completions", msg(`[{"role":"user","content":[{"type":"text"}]}]`), 400, "", "messages[0].content[0].text"},
		{"chat/completions", msg(`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x"}}]}]`), 400,
			"unsupported_content", "messages[0].content[0].type"},
		{"completions", `{}`, 400, "", "prompt"},
		{"completions", `{"prompt":5}`, 400, "", "prompt"},
		{"completions", `{"prompt":{}}`, 400, "", "prompt"},
		{"completions", `{"prompt":[]}`, 400, "", "prompt"},
		{"completions", `{"prompt":[true]}`, 400, "", "prompt[0]"},
		{"completions", `{"prompt":[1,"a"]}`, 400, "", "prompt[1]"},
		{"completions", `{"prompt":["a",1]}`, 400, "", "prompt[1]"},
		{"completions", `{"prompt":[-1]}`, 400, "", "prompt[0]"},
		{"completions", `{"prompt":[[1,99999]]}`, 400, "", "prompt[0][1]"},
		{"completions", `{"prompt":[1.5]}`, 400, "", "prompt[0]"},
		{"chat/completions", chat(`"max_tokens":-5`), 400, "", "max_tokens"},
		{"chat/completions", chat(`"max_tokens":0`), 400, "", "max_tokens"},
		{"chat/completions", chat(`"max_tokens":1.5`), 400, "", "max_tokens"},
		{"chat/completions", chat(`"max_tokens":"ten"`), 400, "", "max_tokens"},
		{"chat/completions", chat(`"max_tokens":1e300`), 400, "", "max_tokens"},
		{"chat/completions", chat(`"n":0`), 400, "", "n"},
		{"chat/completions", chat(`"n":-1`), 400, "", "n"},
		{"chat/completions", chat(`"n":17`), 400, "", "n"},
		{"chat/completions", chat(`"temperature":-0.5`), 400, "", "temperature"},
		{"chat/completions", chat(`"temperature":"hot"`), 400, "", "temperature"},
		{"chat/completions", chat(`"temperature":"1"`), 400, "", "temperature"},
		{"chat/completions", chat(`"top_p":1.5`), 400, "", "top_p"},
		{"chat/completions", chat(`"min_p":2`), 400, "", "min_p"},
		{"chat/completions", chat(`"presence_penalty":50`), 400, "", "presence_penalty"},
		{"chat/completions", chat(`"frequency_penalty":50`), 400, "", "frequency_penalty"},
		{"chat/completions", chat(`"seed":"x"`), 400, "", "seed"},
		{"chat/completions", chat(`"seed":1.5`), 400, "", "seed"},
		{"chat/completions", chat(`"logprobs":true,"top_logprobs":21`), 400, "", "top_logprobs"},
		{"chat/completions", chat(`"logprobs":true,"top_logprobs":-1`), 400, "", "top_logprobs"},
		{"chat/completions", chat(`"top_logprobs":2`), 400, "", "top_logprobs"},
		{"chat/completions", chat(`"logprobs":5`), 400, "", "logprobs"},
		{"completions", text(`"logprobs":5000`), 400, "", "logprobs"},
		{"chat/completions", chat(`"stop":5`), 400, "", "stop"},
		{"chat/completions", chat(`"stop":[1]`), 400, "", "stop"},
		{"chat/completions", chat(`"stop":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 17), ",") + `]`), 400, "", "stop"},
		{"chat/completions", chat(`"stream":"yes"`), 400, "", "stream"},
		{"chat/completions", chat(`"stream_options":5`), 400, "", "stream_options"},
		{"chat/completions", chat(`"logit_bias":["a"]`), 400, "", "logit_bias"},
		{"chat/completions", chat(`"logit_bias":{"a":1}`), 400, "", "logit_bias"},
		{"chat/completions", chat(`"logit_bias":{"1":"a"}`), 400, "", "logit_bias"},
		{"chat/completions", chat(`"logit_bias":{"999999":1}`), 400, "", "logit_bias"},
		{"chat/completions", chat(`"logit_bias":{"1":1e6}`), 400, "", "logit_bias"},
		{"chat/completions", chat(`"logit_bias":{` + manyBiases(1025) + `}`), 400, "", "logit_bias"},
		{"chat/completions", chat(`"samplers":"dice"`), 400, "", "samplers"},
		{"chat/completions", chat(`"tools":5`), 400, "", "tools"},
		{"chat/completions", chat(`"tools":[{"type":"function"}]`), 400, "tools_not_supported", "tools"},
		{"chat/completions", chat(`"tool_choice":{"type":"function","function":{"name":"x"}}`), 400, "tools_not_supported", "tool_choice"},
		{"chat/completions", chat(`"lora":[{"id":3}]`), 400, "", "lora[0].id"},
		{"completions", text(`"suffix":"b"`), 400, "", "suffix"},
		{"completions", text(`"best_of":2,"n":3`), 400, "", "best_of"},
		{"completions", text(`"best_of":0`), 400, "", "best_of"},
		{"completions", text(`"best_of":17`), 400, "", "best_of"},
		{"completions", text(`"best_of":1.5`), 400, "", "best_of"},
		{"completions", text(`"best_of":"two"`), 400, "", "best_of"},
		{"completions", text(`"best_of":2,"n":1,"stream":true`), 400, "", "best_of"},
		{"chat/completions", chat(`"response_format":"json"`), 400, "invalid_schema", "response_format"},
		{"chat/completions", chat(`"response_format":{"type":"json_object","json_schema":{"type":"string"}}`), 400, "invalid_schema", "response_format"},
		{"chat/completions", chat(`"response_format":{"type":"text","schema":{}}`), 400, "invalid_schema", "response_format"},
		{"chat/completions", chat(`"response_format":{"type":"json_schema","json_schema":"x"}`), 400, "invalid_schema", "response_format"},
		{"chat/completions", chat(`"structured_outputs":{"json":{"not":{}}}`), 400, "invalid_schema", "structured_outputs.json"},
		{"chat/completions", chat(`"structured_outputs":{"regex":"a","choice":["b"]}`), 400, "invalid_grammar", "structured_outputs.regex"},
		{"chat/completions", chat(`"structured_outputs":7`), 400, "", "structured_outputs"},
		{"chat/completions", chat(`"ebnf":"root ::= a"`), 400, "invalid_grammar", "ebnf"},
		{"chat/completions", chat(`"guided_choice":[null,"a"]`), 400, "invalid_grammar", "guided_choice"},
		{"chat/completions", chat(`"response_format":{"type":"poem"}`), 400, "invalid_schema", "response_format"},
		{"chat/completions", chat(`"response_format":{"type":"json_schema"}`), 400, "invalid_schema", "response_format"},
		{"chat/completions", chat(`"response_format":{"type":"json_schema","json_schema":{"name":"x"}}`), 400, "invalid_schema", "response_format"},
		{"chat/completions", chat(`"response_format":{"type":"json_schema","json_schema":{"schema":{"not":{}}}}`), 400, "invalid_schema", "response_format.json_schema.schema"},
		{"chat/completions", chat(`"response_format":{"type":"json_schema","json_schema":{"schema":false}}`), 400, "invalid_schema", "response_format.json_schema.schema"},
		{"chat/completions", chat(`"response_format":{"type":"json_schema","json_schema":{"schema":7}}`), 400, "invalid_schema", "response_format.json_schema.schema"},
		{"chat/completions", chat(`"response_format":{"type":"json_schema","schema":{"pattern":"(?=a)"}}`), 400, "invalid_schema", "response_format.schema"},
		{"chat/completions", chat(`"response_format":{"type":"json_object","schema":{"requird":[]}}`), 400, "invalid_schema", "response_format.schema"},
		{"chat/completions", chat(`"json_schema":{"$ref":"https://example.org/x"}`), 400, "invalid_schema", "json_schema"},
		{"chat/completions", chat(`"guided_json":"{"`), 400, "invalid_schema", "guided_json"},
		{"chat/completions", chat(`"guided_json":{"type":"null"},"json_schema":{}`), 400, "invalid_schema", "guided_json"},
		{"chat/completions", chat(`"guided_regex":"(a"`), 400, "invalid_grammar", "guided_regex"},
		{"chat/completions", chat(`"guided_choice":[]`), 400, "invalid_grammar", "guided_choice"},
		{"chat/completions", chat(`"guided_choice":["a",1]`), 400, "invalid_grammar", "guided_choice"},
		{"chat/completions", chat(`"json_schema":{},"ignore_eos":true`), 400, "", "ignore_eos"},
		{"chat/completions", chat(`"response_format":{}`), 400, "invalid_schema", "response_format"},
		{"chat/completions", chat(`"response_format":{"type":"json_object"},"grammar":"root ::= ."`), 400, "invalid_grammar", "grammar"},
		{"chat/completions", chat(`"grammar":"root ::= \"a"`), 400, "invalid_grammar", "grammar"},
		{"chat/completions", chat(`"grammar":"root ::= root \"a\" | \"b\""`), 400, "invalid_grammar", "grammar"},
		{"completions", text(`"grammar":"root ::= a"`), 400, "invalid_grammar", "grammar"},
		{"chat/completions", chat(`"grammar":"root ::= .","guided_grammar":"root ::= ."`), 400, "invalid_grammar", "guided_grammar"},
		{"chat/completions", chat(`"grammar":"root ::= .","ignore_eos":true`), 400, "", "ignore_eos"},
		{"chat/completions", chat(`"grammar":5`), 400, "", "grammar"},
		{"chat/completions", chat(`"continue_tokens":[99999]`), 400, "", "continue_tokens[0]"},
		{"chat/completions", chat(`"priority":5`), 400, "", "priority"},
		{"completions", `{"prompt":"` + long + `"}`, 400, "context_length_exceeded", ""},
		{"chat/completions", msg(`[{"role":"user","content":"` + long + `"}]`), 400, "context_length_exceeded", ""},
		{"chat/completions", chat(`"model":"gpt-4"`), 404, "model_not_found", "model"},
		{"chat/completions", chat(`"model":5`), 400, "", "model"},
		{"tokenize", `{}`, 400, "", "content"},
		{"api/chat", msg(`{}`), 400, "", "messages"},
		{"api/chat", msg(`"a"`), 400, "", "messages"},
		{"api/chat", msg(`["a"]`), 400, "", "messages[0]"},
		{"api/chat", msg(`[{"content":"a"}]`), 400, "", "messages[0].role"},
		{"api/chat", msg(`[{"role":"tool","content":"a"}]`), 400, "", "messages[0].role"},
		{"api/chat", msg(`[{"role":"user"}]`), 400, "", "messages[0].content"},
		{"api/chat", msg(`[{"role":"user","content":5}]`), 400, "", "messages[0].content"},
		{"api/chat", msg(`[{"role":"user","content":"a","images":["aGk="]}]`), 400, "", "messages[0].images"},
		{"api/chat", msg(`[{"role":"assistant","tool_calls":[{}]}]`), 400, "", "messages[0].tool_calls"},
		{"api/chat", msg(`[{"role":"user","content":"` + long + `"}]`), 400, "", "exceeds the available context size"},
		{"api/chat", chat(`"model":"gpt-4"`), 404, "", "gpt-4"},
		{"api/chat", chat(`"model":5`), 400, "", "model"},
		{"api/chat", chat(`"stream":"yes"`), 400, "", "stream"},
		{"api/chat", chat(`"tools":[{"type":"function"}]`), 400, "", "tools"},
		{"api/chat", chat(`"think":true`), 400, "", "think"},
		{"api/chat", chat(`"think":"high"`), 400, "", "think"},
		{"api/chat", chat(`"think":5`), 400, "", "think"},
		{"api/chat", chat(`"format":"xml"`), 400, "", "format"},
		{"api/chat", chat(`"format":5`), 400, "", "format"},
		{"api/chat", chat(`"format":{"not":{}}`), 400, "", "schema /not: is not supported"},
		{"api/chat", chat(`"format":"json","grammar":"root ::= ."`), 400, "", "grammar"},
		{"api/chat", chat(`"response_format":{"type":"json_object"}`), 400, "", "response_format: here it is called format"},
		{"api/chat", chat(`"options":5`), 400, "", "options"},
		{"api/chat", chat(`"top_logprobs":2`), 400, "", "top_logprobs"},
		{"api/chat", chat(`"options":{"num_predict":0}`), 400, "", "options.num_predict"},
		{"api/chat", chat(`"options":{"num_predict":-3}`), 400, "", "options.num_predict"},
		{"api/chat", chat(`"options":{"num_predict":"ten"}`), 400, "", "options.num_predict"},
		{"api/chat", chat(`"options":{"num_ctx":513}`), 400, "", "options.num_ctx"},
		{"api/chat", chat(`"options":{"num_ctx":"big"}`), 400, "", "options.num_ctx"},
		{"api/chat", chat(`"options":{"temperature":-1}`), 400, "", "options.temperature"},
		{"api/chat", chat(`"options":{"temperature":"1"}`), 400, "", "options.temperature"},
		{"api/chat", chat(`"options":{"top_p":1.5}`), 400, "", "options.top_p"},
		{"api/chat", chat(`"options":{"seed":1.5}`), 400, "", "options.seed"},
		{"api/chat", chat(`"options":{"stop":[1]}`), 400, "", "options.stop"},
		{"api/generate", `{"prompt":5}`, 400, "", "prompt"},
		{"responses", `{}`, 400, "", "input"},
		{"responses", `{"input":null}`, 400, "", "input"},
		{"responses", `{"input":5}`, 400, "", "input"},
		{"responses", `{"input":{}}`, 400, "", "input"},
		{"responses", `{"input":[]}`, 400, "", "input"},
		{"responses", `{"instructions":"a","input":[]}`, 400, "", "input"},
		{"responses", `{"input":["a"]}`, 400, "", "input[0]"},
		{"responses", `{"input":[{"content":"a"}]}`, 400, "", "input[0].role"},
		{"responses", `{"input":[{"role":"tool","content":"a"}]}`, 400, "", "input[0].role"},
		{"responses", `{"input":[{"role":"user"}]}`, 400, "", "input[0].content"},
		{"responses", `{"input":[{"role":"user","content":[{"type":"input_text"}]}]}`, 400, "", "input[0].content[0].text"},
		{"responses", `{"input":[{"role":"user","content":[{"type":"input_image","image_url":"http://x"}]}]}`, 400,
			"unsupported_content", "input[0].content[0].type"},
		{"responses", `{"input":[{"type":"item_reference","id":"msg_1"}]}`, 400, "unsupported_content", "input[0].type"},
		{"responses", `{"input":[{"type":"function_call_output","call_id":"x","output":"y"}]}`, 400, "unsupported_content", "input[0].type"},
		{"responses", `{"input":[{"type":5}]}`, 400, "", "input[0].type"},
		{"responses", `{"input":"` + long + `"}`, 400, "context_length_exceeded", ""},
		{"responses", input(`"instructions":["a"]`), 400, "", "instructions"},
		{"responses", input(`"store":true`), 400, "", "store"},
		{"responses", input(`"store":"no"`), 400, "", "store"},
		{"responses", input(`"previous_response_id":"resp_1"`), 400, "", "previous_response_id"},
		{"responses", input(`"conversation":{"id":"x"}`), 400, "", "conversation"},
		{"responses", input(`"prompt":{"id":"x"}`), 400, "", "prompt"},
		{"responses", input(`"background":true`), 400, "", "background"},
		{"responses", input(`"max_output_tokens":0`), 400, "", "max_output_tokens"},
		{"responses", input(`"max_output_tokens":-2`), 400, "", "max_output_tokens"},
		{"responses", input(`"max_output_tokens":"ten"`), 400, "", "max_output_tokens"},
		{"responses", input(`"temperature":-1`), 400, "", "temperature"},
		{"responses", input(`"top_p":2`), 400, "", "top_p"},
		{"responses", input(`"top_logprobs":21`), 400, "", "top_logprobs"},
		{"responses", input(`"include":5`), 400, "", "include"},
		{"responses", input(`"tools":[{"type":"web_search"}]`), 400, "tools_not_supported", "tools"},
		{"responses", input(`"tool_choice":{"type":"function","name":"f"}`), 400, "tools_not_supported", "tool_choice"},
		{"responses", input(`"text":5`), 400, "", "text"},
		{"responses", input(`"response_format":{"type":"json_object"}`), 400, "invalid_schema", "response_format"},
		{"responses", input(`"text":{"format":5}`), 400, "", "text.format"},
		{"responses", input(`"text":{"format":{}}`), 400, "invalid_schema", "text.format.type"},
		{"responses", input(`"text":{"format":{"type":"poem"}}`), 400, "invalid_schema", "text.format.type"},
		{"responses", input(`"text":{"format":{"type":"json_schema","name":"a","schema":{"not":{}}}}`), 400, "invalid_schema", "text.format"},
		{"responses", input(`"text":{"format":{"type":"json_schema","name":"a"}}`), 400, "invalid_schema", "text.format.schema"},
		{"responses", input(`"text":{"format":{"type":"json_object"}},"ignore_eos":true`), 400, "", "ignore_eos"},
		{"responses", input(`"model":"gpt-4"`), 404, "model_not_found", "model"},
		{"messages", msg(`null`), 400, "", "messages"},
		{"messages", msg(`[]`), 400, "", "messages"},
		{"messages", msg(`"a"`), 400, "", "messages"},
		{"messages", msg(`["a"]`), 400, "", "messages[0]"},
		{"messages", msg(`[{"content":"a"}]`), 400, "", "messages[0].role"},
		{"messages", msg(`[{"role":"tool","content":"a"}]`), 400, "", "messages[0].role"},
		{"messages", msg(`[{"role":"user"}]`), 400, "", "messages[0].content"},
		{"messages", msg(`[{"role":"user","content":[{"type":"text"}]}]`), 400, "", "messages[0].content[0].text"},
		{"messages", msg(`[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"http://x"}}]}]`), 400, "", `content[0].type: "image"`},
		{"messages", msg(`[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x"}]}]`), 400, "", `"tool_result"`},
		{"messages", msg(`[{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":{}}]}]`), 400, "", `"tool_use"`},
		{"messages", chat(`"top_k":4`), 400, "", "max_tokens"},
		{"messages", chat(`"max_tokens":-1`), 400, "", "max_tokens"},
		{"messages", chat(`"max_tokens":1.5`), 400, "", "max_tokens"},
		{"messages", chat(`"max_tokens":"ten"`), 400, "", "max_tokens"},
		{"messages", chat(`"max_tokens":9,"temperature":1.5`), 400, "", "temperature"},
		{"messages", chat(`"max_tokens":9,"temperature":"hot"`), 400, "", "temperature"},
		{"messages", chat(`"max_tokens":9,"top_p":2`), 400, "", "top_p"},
		{"messages", chat(`"max_tokens":9,"top_k":"a"`), 400, "", "top_k"},
		{"messages", chat(`"max_tokens":9,"stop_sequences":[1]`), 400, "", "stop_sequences"},
		{"messages", chat(`"max_tokens":9,"stop_sequences":{}`), 400, "", "stop_sequences"},
		{"messages", chat(`"max_tokens":9,"system":5`), 400, "", "system"},
		{"messages", chat(`"max_tokens":9,"system":[{"type":"image"}]`), 400, "", "system[0].type"},
		{"messages", chat(`"max_tokens":9,"thinking":{"type":"enabled","budget_tokens":1024}`), 400, "", "thinking"},
		{"messages", chat(`"max_tokens":9,"thinking":true`), 400, "", "thinking"},
		{"messages", chat(`"max_tokens":9,"tools":[{"name":"f","input_schema":{}}]`), 400, "", "tools"},
		{"messages", chat(`"max_tokens":9,"tool_choice":{"type":"tool","name":"f"}`), 400, "", "tool_choice"},
		{"messages", chat(`"max_tokens":9,"container":"x"`), 400, "", "container"},
		{"messages", chat(`"max_tokens":9,"mcp_servers":[{}]`), 400, "", "mcp_servers"},
		{"messages", chat(`"max_tokens":9,"output_config":{"format":{"type":"json_schema","schema":{"not":{}}}}`), 400, "", "output_config.format"},
		{"messages", chat(`"max_tokens":9,"output_config":{"format":{"type":"json_schema"}}`), 400, "", "output_config.format.schema"},
		{"messages", chat(`"max_tokens":9,"output_config":{"format":{"type":"poem"}}`), 400, "", `output_config.format.type: "poem"`},
		{"messages", chat(`"max_tokens":9,"output_config":5`), 400, "", "output_config"},
		{"messages", chat(`"max_tokens":9,"output_config":{"format":5}`), 400, "", "output_config.format"},
		{"messages", chat(`"max_tokens":9,"output_format":{"type":"json_schema","schema":{"not":{}}}`), 400, "", "output_format"},
		{"messages", chat(`"max_tokens":9,"output_format":"json"`), 400, "", "output_format"},
		{"messages", chat(`"max_tokens":9,"response_format":{"type":"json_object"}`), 400, "", "output_config.format"},
		{"messages", chat(`"max_tokens":9,"model":"claude"`), 404, "", "claude"},
		{"messages", `{"messages":[{"role":"user","content":"` + long + `"}],"max_tokens":9}`, 400, "", "exceeds the available context size"},
		{"messages/count_tokens", msg(`[]`), 400, "", "messages"},
		{"messages/count_tokens", chat(`"tools":[{}]`), 400, "", "tools"},
		{"api/generate", text(`"system":5`), 400, "", "system"},
		{"api/generate", text(`"raw":1`), 400, "", "raw"},
		{"api/generate", text(`"raw":true,"system":"b"`), 400, "", "raw"},
		{"api/generate", text(`"raw":true,"context":[1]`), 400, "", "raw"},
		{"api/generate", text(`"context":[-1]`), 400, "", "context[0]"},
		{"api/generate", text(`"suffix":"b"`), 400, "", "suffix"},
		{"api/generate", text(`"template":"{{ .Prompt }}"`), 400, "", "template"},
		{"api/generate", text(`"images":["aGk="]`), 400, "", "images"},
		{"api/generate", `{"prompt":"` + long + `"}`, 400, "", "exceeds the available context size"},
		{"api/generate", `{"raw":true,"prompt":"` + long + `"}`, 400, "", "exceeds the available context size"},
		{"tokenize", `{"content":"a","prompt":"b"}`, 400, "", "prompt"},
		{"detokenize", `{}`, 400, "", "tokens"},
		{"detokenize", `{"tokens":["a"]}`, 400, "", "tokens[0]"},
		{"apply-template", `{"messages":[]}`, 400, "", "messages"},
		{"completion", `{"prompt":["a","b"]}`, 400, "", "prompt"},
	} {
		for _, stream := range []string{"", "true", "false"} {
			body := x.body
			if stream != "" {
				if !strings.HasSuffix(body, "}") || strings.Contains(body, `"stream":`) || body == "{}" {
					continue
				}
				body = strings.TrimSuffix(body, "}") + `,"stream":` + stream + `}`
			}
			status, b, head := post(t, h.URL+"/v1/"+x.path, body)
			if len(body) > 200 {
				body = body[:200] + "..."
			}
			checkError(t, x.path+" "+body, "/"+x.path, status, x.status, x.code, x.param, b, head)
		}
	}
	if status, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":"Once","max_tokens":2}`); status != 200 {
		t.Errorf("afterwards: %d %s", status, b)
	}
}

func or(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func manyBiases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"%d":1,`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// What clients send beside the fields that matter is taken as they mean it.
func TestGoodInput(t *testing.T) {
	_, h := start(t, serve.Options{})
	for _, fields := range []string{
		`"stop":null,"tools":[],"tool_choice":"none","logit_bias":{},"user":"x","seed":null,"n":null,"temperature":null`,
		`"max_tokens":2.0,"top_k":-1`, `"max_completion_tokens":2,"max_tokens":-1`, `"stop":""`, `"stop":["","x"]`,
		`"response_format":{"type":"text"},"store":true,"metadata":{},"parallel_tool_calls":false,"unknown":[1]`,
		`"samplers":["top_k","temperature"],"dry_multiplier":0.5,"dry_sequence_breakers":["\n"],"mirostat":2`,
		`"logit_bias":[[779,-100],["Once",false]],"repeat_penalty":1.1,"typical_p":0.9`, `"lora":[]`, `"seed":-1`, `"model":"alias"`, `"model":""`,
		`"stream_options":{"include_usage":true}`, `"grammar":"","json_schema":null`, `"modalities":["text"]`, `"functions":[]`,
	} {
		body := `{"messages":[{"role":"developer","content":"You are kind."},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},` +
			`{"role":"assistant","content":null},{"role":"user","content":"c","name":"n"}],` + fields + `}`
		if !strings.Contains(body, "max_") {
			body = strings.Replace(body, `"messages"`, `"max_tokens":2,"messages"`, 1)
		}
		if status, b, _ := post(t, h.URL+"/v1/chat/completions", body); status != 200 {
			t.Errorf("%s: %d %s", fields, status, b)
		}
	}
}

// Paths, methods, types and encodings.
func TestTransport(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.MaxBody = 10_000 })
	ok := `{"prompt":"Once","max_tokens":1}`
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(ok))
	w.Close()
	var bomb bytes.Buffer
	w = gzip.NewWriter(&bomb)
	w.Write(make([]byte, 1<<20))
	w.Close()
	for _, x := range []struct {
		method, path string
		body         string
		headers      []string
		status       int
		header       string // NAME: VALUE
	}{
		{"POST", "/v1/completions", ok, nil, 200, ""},
		{"POST", "/v1/completions/", ok, nil, 200, ""},
		{"POST", "/completions", ok, nil, 200, ""},
		{"POST", "/v1/completions", ok, []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, ""},
		{"POST", "/v1/completions", ok, []string{"Content-Type", "application/vnd.api+json; charset=utf-8"}, 200, ""},
		{"POST", "/v1/completions", ok, []string{"Content-Type", "text/plain"}, 415, ""},
		{"POST", "/v1/completions", ok, []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, ""},
		{"POST", "/v1/completions", z.String(), []string{"Content-Encoding", "gzip"}, 200, ""},
		{"POST", "/v1/completions", ok, []string{"Content-Encoding", "gzip"}, 400, ""},
		{"POST", "/v1/completions", z.String()[:z.Len()-6], []string{"Content-Encoding", "gzip"}, 400, ""},
		{"POST", "/v1/completions", bomb.String(), []string{"Content-Encoding", "gzip"}, 413, ""},
		{"POST", "/v1/completions", ok, []string{"Content-Encoding", "br"}, 415, ""},
		{"POST", "/v1/completions", strings.Repeat(" ", 20_000), nil, 413, ""},
		{"GET", "/v1/completions", "", nil, 405, "Allow: POST, OPTIONS"},
		{"DELETE", "/v1/models", "", nil, 405, "Allow: GET, HEAD, OPTIONS"},
		{"PUT", "/v1/chat/completions", ok, nil, 405, ""},
		{"HEAD", "/v1/models", "", nil, 200, ""},
		{"HEAD", "/health", "", nil, 200, ""},
		{"OPTIONS", "/v1/chat/completions", "", []string{"Origin", "http://localhost:3000", "Access-Control-Request-Headers", "x-stainless-os"}, 204,
			"Access-Control-Allow-Headers: x-stainless-os"},
		{"GET", "/v1/models/alias", "", nil, 200, ""},
		{"GET", "/v1/models/none", "", nil, 404, ""},
		{"GET", "/nowhere", "", nil, 404, ""},
		{"GET", "/v1", "", nil, 404, ""},
		{"POST", "/v1/embeddings", "{}", nil, 501, ""},
		{"POST", "/infill", "{}", nil, 501, ""},
		{"GET", "/health", "", []string{"Host", "evil.example"}, 403, ""},
		{"GET", "/health", "", []string{"Host", "127.0.0.1:1"}, 200, ""},
		{"GET", "/health", "", []string{"Origin", "https://evil.example"}, 403, ""},
		{"POST", "/v1/completions", ok, []string{"Origin", "http://localhost:5173"}, 200, "Access-Control-Allow-Origin: http://localhost:5173"},
		{"GET", "/health", "", []string{"X-Request-Id", "mine-1"}, 200, "X-Request-Id: mine-1"},
	} {
		status, b, head := send(t, x.method, h.URL+x.path, []byte(x.body), x.headers...)
		name, value, _ := strings.Cut(x.header, ": ")
		if status != x.status || head.Get(name) != value && name != "" {
			t.Errorf("%s %s %v: status %d, want %d; %s is %q: %.200s", x.method, x.path, x.headers, status, x.status, name, head.Get(name), b)
		}
		if status == 403 && head.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %v: a foreign origin may read the answer", x.path, x.headers)
		}
	}
}

// With keys everything asks for one but /health.
func TestKeys(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.Keys = []string{"one", "two"}; c.Prefix = "/llm" })
	for _, x := range []struct {
		path    string
		headers []string
		status  int
	}{
		{"/llm/health", nil, 200},
		{"/llm/v1/models", nil, 401},
		{"/llm/metrics", nil, 401},
		{"/llm/nowhere", nil, 401},
		{"/llm/v1/models", []string{"Authorization", "Bearer one"}, 200},
		{"/llm/v1/models", []string{"Authorization", "bearer two"}, 200},
		{"/llm/v1/models", []string{"X-Api-Key", "two"}, 200},
		{"/llm/v1/models", []string{"Authorization", "Bearer three"}, 401},
		{"/llm/v1/models", []string{"Authorization", "Basic one"}, 401},
		{"/llm/v1/models", []string{"Authorization", "Bearer "}, 401},
		{"/v1/models", []string{"Authorization", "Bearer one"}, 404},
	} {
		if status, b, head := send(t, "GET", h.URL+x.path, nil, x.headers...); status != x.status || (status == 401) != (head.Get("WWW-Authenticate") != "") {
			t.Errorf("%s %v: %d, want %d: %s", x.path, x.headers, status, x.status, b)
		}
	}
}
