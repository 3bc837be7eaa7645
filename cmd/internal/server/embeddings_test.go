package server

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"mptgo/mpt/serve"
)

func pooling(p serve.Pooling) func(*Config) { return func(c *Config) { c.Pooling = p } }

// vectorAt reads a vector, bit by bit.
func vectorAt(t *testing.T, v any, path string) (list []float32) {
	t.Helper()
	text, ok := at(v, path).(string)
	if ok {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for ; len(b) > 0; b = b[4:] {
			list = append(list, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		return list
	}
	all, _ := at(v, path).([]any)
	for _, x := range all {
		list = append(list, float32(x.(float64)))
	}
	return list
}

func anyOf(t *testing.T, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return v
}

// All dialects give the same vectors, in whatever form the texts and the vectors come, alone and
// among others.
func TestEmbeddings(t *testing.T) {
	for _, p := range []serve.Pooling{serve.MeanPooling, serve.LastPooling} {
		_, h := start(t, serve.Options{}, pooling(p))
		ask := func(path, body string) any {
			t.Helper()
			status, b, _ := post(t, h.URL+path, body)
			if status != 200 {
				t.Fatalf("%s %s: %d %s", path, body, status, b)
			}
			return anyOf(t, b)
		}
		const text = "Once upon a time there was a dog."
		one := ask("/v1/embeddings", `{"input":"`+text+`","model":"alias"}`)
		want := vectorAt(t, one, "data.0.embedding")
		length := 0.0
		for _, x := range want {
			length += float64(x) * float64(x)
		}
		if at(one, "object") != "list" || at(one, "model") != "alias" || at(one, "data.0.object") != "embedding" || math.Abs(length-1) > 1e-6 {
			t.Errorf("length %v: %.300v", length, one)
		}
		var ids []int32
		status, b, _ := post(t, h.URL+"/tokenize", `{"content":"`+text+`"}`)
		if status != 200 {
			t.Fatal(status)
		}
		for _, x := range object(t, b)["tokens"].([]any) {
			ids = append(ids, int32(x.(float64)))
		}
		if n := float64(len(ids)); at(one, "usage.prompt_tokens") != n || at(one, "usage.total_tokens") != n {
			t.Errorf("%v, want %v tokens", at(one, "usage"), n)
		}
		tokens, _ := json.Marshal(ids)
		for path, places := range map[string][]string{
			`/v1/embeddings {"input":"` + text + `","encoding_format":"base64"}`:                 {"data.0.embedding"},
			`/v1/embeddings {"input":` + string(tokens) + `,"encoding_format":"float"}`:          {"data.0.embedding"},
			`/embeddings {"input":[` + string(tokens) + `],"user":"x","dimensions":null}`:        {"data.0.embedding"},
			`/v1/embeddings {"input":["Something else.","` + text + `","x","` + text + `"]}`:     {"data.1.embedding", "data.3.embedding"},
			`/embedding {"content":"` + text + `"}`:                                              {"0.embedding.0"},
			`/embedding {"input":["a","` + text + `"],"embd_normalize":2}`:                       {"1.embedding.0"},
			`/api/embed {"model":"mpt-stories:latest","input":"` + text + `","keep_alive":"1m"}`: {"embeddings.0"},
			`/api/embed {"input":["b","` + text + `"],"options":{"num_ctx":512}}`:                {"embeddings.1"},
		} {
			path, body, _ := strings.Cut(path, " ")
			v := ask(path, body)
			for _, place := range places {
				if got := vectorAt(t, v, place); !slices.Equal(got, want) {
					t.Errorf("%s %s: another vector: %v", path, body, got)
				}
			}
		}
		raw := vectorAt(t, ask("/api/embeddings", `{"prompt":"`+text+`"}`), "embedding")
		same := vectorAt(t, ask("/embedding", `{"content":"`+text+`","embd_normalize":-1}`), "0.embedding.0")
		if !normalise(slices.Clone(raw), euclidean) || slices.Equal(raw, want) || !slices.Equal(raw, same) {
			t.Errorf("%v is not the vector as the model has it", raw)
		}
		if normalise(raw, euclidean); !slices.Equal(raw, want) {
			t.Errorf("%v, made as long as others, is another", raw)
		}
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				post(t, h.URL+"/v1/completions", fmt.Sprintf(`{"prompt":"Number %d","max_tokens":%d}`, i, 3*i))
				_, b, _ := post(t, h.URL+"/v1/embeddings", fmt.Sprintf(`{"input":["%s","%s"],"priority":%d}`, strings.Repeat("word ", 10*i+1), text, i%3-1))
				if got := vectorAt(t, anyOf(t, b), "data.1.embedding"); !slices.Equal(got, want) {
					t.Errorf("among others another vector: %v", got)
				}
			})
		}
		wg.Wait()
	}
}

