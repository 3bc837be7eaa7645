package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mptgo/mpt/serve"
)

const question = `"messages":[{"role":"user","content":"Tell me a story about a dog."}]`

// A stream begins with the role, goes on with pieces that make the text of the whole answer,
// and ends with a reason, the usage if it was asked for, and [DONE].
func TestChatStream(t *testing.T) {
	_, h := start(t, serve.Options{})
	for _, fields := range []string{
		`"max_tokens":12,"seed":3`,
		`"max_tokens":12,"seed":3,"stream_options":{"include_usage":true}`,
		`"max_tokens":20,"seed":3,"n":3,"logprobs":true,"top_logprobs":2,"stream_options":{"include_usage":true}`,
		`"max_tokens":60,"seed":4,"stop":["dog"," the"],"logprobs":true`,
		`"max_tokens":5,"temperature":0,"logit_bias":{"127":100},"logprobs":true`, // one byte of a character, again and again
		`"seed":5,"max_tokens":300`,
	} {
		body := "{" + question + "," + fields
		_, b, _ := post(t, h.URL+"/v1/chat/completions", body+"}")
		whole := object(t, b)
		status, b, head := post(t, h.URL+"/v1/chat/completions", body+`,"stream":true}`)
		if status != 200 || head.Get("Content-Type") != "text/event-stream; charset=utf-8" {
			t.Fatalf("%d %v", status, head)
		}
		list := events(t, b)
		if list[len(list)-1] != "[DONE]" {
			t.Errorf("%s: the stream ends with %s", fields, list[len(list)-1])
		}
		checkChatStream(t, fields, list[:len(list)-1], whole)
	}
}

func checkChatStream(t *testing.T, fields string, list []string, whole map[string]any) {
	t.Helper()
	texts, ends, tokens := map[float64]string{}, map[float64]any{}, map[float64][]any{}
	id, usage := any(nil), false
	for i, text := range list {
		v := object(t, []byte(text))
		if id == nil {
			id = v["id"]
		}
		if v["id"] != id || v["object"] != "chat.completion.chunk" || v["system_fingerprint"] != whole["system_fingerprint"] {
			t.Errorf("%s: event %s", fields, text)
		}
		if len(v["choices"].([]any)) == 0 {
			usage = true
			if i+1 != len(list) || stableUsage(v) != stableUsage(whole) {
				t.Errorf("%s: usage %s of %v", fields, text, whole["usage"])
			}
			continue
		}
		k := at(v, "choices.0.index").(float64)
		delta := at(v, "choices.0.delta").(map[string]any)
		piece, _ := delta["content"].(string)
		if _, begun := texts[k]; !begun {
			if delta["role"] != "assistant" || piece != "" {
				t.Errorf("%s: the first event of choice %v is %s", fields, k, text)
			}
		} else if _, has := delta["content"]; has && piece == "" || delta["role"] != nil {
			t.Errorf("%s: an event without text: %s", fields, text)
		}
		if ends[k] != nil {
			t.Errorf("%s: an event after the end: %s", fields, text)
		}
		texts[k] += piece
		if l, ok := at(v, "choices.0.logprobs.content").([]any); ok {
			tokens[k] = append(tokens[k], l...)
		}
		ends[k] = at(v, "choices.0.finish_reason")
	}
	if usage != strings.Contains(fields, "include_usage") {
		t.Errorf("%s: usage: %v", fields, usage)
	}
	for k := range whole["choices"].([]any) {
		c := fmt.Sprintf("choices.%d.", k)
		if want := at(whole, c+"message.content"); texts[float64(k)] != want {
			t.Errorf("%s: choice %d: %q, not streamed %q", fields, k, texts[float64(k)], want)
		}
		if want := at(whole, c+"finish_reason"); ends[float64(k)] != want || want == "" || want == nil {
			t.Errorf("%s: choice %d ends with %v, not streamed %v", fields, k, ends[float64(k)], want)
		}
		got, _ := json.Marshal(tokens[float64(k)])
		if want, _ := json.Marshal(at(whole, c+"logprobs.content")); string(got) != string(want) {
			t.Errorf("%s: choice %d: logprobs\n%s\nnot streamed\n%s", fields, k, got, want)
		}
	}
}

