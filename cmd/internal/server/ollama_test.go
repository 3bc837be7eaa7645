package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mptgo/mpt/serve"
)

// TestOpenWebUI is what Open WebUI asks of an Ollama server, in its order.
func TestOpenWebUI(t *testing.T) {
	_, h := start(t, serve.Options{})
	headers := []string{"Content-Type", "application/json", "X-OpenWebUI-User-Name", "somebody"}
	get := func(path string) map[string]any {
		status, b, head := send(t, "GET", h.URL+path, nil, headers...)
		if status != 200 || head.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s", path, status, b)
		}
		return object(t, b)
	}
	model, _ := at(get("/api/tags"), "models.0.model").(string)
	if model != "mpt-stories:latest" {
		t.Fatalf("the model is %q", model)
	}
	if v, _ := get("/api/version")["version"].(string); !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(v) {
		t.Errorf("the version is %q, which is no list of numbers", v)
	}
	running := get("/api/ps")
	if at(running, "models.0.model") != model || at(running, "models.0.context_length") != 512.0 {
		t.Errorf("%v", running)
	}
	if end, err := time.Parse(time.RFC3339, at(running, "models.0.expires_at").(string)); err != nil ||
		end.Before(time.Now()) {
		t.Errorf("it expires at %v, %v", end, err)
	}
	_, b, _ := post(t, h.URL+"/api/show", `{"name":"`+model+`"}`, headers...)
	shown := object(t, b)
	info, _ := shown["model_info"].(map[string]any)
	if info["general.architecture"] != "mpt" || info["mpt.context_length"] == nil ||
		info["general.parameter_count"] == nil ||
		at(shown, "capabilities.0") != "completion" || at(shown, "details.format") != "gguf" ||
		!strings.Contains(fmt.Sprint(shown["parameters"]), "num_ctx 512\n") {
		t.Errorf("%s", b)
	}
	status, b, head := post(t, h.URL+"/api/chat", `{"model":"`+model+`",`+question+`,"stream":true,"keep_alive":"5m",
		"options":{"temperature":0.7,"top_k":30,"num_ctx":512,"num_predict":20,"seed":5,"num_thread":2,"use_mmap":true,"stop":["zebra"]}}`, headers...)
	if status != 200 || head.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d %v %s", status, head, b)
	}
	list := pieces(t, b)
	for i, v := range list {
		if v["done"] != (i+1 == len(list)) || v["model"] != model || at(v, "message.role") != "assistant" {
			t.Errorf("line %d of %d: %v", i, len(list), v)
		}
		if _, err := time.Parse(time.RFC3339, v["created_at"].(string)); err != nil {
			t.Error(err)
		}
	}
	last := list[len(list)-1]
	if last["done_reason"] != "length" || last["eval_count"] != 20.0 || at(last, "message.content") != "" ||
		last["eval_duration"].(float64) > last["total_duration"].(float64) || last["eval_duration"].(float64) < 1e3 {
		t.Errorf("the last line: %v", last)
	}
}

// What tells of the model.
func TestOllamaModels(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := send(t, "GET", h.URL+"/api/tags", nil)
	v := object(t, b)
	for i, name := range []string{"mpt-stories:latest", "alias:latest"} {
		m := at(v, fmt.Sprintf("models.%d", i))
		if at(m, "name") != name || at(m, "model") != name ||
			!regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(fmt.Sprint(at(m, "digest"))) ||
			at(m, "details.family") != "mpt" || at(m, "details.families.0") != "mpt" || at(m, "size").(float64) < 1000 {
			t.Errorf("model %d: %v", i, m)
		}
	}
	for body, want := range map[string]int{`{}`: 200, `{"model":"alias"}`: 200, `{"name":"alias:latest"}`: 200,
		`{"model":"alias:7b"}`: 404,
		`{"model":":latest"}`:  404, `{"name":"none"}`: 404, `{"model":5}`: 400, `{"verbose":1}`: 400} {
		if status, b, _ := post(t, h.URL+"/api/show", body); status != want {
			t.Errorf("%s: %d %s", body, status, b)
		}
	}
	_, b, _ = post(t, h.URL+"/api/show", `{}`)
	if list, ok := at(object(t, b), "model_info").(map[string]any)["tokenizer.ggml.tokens"].([]any); !ok ||
		len(list) != 0 {
		t.Errorf("the vocabulary has %d tokens", len(list))
	}
	_, b, _ = post(t, h.URL+"/api/show", `{"verbose":true}`)
	if list, _ := at(object(t, b), "model_info").(map[string]any)["tokenizer.ggml.tokens"].([]any); len(list) < 1000 {
		t.Errorf("the vocabulary has %d tokens", len(list))
	}
	for n, want := range map[int64]string{7: "7", 1500: "1.50K", 124_439_808: "124.44M", 6_650_000_000: "6.7B"} {
		if got := humanCount(n); got != want {
			t.Errorf("%d parameters are %s, want %s", n, got, want)
		}
	}
	for _, x := range []struct{ method, path string }{
		{"POST", "/api/embed"}, {"POST", "/api/embeddings"}, {"POST", "/api/pull"}, {"POST", "/api/push"}, {"POST",
			"/api/create"},
		{"POST", "/api/copy"}, {"DELETE", "/api/delete"}, {"POST", "/api/blobs/sha256:00"}, {"GET",
			"/api/blobs/sha256:00"},
	} {
		status, b, _ := send(t, x.method, h.URL+x.path, []byte(`{"model":"x"}`))
		if text, _ := object(t, b)["error"].(string); status != 501 || len(text) < 20 {
			t.Errorf("%s %s: %d %s", x.method, x.path, status, b)
		}
	}
}

