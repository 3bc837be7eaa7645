package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/forge"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
	"mptgo/mpt/talk"
)

// adapterFile is an adapter of the built-in model.
type adapterFile struct {
	Adapter
	path string
	now  float32 // its scale where requests say nothing
}

// forgeAdapters writes some that change every matrix of the blocks.
func forgeAdapters(t testing.TB, n int) (list []adapterFile) {
	t.Helper()
	base, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	dir := t.TempDir()
	for i := range n {
		m := &forge.Mini{Meta: map[string]any{
			"general.architecture": "mpt", "general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": float32(8),
		}}
		r := rand.New(rand.NewPCG(uint64(i), 6))
		for _, x := range base.File().Tensors() {
			if strings.HasPrefix(x.Name, "blk.") && len(x.Shape) == 2 {
				in, out := x.Shape[0], x.Shape[1]
				m.Add(gguf.TensorInfo{Name: x.Name + ".lora_a", Type: gguf.F32, Shape: []int{in, 4}}, normal(r, in*4))
				m.Add(gguf.TensorInfo{Name: x.Name + ".lora_b", Type: gguf.F32, Shape: []int{4, out}}, normal(r, 4*out))
			}
		}
		path := filepath.Join(dir, fmt.Sprintf("secret-%d.gguf", i))
		if err := os.WriteFile(path, m.File(t), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, adapterFile{Adapter{fmt.Sprintf("adapter-%d", i), 0.5}, path, 0})
	}
	return list
}

// normal are n random values of float32, as bytes.
func normal(r *rand.Rand, n int) (b []byte) {
	for range n {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(r.NormFloat64()/16)))
	}
	return b
}

// asking asks the same of any model in some dialect.
func asking(d int, model, more string) (path, body string) {
	asked := strings.NewReplacer("SYSTEM", `"You are short."`, "USER", `"Tell me about a dog."`, "MAX", "12", "SEED", "7", "STOP", "null",
		"TEMP", "0.9")
	return dialects[d].path, asked.Replace(dialects[d].body) + fmt.Sprintf(`,"stream":false,"model":%q%s}`, model, more)
}

// answerOf asks and returns the text of the answer.
func answerOf(t testing.TB, url string, d int, model, more string) string {
	t.Helper()
	path, body := asking(d, model, more)
	status, b, _ := post(t, url+path, body)
	text, _ := at(object(t, b), dialects[d].text).(string)
	if status != 200 || text == "" {
		t.Errorf("%s: %d: %s", path, status, b)
	}
	return text
}

// TestAdapterAsModel: an adapter's name stands for the model with the adapter alone, in every
// dialect, whoever else asks at the same time; so do the id and the scale.
func TestAdapterAsModel(t *testing.T) {
	files := forgeAdapters(t, 3)
	_, h := startWith(t, serve.Options{}, files)
	_, plain := start(t, serve.Options{})
	want := map[string]string{"mpt-stories": answerOf(t, plain.URL, 0, "", "")}
	for i, a := range files {
		a.now = a.Scale
		_, alone := startWith(t, serve.Options{}, []adapterFile{a})
		want[a.Name] = answerOf(t, alone.URL, 0, "", "")
		if x := answerOf(t, h.URL, 0, "mpt-stories", fmt.Sprintf(`,"lora":[{"id":%d,"scale":0.5}]`, i)); x != want[a.Name] {
			t.Errorf("lora: %q, want %q", x, want[a.Name])
		}
	}
	different := map[string]bool{}
	var wg sync.WaitGroup
	for model, text := range want {
		different[text] = true
		for d := range dialects {
			for _, name := range []string{model, model + latest} {
				wg.Go(func() {
					if got := answerOf(t, h.URL, d, name, ""); got != text {
						t.Errorf("%s of %s: %q, want %q", dialects[d].path, name, got, text)
					}
				})
			}
		}
	}
	wg.Wait()
	if len(different) != len(want) {
		t.Errorf("%d models have %d answers", len(want), len(different))
	}
}