func stableUsage(v map[string]any) string {
	u, _ := v["usage"].(map[string]any)
	return fmt.Sprint(u["prompt_tokens"], u["completion_tokens"], u["total_tokens"])
}

// Entries of log-probabilities make the text, and are sorted.
func TestLogprobEntries(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := post(t, h.URL+"/v1/chat/completions", "{"+question+`,"max_tokens":30,"seed":1,"logprobs":true,"top_logprobs":5}`)
	v := object(t, b)
	var text []byte
	for _, e := range at(v, "choices.0.logprobs.content").([]any) {
		for _, x := range at(e, "bytes").([]any) {
			text = append(text, byte(x.(float64)))
		}
		last := 0.0
		for _, x := range at(e, "top_logprobs").([]any) {
			if p := at(x, "logprob").(float64); p > last {
				t.Errorf("the alternatives are not sorted: %v", e)
			} else {
				last = p
			}
		}
		if at(e, "id") == nil || len(at(e, "top_logprobs").([]any)) != 5 {
			t.Errorf("an entry %v", e)
		}
	}
	if string(text) != at(v, "choices.0.message.content") {
		t.Errorf("the entries make %q of %q", text, at(v, "choices.0.message.content"))
	}
	if got := at(v, "usage.completion_tokens"); got != 30.0 {
		t.Errorf("%v tokens", got)
	}
}

// TestSameAnswers: sixteen at once have the bytes of one by one, of a server with one thread
// and no cache as of one that serves all together.
func TestSameAnswers(t *testing.T) {
	_, alone := start(t, serve.Options{Parallel: 4, CacheBytes: -1})
	_, busy := start(t, serve.Options{Parallel: 16})
	n := 16
	if testing.Short() {
		n = 6
	}
	var wg sync.WaitGroup
	for i := range n {
		path, body := "chat/completions", fmt.Sprintf(`{%s,"max_tokens":%d,"seed":%d,"logprobs":true,"top_logprobs":3,"n":%d}`, question, 5+i, i, 1+i%3)
		if i%4 == 0 {
			path, body = "completions", fmt.Sprintf(`{"prompt":["Once upon a time","The cat"],"max_tokens":%d,"seed":%d,"logprobs":2,"echo":%v}`, 5+i, i, i%8 == 0)
		}
		_, want, _ := post(t, alone.URL+"/v1/"+path, body)
		wg.Go(func() {
			for range 2 { // the second time from the cache
				if status, got, _ := post(t, busy.URL+"/v1/"+path, body); status != 200 || stable(t, got) != stable(t, want) {
					t.Errorf("request %d: %d\n%s\nalone\n%s", i, status, got, want)
				}
			}
		})
	}
	wg.Wait()
}

// An answer that was cut at a token goes on with the tokens that it is given.
func TestContinueTokens(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := post(t, h.URL+"/v1/chat/completions", "{"+question+`,"max_tokens":20,"temperature":0,"logprobs":true}`)
	v := object(t, b)
	var ids []string
	begun := ""
	for _, e := range at(v, "choices.0.logprobs.content").([]any)[:8] {
		ids = append(ids, fmt.Sprint(at(e, "id")))
		begun += at(e, "token").(string)
	}
	_, b, _ = post(t, h.URL+"/v1/chat/completions", "{"+question+`,"max_tokens":12,"temperature":0,"continue_tokens":[`+strings.Join(ids, ",")+`]}`)
	if got, want := begun+at(object(t, b), "choices.0.message.content").(string), at(v, "choices.0.message.content"); got != want {
		t.Errorf("%q, whole %q", got, want)
	}
	// A last message of the assistant is gone on with, too.
	q := strings.Replace(question, `"}]`, `"},{"role":"assistant","content":"Once upon"}]`, 1)
	_, b, _ = post(t, h.URL+"/v1/chat/completions", "{"+q+`,"max_tokens":4,"temperature":0}`)
	if got := at(object(t, b), "choices.0.message.content"); got != " a time, there" {
		t.Errorf("after a begun answer: %q", got)
	}
}