// Ollama's clients have a model loaded by asking for nothing, and may have texts cut off.
func TestOllamaEmbed(t *testing.T) {
	_, h := start(t, serve.Options{ContextSize: 32}, pooling(serve.MeanPooling))
	for _, x := range [][3]string{
		{"embed", `{}`, `"embeddings":[]`}, {"embed", `{"input":""}`, `"embeddings":[]`}, {"embed", `{"input":null}`, `"embeddings":[]`},
		{"embeddings", `{}`, `{"embedding":[]}`}, {"embeddings", `{"prompt":""}`, `{"embedding":[]}`},
		{"embed", `{"input":"` + strings.Repeat("word ", 100) + `","truncate":true}`, `"prompt_eval_count":32`},
		{"show", `{"model":"alias"}`, `"embedding"`},
	} {
		if status, b, _ := post(t, h.URL+"/api/"+x[0], x[1]); status != 200 || !strings.Contains(string(b), x[2]) {
			t.Errorf("%v: %d %s", x, status, b)
		}
	}
}

func TestBadEmbeddings(t *testing.T) {
	_, h := start(t, serve.Options{ContextSize: 64}, pooling(serve.LastPooling))
	long := strings.Repeat("word ", 100)
	many := strings.TrimSuffix(strings.Repeat(`"a",`, mostTexts+1), ",")
	for _, x := range []struct {
		path, body  string
		status      int
		code, param string
	}{
		{"v1/embeddings", `{}`, 400, "", "input"},
		{"v1/embeddings", `{"input":null}`, 400, "", "input"},
		{"v1/embeddings", `{"input":5}`, 400, "", "input"},
		{"v1/embeddings", `{"input":{}}`, 400, "", "input"},
		{"v1/embeddings", `{"input":""}`, 400, "", "input"},
		{"v1/embeddings", `{"input":[]}`, 400, "", "input"},
		{"v1/embeddings", `{"input":[[]]}`, 400, "", "input[0]"},
		{"v1/embeddings", `{"input":["a",""]}`, 400, "", "input[1]"},
		{"v1/embeddings", `{"input":["a",5]}`, 400, "", "input[1]"},
		{"v1/embeddings", `{"input":[true]}`, 400, "", "input[0]"},
		{"v1/embeddings", `{"input":[-1]}`, 400, "", "input[0]"},
		{"v1/embeddings", `{"input":[[1,99999]]}`, 400, "", "input[0][1]"},
		{"v1/embeddings", `{"input":[1.5]}`, 400, "", "input[0]"},
		{"v1/embeddings", `{"input":[` + many + `]}`, 400, "", "input"},
		{"v1/embeddings", `{"input":"` + long + `"}`, 400, "context_length_exceeded", "input"},
		{"v1/embeddings", `{"input":["a","` + long + `"]}`, 400, "context_length_exceeded", "input[1]"},
		{"v1/embeddings", `{"input":["a","` + long + `",""]}`, 400, "", "input[2]"},
		{"v1/embeddings", `{"input":"a","encoding_format":"int8"}`, 400, "", "encoding_format"},
		{"v1/embeddings", `{"input":"a","encoding_format":5}`, 400, "", "encoding_format"},
		{"v1/embeddings", `{"input":"a","dimensions":7}`, 400, "", "dimensions"},
		{"v1/embeddings", `{"input":"a","dimensions":0}`, 400, "", "dimensions"},
		{"v1/embeddings", `{"input":"a","dimensions":"x"}`, 400, "", "dimensions"},
		{"v1/embeddings", `{"input":"a","embd_normalize":3}`, 400, "", "embd_normalize"},
		{"v1/embeddings", `{"input":"a","model":"ada"}`, 404, "model_not_found", "model"},
		{"v1/embeddings", `{"input":"a","lora":[{"id":7}]}`, 400, "", "lora[0].id"},
		{"v1/embeddings", `{"input":"a","priority":7}`, 400, "", "priority"},
		{"embedding", `{}`, 400, "", "content"},
		{"embedding", `{"content":""}`, 400, "", "content"},
		{"embedding", `{"content":"a","input":"b"}`, 400, "", "input"},
		{"api/embed", `{"input":5}`, 400, "", "input"},
		{"api/embed", `{"input":["a",""]}`, 400, "", "input[1]"},
		{"api/embed", `{"input":"` + long + `"}`, 400, "", "exceeds the available context size"},
		{"api/embed", `{"input":"a","truncate":1}`, 400, "", "truncate"},
		{"api/embed", `{"input":"a","options":{"num_ctx":9999}}`, 400, "", "num_ctx"},
		{"api/embed", `{"input":"a","options":5}`, 400, "", "options"},
		{"api/embed", `{"input":"a","dimensions":7}`, 400, "", "dimensions"},
		{"api/embeddings", `{"prompt":5}`, 400, "", "prompt"},
		{"api/embeddings", `{"prompt":"` + long + `"}`, 400, "", "exceeds the available context size"},
	} {
		status, b, head := post(t, h.URL+"/"+x.path, x.body)
		checkError(t, x.path+" "+x.body[:min(len(x.body), 80)], "/"+x.path, status, x.status, x.code, x.param, b, head)
	}
	for _, body := range badJSON {
		status, b, head := post(t, h.URL+"/v1/embeddings", body)
		checkError(t, body, "/v1/embeddings", status, 400, "invalid_json", "", b, head)
	}
	if status, b, _ := post(t, h.URL+"/v1/embeddings", `{"input":"a"}`); status != 200 {
		t.Errorf("afterwards: %d %s", status, b)
	}
}