// TestScaleAdapters: POST /lora-adapters counts for later requests without scales of their own,
// and for no others. The fingerprint shows it.
func TestScaleAdapters(t *testing.T) {
	files := forgeAdapters(t, 2)
	_, h := startWith(t, serve.Options{}, files)
	fingerprint := func(model, more string) any {
		t.Helper()
		path, body := asking(0, model, more)
		_, b, _ := post(t, h.URL+path, body)
		return object(t, b)["system_fingerprint"]
	}
	show := func() string {
		t.Helper()
		_, b, _ := send(t, "GET", h.URL+"/lora-adapters", nil)
		return strings.TrimSpace(string(b))
	}
	const listed = `[{"id":0,"name":"adapter-0","path":"secret-0.gguf","prompt_prefix":"","scale":%s,"task_name":""},` +
		`{"id":1,"name":"adapter-1","path":"secret-1.gguf","prompt_prefix":"","scale":%s,"task_name":""}]`
	if got := show(); got != fmt.Sprintf(listed, "0", "0") {
		t.Error(got)
	}
	off, first := answerOf(t, h.URL, 0, "", ""), answerOf(t, h.URL, 0, "adapter-0", "")
	offPrint, firstPrint := fingerprint("", ""), fingerprint("adapter-0", "")
	status, b, _ := post(t, h.URL+"/v1/lora-adapters", `[{"id":0,"scale":0.5}]`)
	if status != 200 || strings.TrimSpace(string(b)) != `{"success":true}` || show() != fmt.Sprintf(listed, "0.5", "0") {
		t.Errorf("%d %s %s", status, b, show())
	}
	if got := answerOf(t, h.URL, 0, "", ""); got != first || got == off {
		t.Errorf("scaled: %q, want %q", got, first)
	}
	for more, want := range map[string]any{
		"": firstPrint, `,"lora":[]`: offPrint, `,"lora":[{"id":0,"scale":0}]`: offPrint, `,"lora":[{"id":0,"scale":0.5}]`: firstPrint,
	} {
		if got := fingerprint("", more); got != want {
			t.Errorf("%s: the fingerprint %v, want %v", more, got, want)
		}
	}
	_, b, _ = send(t, "GET", h.URL+"/props", nil)
	p := object(t, b)
	if at(p, "system_fingerprint") != firstPrint || fmt.Sprint(at(p, "default_generation_settings.params.lora")) !=
		"[map[id:0 scale:0.5] map[id:1 scale:0]]" {
		t.Errorf("%s", b)
	}
	if offPrint == firstPrint || fingerprint("adapter-1", "") == firstPrint || answerOf(t, h.URL, 0, "", `,"lora":[]`) != off {
		t.Error("what differs has one fingerprint, or an empty list is not none")
	}
	for _, body := range []string{`[]`, `[{"id":1,"scale":0}]`} {
		post(t, h.URL+"/lora-adapters", `[{"id":0},{"id":1,"scale":-2}]`)
		if got := show(); got != fmt.Sprintf(listed, "1", "-2") {
			t.Error(got)
		}
		post(t, h.URL+"/lora-adapters", body)
		if got := show(); got != fmt.Sprintf(listed, "0", "0") { // what the list leaves out is off
			t.Error(got)
		}
	}
}

// hold asks for something long, until the function that it returns is called.
func hold(t testing.TB, s *Server, url string) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "POST", url+"/v1/completions", strings.NewReader(`{"prompt":"Once","ignore_eos":true,"max_tokens":1900}`))
	go http.DefaultClient.Do(r)
	waitFor(t, "nothing runs", func() bool { return len(s.first().Engine.Stats().Slots) == 1 })
	return cancel
}

// A request keeps the adapters that it was accepted with, whatever happens while it waits.
func TestAdaptersAreFixed(t *testing.T) {
	files := forgeAdapters(t, 1)
	s, h := startWith(t, serve.Options{Parallel: 1, ContextSize: 2000}, files)
	off := answerOf(t, h.URL, 0, "", "")
	leave := hold(t, s, h.URL)
	got := make(chan string)
	go func() { got <- answerOf(t, h.URL, 0, "", "") }()
	waitFor(t, "nothing waits", func() bool { return s.first().Engine.Stats().Waiting == 1 })
	if status, b, _ := post(t, h.URL+"/lora-adapters", `[{"id":0,"scale":1}]`); status != 200 {
		t.Errorf("%s", b)
	}
	leave()
	if text := <-got; text != off {
		t.Errorf("%q, want %q", text, off)
	}
	if text := answerOf(t, h.URL, 0, "", ""); text == off {
		t.Errorf("the scale has no effect")
	}
}