// The shapes of requests with which lm-eval scores and generates.
func TestEvalHarness(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := post(t, h.URL+"/v1/completions", `{"model":"mpt-stories","prompt":[[786,580,260,483],[779,420,13]],"temperature":0,"max_tokens":1,"logprobs":1,"seed":1234,"echo":true}`)
	v := object(t, b)
	for i, n := range []int{5, 4} {
		c := fmt.Sprintf("choices.%d.logprobs.", i)
		ps, tops := at(v, c+"token_logprobs").([]any), at(v, c+"top_logprobs").([]any)
		if len(ps) != n || len(tops) != n || ps[0] != nil || tops[0] != nil || len(at(v, c+"tokens").([]any)) != n {
			t.Errorf("prompt %d: %v", i, at(v, c[:len(c)-1]))
		}
		for _, p := range ps[1:] {
			if p.(float64) > 0 {
				t.Errorf("prompt %d: %v", i, p)
			}
		}
	}
	_, b, _ = post(t, h.URL+"/v1/completions", `{"prompt":"Once upon a time","max_tokens":0,"echo":true,"logprobs":0}`)
	v = object(t, b)
	if at(v, "choices.0.text") != "Once upon a time" || at(v, "choices.0.finish_reason") != "length" || at(v, "usage.completion_tokens") != 0.0 {
		t.Errorf("a scored text: %s", b)
	}
	want := scores(t, []int32{786, 580, 260, 483})
	for i, p := range at(v, "choices.0.logprobs.token_logprobs").([]any)[1:] {
		if d := p.(float64) - want[i]; d > 1e-9 || d < -1e-9 {
			t.Errorf("token %d: %v, the model says %v", i+1, p, want[i])
		}
	}
	_, b, _ = post(t, h.URL+"/v1/completions", `{"model":"mpt-stories","prompt":["Once upon a time"],"max_tokens":40,"temperature":0,"stop":["\n\n","."],"seed":1234}`)
	if text, _ := at(object(t, b), "choices.0.text").(string); text == "" || strings.Contains(text, ".") || at(object(t, b), "choices.0.finish_reason") != "stop" {
		t.Errorf("generate_until: %s", b)
	}
	_, b, _ = send(t, "GET", h.URL+"/tokenizer_info", nil)
	if at(object(t, b), "eos_token") != "<|endoftext|>" {
		t.Errorf("tokenizer_info: %s", b)
	}
}