// The root says what Ollama's clients look for, and something else to browsers; it needs no key.
func TestRoot(t *testing.T) {
	_, h := start(t, serve.Options{}, func(c *Config) { c.Keys = []string{"k"}; c.Prefix = "/llm"; c.Page = false })
	for _, x := range []struct {
		method, path, accept, want string
		status                     int
	}{
		{"GET", "/llm/", "", "Ollama is running", 200},
		{"GET", "/llm", "*/*", "Ollama is running", 200},
		{"HEAD", "/llm/", "", "", 200},
		{"GET", "/llm/", "text/html,application/xhtml+xml;q=0.9", "<title>mpt serve</title>", 200},
		{"POST", "/llm/", "", "POST is not possible at /", 401},
		{"GET", "/llm/v1", "", "", 401},
		{"GET", "/", "", "all paths begin with /llm", 404},
	} {
		status, b, _ := send(t, x.method, h.URL+x.path, nil, "Accept", x.accept)
		if status != x.status || status == 200 && !strings.Contains(string(b), x.want) || x.method == "HEAD" &&
			len(b) > 0 {
			t.Errorf("%s %s for %q: %d %s", x.method, x.path, x.accept, status, b)
		}
	}
}

// A request without a message, or without a prompt, loads the model, which is answered at once.
func TestOllamaLoads(t *testing.T) {
	s, h := start(t, serve.Options{})
	for _, x := range []string{`chat {}`, `chat {"messages":[]}`, `chat {"messages":null,"keep_alive":0}`,
		`generate {}`, `generate {"prompt":""}`,
		`generate {"prompt":"","raw":true,"stream":false}`} {
		path, body, _ := strings.Cut(x, " ")
		status, b, _ := post(t, h.URL+"/api/"+path, body)
		v := object(t, b)
		if status != 200 || v["done"] != true || v["done_reason"] != "load" || v["model"] != "mpt-stories" {
			t.Errorf("%s: %d %s", x, status, b)
		}
	}
	if n := s.first().Engine.Stats().Steps; n != 0 {
		t.Errorf("%d steps were made", n)
	}
}

// A raw prompt is that of /v1/completions; a context is a conversation that goes on.
func TestOllamaGenerate(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := post(t, h.URL+"/v1/completions",
		`{"prompt":"Once upon a <|endoftext|>","seed":3,"max_tokens":9,"logprobs":0}`)
	want := object(t, b)
	_, b, _ = post(t, h.URL+"/api/generate",
		`{"prompt":"Once upon a <|endoftext|>","raw":true,"stream":false,"options":{"seed":3,"num_predict":9}}`)
	got := object(t, b)
	if got["response"] != at(want, "choices.0.text") || got["prompt_eval_count"] != at(want, "usage.prompt_tokens") ||
		got["context"] != nil {
		t.Errorf("raw: %s, want %v", b, want)
	}
	for _, stop := range []string{`[]`, `[" was"]`} {
		ask := func(prompt, fields string) map[string]any {
			_, b, _ := post(t, h.URL+"/api/generate",
				fmt.Sprintf(`{"prompt":%q,"options":{"temperature":0,"num_predict":12,"stop":%s}%s}`, prompt, stop,
					fields))
			list := pieces(t, b)
			last := list[len(list)-1]
			last["response"] = textOf(list, "response")
			return last
		}
		first := ask("A story!", "")
		ids, _ := json.Marshal(first["context"])
		second := ask("More <|im_end|>", `,"context":`+string(ids))
		body, _ := json.Marshal(map[string]any{"temperature": 0, "max_tokens": 12, "stop": json.RawMessage(stop),
			"messages": []map[string]any{
				{"role": "user", "content": "A story!"}, {"role": "assistant", "content": first["response"]},
				{"role": "user", "content": "More <|im_end|>"}}})
		_, b, _ = post(t, h.URL+"/v1/chat/completions", string(body))
		v := object(t, b)
		if second["response"] != at(v, "choices.0.message.content") || second["prompt_eval_count"] != at(v,
			"usage.prompt_tokens") || len(second["response"].(string)) < 5 {
			t.Errorf("behind a context: %v\nwhole %s", second, b)
		}
	}
}