// TestListsOfAdapters: whoever lists models lists adapters, with what they belong to.
func TestListsOfAdapters(t *testing.T) {
	files := forgeAdapters(t, 2)
	_, h := startWith(t, serve.Options{}, files)
	_, b, _ := send(t, "GET", h.URL+"/v1/models", nil)
	var all []string
	for _, x := range object(t, b)["data"].([]any) {
		all = append(all, fmt.Sprint(at(x, "id"), " of ", at(x, "parent")))
	}
	if got, want := strings.Join(all, ", "), "mpt-stories of <nil>, alias of <nil>, adapter-0 of mpt-stories, adapter-1 of mpt-stories"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if strings.Contains(string(b), "secret") {
		t.Errorf("%s: it tells the name of a file", b)
	}
	status, b, _ := send(t, "GET", h.URL+"/v1/models/adapter-1", nil)
	if v := object(t, b); status != 200 || v["id"] != "adapter-1" || v["parent"] != "mpt-stories" {
		t.Errorf("%d %s", status, b)
	}
	_, b, _ = send(t, "GET", h.URL+"/api/tags", nil)
	if got := fmt.Sprint(at(object(t, b), "models.2.name"), " of ", at(object(t, b), "models.2.details.parent_model")); got !=
		"adapter-0:latest of mpt-stories" {
		t.Error(got)
	}
	_, b, _ = post(t, h.URL+"/api/show", `{"model":"adapter-1:latest"}`)
	if got := at(object(t, b), "details.parent_model"); got != "mpt-stories" {
		t.Error(got)
	}
	_, b, _ = send(t, "GET", h.URL+"/metrics", nil)
	if want := `vllm:lora_requests_info{max_lora="2",model_name="mpt-stories",running_lora_adapters="",waiting_lora_adapters=""} 1`; !strings.Contains(string(b), want) {
		t.Errorf("there is no %s", want)
	}
}

// What is wrong with adapters is said.
func TestBadAdapters(t *testing.T) {
	files := forgeAdapters(t, 1)
	_, h := startWith(t, serve.Options{}, files)
	for _, x := range []struct {
		path, body, code, param string
		status                  int
	}{
		{"/v1/completions", `{"prompt":"a","model":"adapter-0","lora":[]}`, "", "lora", 400},
		{"/v1/completions", `{"prompt":"a","lora":[{"id":1}]}`, "", "lora[0].id", 400},
		{"/v1/completions", `{"prompt":"a","lora":[{"id":0,"scale":"x"}]}`, "", "lora[0].scale", 400},
		{"/v1/completions", `{"prompt":"a","lora":{"id":0}}`, "", "lora", 400},
		{"/v1/completions", `{"prompt":"a","model":"adapter-1"}`, "model_not_found", "model", 404},
		{"/lora-adapters", `[{"id":0,"scale":1},{"id":-1}]`, "", "[1].id", 400},
		{"/lora-adapters", `[{"scale":1}]`, "", "[0].id", 400},
		{"/lora-adapters", `[{"id":0,"scale":1e7}]`, "", "[0].scale", 400},
		{"/lora-adapters", `[5]`, "", "[0].id", 400},
		{"/lora-adapters", `{"id":0,"scale":1}`, "invalid_json", "", 400},
		{"/lora-adapters?model=none", `[]`, "model_not_found", "model", 404},
	} {
		status, b, head := post(t, h.URL+x.path, x.body)
		checkError(t, x.path+" "+x.body, x.path, status, x.status, x.code, x.param, b, head)
	}
	if _, b, _ := send(t, "GET", h.URL+"/lora-adapters", nil); !strings.Contains(string(b), `"scale":0,`) {
		t.Errorf("a request that was refused has changed something: %s", b)
	}
	m, err := builtin.Open(mpt.LoRA(files[0].path, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	e, err := serve.New(m, serve.Options{ContextSize: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	format, err := talk.Model(m).Detect()
	if err != nil {
		t.Fatal(err)
	}
	for want, list := range map[string][]Adapter{"0 names": nil, "two models or adapters": {{"a", 1}}} {
		if err := New(DefaultConfig()).Serve(Model{Engine: e, Names: []string{"a"}, Format: format, Adapters: list}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", list, err)
		}
	}
}
