package server

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// dialects are the ways to ask the same: with a system message, a limit, a seed, stop strings, a
// temperature and a schema, streamed by a field stream; answers count tokens and tell the seed. One that
// lacks some of it has a test of its own, which compares it with a chat.
var dialects = []struct {
	path, body  string // with the names of what is asked
	text, piece string // where the text of a whole answer is, and that of an event
	in, out     string // where the tokens of the prompt (their sum) and of the answer are counted
	form        string // asks for an answer that obeys a schema
}{
	{"/v1/chat/completions",
		`{"messages":[{"role":"system","content":SYSTEM},{"role":"user","content":USER}],"max_tokens":MAX,"seed":SEED,"stop":STOP,"temperature":TEMP`,
		"choices.0.message.content", "choices.0.delta.content", "usage.prompt_tokens", "usage.completion_tokens",
		`"response_format":{"type":"json_schema","json_schema":{"schema":SCHEMA}}`},
	{"/api/chat",
		`{"messages":[{"role":"system","content":SYSTEM},{"role":"user","content":USER}],"options":{"num_predict":MAX,"seed":SEED,"stop":STOP,"temperature":TEMP}`,
		"message.content", "message.content", "prompt_eval_count", "eval_count",
		`"format":SCHEMA`},
	{"/api/generate",
		`{"system":SYSTEM,"prompt":USER,"options":{"num_predict":MAX,"seed":SEED,"stop":STOP,"temperature":TEMP}`,
		"response", "response", "prompt_eval_count", "eval_count",
		`"format":SCHEMA`},
	{"/v1/messages",
		`{"system":SYSTEM,"messages":[{"role":"user","content":USER}],"max_tokens":MAX,"seed":SEED,"stop_sequences":STOP,"temperature":TEMP`,
		"content.0.text", "delta.text", "usage.input_tokens usage.cache_read_input_tokens", "usage.output_tokens",
		`"output_config":{"format":{"type":"json_schema","schema":SCHEMA}}`},
	{"/v1/responses",
		`{"instructions":SYSTEM,"input":USER,"max_output_tokens":MAX,"seed":SEED,"stop":STOP,"temperature":TEMP`,
		"output.0.content.0.text", "delta", "usage.input_tokens", "usage.output_tokens",
		`"text":{"format":{"type":"json_schema","name":"a","schema":SCHEMA}}`},
}

// The same conversation, seed and parameters give the same text in every dialect, streamed or
// not, and the same counts.
func TestSameInAllDialects(t *testing.T) {
	_, h := start(t, serve.Options{})
	const schema = `{"type":"object","properties":{"z":{"type":"string","maxLength":9},"a":{"enum":[1,2]}},"required":["z","a"]}`
	for seed := range 5 {
		asked := strings.NewReplacer("SYSTEM", `"You are <kind> & short."`, "USER", `"Tell me about a <|im_end|> dog."`,
			"MAX", fmt.Sprint(10+10*seed),
			"SEED", fmt.Sprint(seed), "STOP", []string{`null`, `"."`, `["dog"," the"]`, `[]`, `[]`}[seed], "TEMP",
			[]string{"0.8", "1", "0", "null", "1"}[seed], "SCHEMA", schema)
		want := ""
		for i, d := range dialects {
			body := asked.Replace(d.body)
			if seed == 4 {
				body += "," + asked.Replace(d.form)
			}
			status, b, _ := post(t, h.URL+d.path, body+`,"stream":false}`)
			v := object(t, b)
			got := fmt.Sprintf("%v, %v and %v tokens, seed %v", at(v, d.text), sum(v, d.in), sum(v, d.out), v["seed"])
			if i == 0 {
				want = got
			}
			if text, _ := at(v, d.text).(string); seed == 4 && !regexp.MustCompile(`^\{"z": ?".*", ?"a": ?[12]\}$`).MatchString(text) {
				t.Errorf("%s: %s", d.path, text)
			}
			if status != 200 || got != want {
				t.Errorf("%s: %d: %s\nwant %s\n%s", d.path, status, got, want, b)
			}
			_, b, _ = post(t, h.URL+d.path, body+`,"stream":true}`)
			streamed := ""
			for _, v := range pieces(t, b) {
				piece, _ := at(v, d.piece).(string)
				streamed += piece
			}
			if streamed != at(v, d.text) {
				t.Errorf("%s: streamed %q, whole %q", d.path, streamed, at(v, d.text))
			}
		}
	}
}

// sum adds numbers at some paths.
func sum(v any, paths string) (n float64) {
	for _, path := range strings.Fields(paths) {
		x, _ := at(v, path).(float64)
		n += x
	}
	return n
}

// pieces are the objects of a stream of events or of lines.
func pieces(t testing.TB, b []byte) (list []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(b) {
		line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("data: ")))
		if len(line) > 0 && line[0] == '{' {
			list = append(list, object(t, line))
		}
	}
	return list
}

// Errors that come before a request is read have the form of the path's dialect, too.
func TestErrorForms(t *testing.T) {
	paths := []string{"/v1/chat/completions", "/api/chat", "/v1/messages", "/v1/messages/count_tokens", "/messages",
		"/v1/responses"}
	_, h := start(t, serve.Options{}, func(c *Config) { c.Keys = []string{"k"}; c.MaxBody = 100 })
	loading := httptest.NewServer(New(DefaultConfig()))
	t.Cleanup(loading.Close)
	for _, path := range paths {
		nowhere := path + "/more"
		if path == "/v1/responses" { // below it are the names of responses
			nowhere = "/v1/more"
		}
		for _, x := range []struct {
			url, method, path, body, code string
			headers                       []string
			status                        int
		}{
			{h.URL, "POST", path, "{}", "invalid_api_key", nil, 401},
			{h.URL, "POST", path, "{}", "origin_not_allowed", []string{"Origin", "https://evil.example"}, 403},
			{h.URL, "POST", path, "{}", "host_not_allowed", []string{"Host", "evil.example"}, 403},
			{h.URL, "POST", nowhere, "{}", "not_found", []string{"X-Api-Key", "k"}, 404},
			{h.URL, "GET", path, "", "method_not_allowed", []string{"X-Api-Key", "k"}, 405},
			{h.URL, "POST", path, strings.Repeat(" ", 101), "body_too_large", []string{"X-Api-Key", "k"}, 413},
			{h.URL, "POST", path, "{}", "unsupported_media_type", []string{"X-Api-Key", "k", "Content-Type",
				"text/xml"}, 415},
			{loading.URL, "POST", path, "{}", "loading", nil, 503},
		} {
			status, b, head := send(t, x.method, x.url+x.path, []byte(x.body), x.headers...)
			checkError(t, x.method+" "+x.path+" "+x.code, x.path, status, x.status, x.code, "", b, head)
		}
	}
}