// Without pooling nothing is guessed.
func TestNoEmbeddings(t *testing.T) {
	_, h := start(t, serve.Options{})
	for _, path := range []string{"/v1/embeddings", "/embedding", "/api/embed", "/api/embeddings"} {
		if status, b, _ := post(t, h.URL+path, `{"input":"a"}`); status != 501 || !strings.Contains(string(b), "--pooling") {
			t.Errorf("%s: %d %s", path, status, b)
		}
	}
}

func TestNormalise(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, x := range []struct {
		how      int
		v, want  []float32
		infinite bool
	}{
		{euclidean, []float32{3, -4}, []float32{0.6, -0.8}, false},
		{taxicab, []float32{3, -1}, []float32{0.75, -0.25}, false},
		{greatest, []float32{3, -4}, []float32{24570, -32760}, false},
		{unchanged, []float32{3, -4}, []float32{3, -4}, false},
		{euclidean, []float32{0, 0}, []float32{0, 0}, false},
		{euclidean, []float32{1e38, 1e38, 1e38, 1e38}, []float32{0.5, 0.5, 0.5, 0.5}, false},
		{euclidean, []float32{1, inf}, nil, true},
		{unchanged, []float32{inf - inf, 1}, nil, true},
	} {
		v := slices.Clone(x.v)
		if ok := normalise(v, x.how); ok == x.infinite || ok && !slices.Equal(v, x.want) {
			t.Errorf("%v with %d is %v, finite: %v", x.v, x.how, v, ok)
		}
	}
}