// What ends an answer does so behind a context, too.
func TestOllamaContextEnds(t *testing.T) {
	s, _ := start(t, serve.Options{})
	m := s.first()
	for _, body := range []string{`{"prompt":"a"}`, `{"prompt":"a","context":[1,2]}`} {
		f, _ := readFields([]byte(body))
		a := &ollamaAnswer{m: m}
		a.prompt(f)
		if f.err != nil || len(m.stopIDs) == 0 || !slices.Equal(a.StopTokens, m.stopIDs) {
			t.Errorf("%s: %v end it, not %v (%v)", body, a.StopTokens, m.stopIDs, f.err)
		}
	}
}

func textOf(list []map[string]any, path string) (text string) {
	for _, v := range list {
		piece, _ := at(v, path).(string)
		text += piece
	}
	return text
}

// Answers have the form that is asked for, and log-probabilities are OpenAI's.
func TestOllamaFields(t *testing.T) {
	_, h := start(t, serve.Options{ContextSize: 220})
	for seed := range 3 {
		for _, x := range []string{`"format":"json"`, `"grammar":"root ::= \"{\" [0-9] \"}\""`} {
			_, b, _ := post(t, h.URL+"/api/chat",
				fmt.Sprintf(`{%s,%s,"stream":false,"options":{"seed":%d,"temperature":1.5,"num_predict":60}}`, question,
					x, seed))
			v := object(t, b)
			text, _ := at(v, "message.content").(string)
			var value any
			if err := json.Unmarshal([]byte(text), &value); (err != nil || text[0] != '{') &&
				v["done_reason"] != "length" && x[1] == 'f' || text[0] != '{' {
				t.Errorf("%s: %v: %s", x, err, b)
			}
		}
	}
	_, b, _ := post(t, h.URL+"/v1/chat/completions",
		`{`+question+`,"seed":4,"max_tokens":30,"logprobs":true,"top_logprobs":2,"stop":["."]}`)
	want := at(object(t, b), "choices.0.logprobs.content")
	body := `{` + question + `,"options":{"seed":4,"num_predict":30,"stop":"."},"logprobs":true,"top_logprobs":2`
	_, b, _ = post(t, h.URL+"/api/chat", body+`,"stream":false}`)
	whole := at(object(t, b), "logprobs")
	_, b, _ = post(t, h.URL+"/api/chat", body+`}`)
	streamed := []any{}
	for _, v := range pieces(t, b) {
		list, _ := v["logprobs"].([]any)
		streamed = append(streamed, list...)
	}
	if fmt.Sprint(whole) != fmt.Sprint(want) || fmt.Sprint(streamed) != fmt.Sprint(want) || want == nil {
		t.Errorf("log-probabilities: whole %v\nstreamed %v\nwant %v", whole, streamed, want)
	}
	for _, fields := range []string{`"think":false`, `"tools":[]`, `"template":""`, `"images":[]`, `"format":""`,
		`"format":null,"options":{"num_predict":2.0,"top_k":null}`, `"keep_alive":-1,"truncate":true`,
		`"options":{"num_predict":-1,"stop":"e","num_ctx":220,"seed":-1,"num_gpu":1,"mirostat":2}`,
		`"options":{"num_predict":-2,"stop":["e"]}`, `"model":"mpt-stories:latest"`} {
		for _, path := range []string{"chat", "generate"} {
			body := `{` + question + `,"prompt":"Hello","stream":false,"options":{"num_predict":2,"stop":null},` + fields + `}`
			if status, b, _ := post(t, h.URL+"/api/"+path, body); status != 200 || object(t, b)["done"] != true {
				t.Errorf("%s %s: %d %s", path, fields, status, b)
			}
		}
	}
}

// An error in the middle of a stream is its last line, which says that it is done; silence is
// filled with lines.
func TestOllamaStreams(t *testing.T) {
	s, h := start(t, serve.Options{Parallel: 1, ContextSize: 2000}, func(c *Config) { c.Ping = 2 * time.Millisecond })
	_, b, _ := post(t, h.URL+"/tokenize", `{"content":"a"}`)
	id, _ := json.Marshal(at(object(t, b), "tokens.0"))
	status, b, _ := post(t, h.URL+"/api/generate", `{"prompt":"a","raw":true,"grammar":"root ::= \"a\"","options":{"logit_bias":{"`+string(id)+`":-100}}}`)
	list := pieces(t, b)
	if last := list[len(list)-1]; status != 200 || last["done"] != true || !strings.Contains(fmt.Sprint(last["error"]),
		"every token is ruled out") {
		t.Errorf("%d %s", status, b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/completions",
		strings.NewReader(`{"prompt":"Once","ignore_eos":true,"max_tokens":1900}`))
	go http.DefaultClient.Do(r)
	waitFor(t, "nothing runs", func() bool { return len(s.first().Engine.Stats().Slots) == 1 })
	a, err := http.Post(h.URL+"/api/chat", "", strings.NewReader(`{`+question+`,"options":{"num_predict":3}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	lines := bufio.NewReader(a.Body)
	first, _ := lines.ReadBytes('\n') // while it waits
	cancel()
	rest, _ := io.ReadAll(lines)
	list = pieces(t, rest)
	if v := object(t, first); v["done"] != false || at(v, "message.content") != "" ||
		list[len(list)-1]["done"] != true {
		t.Errorf("%s%s", first, rest)
	}
}