// scores are the log-probabilities of tokens after the first, of the model itself.
func scores(t *testing.T, ids []int32) (ps []float64) {
	s, _ := start(t, serve.Options{})
	x, err := s.first().Engine.Model().NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	err = x.EvalAll(context.Background(), ids, func(i int, logits []float32) error {
		if i+1 < len(ids) {
			ps = append(ps, logprob(logits, ids[i+1]))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// A client that goes away gives its place up; the others notice nothing.
// A server that loads or ends says so; what runs then comes to its end.
func TestLife(t *testing.T) {
	loading := New(DefaultConfig())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, loading)
	url := "http://" + l.Addr().String()
	if status, b, head := send(t, "GET", url+"/health", nil); status != 503 || at(object(t, b), "error.message") != "Loading model" || head.Get("Retry-After") != "1" {
		t.Errorf("loading: %d %s", status, b)
	}
	if status, _, _ := send(t, "GET", url+"/health?live=1", nil); status != 200 {
		t.Errorf("loading: live is %d", status)
	}
	if status, _, _ := post(t, url+"/v1/completions", `{"prompt":"a"}`); status != 503 {
		t.Errorf("loading: a request is %d", status)
	}
	s, h := start(t, serve.Options{})
	answer := make(chan []byte)
	go func() {
		_, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":"Once","ignore_eos":true,"max_tokens":100,"seed":1}`)
		answer <- b
	}()
	waitFor(t, "nothing runs", func() bool { return len(s.first().Engine.Stats().Slots) == 1 })
	s.Leave()
	if status, _, _ := send(t, "GET", h.URL+"/health", nil); status != 503 {
		t.Errorf("leaving: health is %d", status)
	}
	if status, _, _ := post(t, h.URL+"/v1/completions", `{"prompt":"Once","max_tokens":1}`); status != 200 {
		t.Errorf("leaving: a request is %d", status)
	}
	if err := s.Drain(context.Background()); err != nil {
		t.Error(err)
	}
	if b := <-answer; at(object(t, b), "usage.completion_tokens") != 100.0 {
		t.Errorf("what ran: %s", b)
	}
	if status, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":"Once","max_tokens":1}`); status != 503 || at(object(t, b), "error.code") != "draining" {
		t.Errorf("draining: a request is %d %s", status, b)
	}
}

// Clients that are slow, cut off, in a hurry, or many.
// A full queue is told at once, with the time to wait.
// llama.cpp's own paths.
func TestNative(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := post(t, h.URL+"/completion", `{"prompt":"Once upon a time","n_predict":6,"temperature":0,"stop":["little"],"n_probs":2}`)
	v := object(t, b)
	if v["content"] == "" || v["stop"] != true || v["stop_type"] != "word" || v["stopping_word"] != "little" && v["stop_type"] == "word" {
		t.Errorf("%s", b)
	}
	_, b, _ = post(t, h.URL+"/completion", `{"prompt":"Once upon a time","n_predict":6,"temperature":0,"stream":true}`)
	list, text := events(t, b), ""
	for i, e := range list {
		x := object(t, []byte(e))
		text += x["content"].(string)
		if x["stop"] != (i+1 == len(list)) {
			t.Errorf("event %d of %d: %s", i, len(list), e)
		}
	}
	_, b, _ = post(t, h.URL+"/completion", `{"prompt":"Once upon a time","n_predict":6,"temperature":0}`)
	if whole := object(t, b); whole["content"] != text || whole["stop_type"] != "limit" || whole["tokens_predicted"] != 6.0 {
		t.Errorf("%q streamed, %s", text, b)
	}
	_, b, _ = post(t, h.URL+"/tokenize", `{"content":"Once upon 🐕","with_pieces":true}`)
	if at(object(t, b), "tokens.0.piece") != "Once" {
		t.Errorf("%s", b)
	}
	_, b, _ = post(t, h.URL+"/tokenize", `{"prompt":"Once upon"}`)
	ids, _ := json.Marshal(at(object(t, b), "tokens"))
	_, b, _ = post(t, h.URL+"/detokenize", `{"tokens":`+string(ids)+`}`)
	if at(object(t, b), "content") != "Once upon" {
		t.Errorf("%s", b)
	}
	_, b, _ = post(t, h.URL+"/apply-template", `{`+question+`}`)
	if got, _ := at(object(t, b), "prompt").(string); !strings.HasSuffix(got, "<|im_start|>assistant\n") {
		t.Errorf("%s", b)
	}
	for _, path := range []string{"/props", "/slots", "/v1/models"} {
		if status, b, _ := send(t, "GET", h.URL+path, nil); status != 200 || !json.Valid(b) {
			t.Errorf("%s: %d %s", path, status, b)
		}
	}
}

// The time limits of a body and of a stream's events do not cut off what comes after them on
// the same connection.
// A stream that waits is kept alive.
// Prefixes are shared only among equal salts.
func TestSalt(t *testing.T) {
	_, h := start(t, serve.Options{})
	cached := func(fields string) any {
		_, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":"Once upon a time, there was a","max_tokens":1`+fields+`}`)
		return at(object(t, b), "usage.prompt_tokens_details.cached_tokens")
	}
	cached("")
	for _, x := range []struct {
		fields string
		want   float64
	}{{"", 8}, {`,"cache_salt":"mine"`, 0}, {`,"cache_salt":"mine"`, 8}, {`,"cache_prompt":false`, 0}} {
		if got := cached(x.fields); got != x.want {
			t.Errorf("%s: %v tokens cached, want %v", x.fields, got, x.want)
		}
	}
}

// A bias of -100 bans a token, as OpenAI says.
func TestBanned(t *testing.T) {
	s, _ := start(t, serve.Options{})
	f, err := readFields([]byte(`{"logit_bias":{"7":-100,"3":-99.5,"5":100}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(readBiases(f, s.first().Engine.Model().Tokenizer()), f.err)
	if want := "[{3 -99.5} {5 100} {7 -Inf}] <nil>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
