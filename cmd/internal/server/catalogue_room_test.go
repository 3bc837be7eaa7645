package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
)

// TestUnload: what runs comes to its end, what comes later waits for the model to be loaded
// again, and the scales of adapters are as they were.
func TestUnload(t *testing.T) {
	x := startSeveral(t, 0, true, serve.Options{ContextSize: 2000, Parallel: 1})
	if got := x.states(t); got != "a loaded, b loaded, c loaded" {
		t.Fatal(got)
	}
	post(t, x.url+"/lora-adapters?model=c", `[{"id":1,"scale":0.25}]`)
	scaled := answerOf(t, x.url, 0, "c", "")
	if scaled != answerOf(t, x.url, 0, "other", "") {
		t.Error("the scale has no effect")
	}
	answered := make(chan string)
	go func() {
		_, b, _ := post(t, x.url+"/v1/completions", `{"model":"b","prompt":"Once","ignore_eos":true,"max_tokens":600,"seed":3,"return_progress":false}`)
		answered <- string(b)
	}()
	engine := x.models.list()[1].m.Engine
	waitFor(t, "nothing runs", func() bool { return len(engine.Stats().Slots) == 1 })
	status, b, _ := post(t, x.url+"/models/unload", `{"model":"b"}`)
	if status != 200 {
		t.Errorf("%s", b)
	}
	if got := answerOf(t, x.url, 0, "b", ""); got == "" { // it is loaded again
		t.Error("no answer")
	}
	if b := <-answered; !strings.Contains(b, `"finish_reason":"length"`) || !strings.Contains(b, `"completion_tokens":600`) {
		t.Errorf("what ran did not come to its end: %s", b)
	}
	if n := x.loads[1].Load(); n != 2 {
		t.Errorf("b was loaded %d times", n)
	}
	x.change(t, "unload", "c", "unloaded")
	x.change(t, "unload", "c", "unloaded")
	if status, b, _ := send(t, "GET", x.url+"/health?model=c", nil); status != 503 || at(object(t, b), "error.code") != "unloaded" {
		t.Errorf("%d %s", status, b)
	}
	if status, b, head := send(t, "GET", x.url+"/props?model=c", nil); true {
		checkError(t, "props", "/props", status, 400, "model_not_loaded", "model", b, head)
	}
	x.change(t, "load", "c", "loaded")
	x.change(t, "load", "c", "loaded")
	if got := answerOf(t, x.url, 0, "c", ""); got != scaled {
		t.Errorf("the scales are lost: %q, want %q", got, scaled)
	}
	if x.loads[2].Load() != 2 {
		t.Error("what is loaded was loaded again")
	}
}

// TestUnloadLater: prompts of a request that has begun are answered, also those that the engine
// has not seen yet.
func TestUnloadLater(t *testing.T) {
	x := startSeveral(t, 0, true, serve.Options{Parallel: 1})
	answered := make(chan string)
	go func() {
		prompts := strings.Repeat(`"Once",`, 3*atOnce) + `"Once"`
		_, b, _ := post(t, x.url+"/v1/completions", `{"model":"b","prompt":[`+prompts+`],"ignore_eos":true,"max_tokens":40}`)
		answered <- string(b)
	}()
	engine := x.models.list()[1].m.Engine
	waitFor(t, "nothing runs", func() bool { return len(engine.Stats().Slots) == 1 })
	post(t, x.url+"/models/unload", `{"model":"b"}`)
	if b := <-answered; strings.Count(b, `"finish_reason":"length"`) != 3*atOnce+1 {
		t.Errorf("%s", b)
	}
	waitFor(t, "b is not unloaded", func() bool { return strings.Contains(x.states(t), "b unloaded") })
}

// TestChangeTwice: what is said of a model while it is being loaded or unloaded holds afterwards.
func TestChangeTwice(t *testing.T) {
	x := startSeveral(t, 1, true, serve.Options{ContextSize: 2000})
	leave := hold(t, x.Server, x.url) // so that a cannot be unloaded
	x.change(t, "load", "b", "loading")
	x.change(t, "unload", "b", "loading")
	waitFor(t, "a is not being unloaded", func() bool { return strings.Contains(x.states(t), "a unloading") })
	x.change(t, "load", "a", "unloading")
	leave()
	waitFor(t, "not a alone is loaded", func() bool { return x.states(t) == "a loaded, b unloaded, c unloaded" })
	if n, m := x.loads[0].Load(), x.loads[1].Load(); n != 2 || m > 1 {
		t.Errorf("a was loaded %d times, b %d times", n, m)
	}
}

// TestNoAutoload: without it only POST /models/load loads.
func TestNoAutoload(t *testing.T) {
	x := startSeveral(t, 1, false, serve.Options{})
	if got := x.states(t); got != "a loaded, b unloaded, c unloaded" {
		t.Fatal(got)
	}
	for d := range dialects {
		path, body := asking(d, "b", "")
		status, b, head := post(t, x.url+path, body)
		checkError(t, path, path, status, 400, "model_not_loaded", "model", b, head)
	}
	x.change(t, "load", "b", "loaded")
	if got := x.states(t); got != "a unloaded, b loaded, c unloaded" { // there is room for one
		t.Error(got)
	}
	answerOf(t, x.url, 0, "b", "")
	if status, b, _ := send(t, "GET", x.url+"/props", nil); status != 200 || object(t, b)["model_alias"] != "b" {
		t.Errorf("%d %s", status, b)
	}
}

// TestLoadFails: who waits learns it, but not where files lie, and the next one tries again.
func TestLoadFails(t *testing.T) {
	x := startSeveral(t, 1, true, serve.Options{})
	x.broken.Store(true)
	var wg sync.WaitGroup
	for d := range dialects {
		wg.Go(func() {
			path, body := asking(d, "b", "")
			if status, b, _ := post(t, x.url+path, body); status != 500 || strings.Contains(string(b), "secret") {
				t.Errorf("%s: %d %s", path, status, b)
			}
		})
	}
	wg.Wait()
	_, b, _ := send(t, "GET", x.url+"/models/b", nil)
	if at(object(t, b), "status.failed") != true || at(object(t, b), "status.value") != unloaded {
		t.Errorf("%s", b)
	}
	x.broken.Store(false)
	answerOf(t, x.url, 0, "b", "")
	_, b, _ = send(t, "GET", x.url+"/models/b", nil)
	if at(object(t, b), "status.failed") != nil {
		t.Errorf("%s", b)
	}
}

// TestLoadLeft: whoever waits for a model and leaves holds nothing.
func TestLoadLeft(t *testing.T) {
	x := startSeveral(t, 1, true, serve.Options{ContextSize: 2000})
	leave := hold(t, x.Server, x.url) // so that a cannot be unloaded
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "POST", x.url+"/v1/completions", strings.NewReader(`{"model":"b","prompt":"Once"}`))
	done := make(chan error)
	go func() { _, err := http.DefaultClient.Do(r); done <- err }()
	waitFor(t, "nobody waits", func() bool { return strings.Contains(x.states(t), "b loading") })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	leave()
	waitFor(t, "b is not loaded", func() bool { return x.states(t) == "a unloaded, b loaded, c unloaded" })
	x.change(t, "load", "c", "loaded")
}

// TestModelsMemory: a model for which there is no memory beside the others takes their place.
func TestModelsMemory(t *testing.T) {
	one, err := builtin.Open(mpt.LoRA(forgeAdapters(t, 1)[0].path, 1))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := one.Memory()
	if err != nil {
		t.Fatal(err)
	}
	both := mpt.MemoryBudget((mem.Weights+mem.Activations)*5/2 + 2*one.CacheBytes(512))
	one.Close()
	x := startSeveral(t, 0, true, serve.Options{CacheBytes: -1}, both)
	if got := x.states(t); got != "a loaded, b loaded, c unloaded" {
		t.Fatal(got)
	}
	answerOf(t, x.url, 0, "a", "")
	answerOf(t, x.url, 0, "c", "")
	if got := x.states(t); got != "a loaded, b unloaded, c loaded" {
		t.Error(got)
	}
	answerOf(t, x.url, 0, "b", "")
	if got := x.states(t); got != "a unloaded, b loaded, c loaded" {
		t.Error(got)
	}
}

// TestOllamaUnload: Ollama's clients unload a model by keeping it for no time.
func TestOllamaUnload(t *testing.T) {
	x := startSeveral(t, 0, true, serve.Options{})
	for body, want := range map[string]string{
		`{"model":"b","keep_alive":0}`: "unload", `{"model":"b","keep_alive":"0s"}`: "unload", `{"model":"b","keep_alive":"5m"}`: "load",
		`{"model":"b","keep_alive":-1}`: "load", `{"model":"b"}`: "load",
	} {
		_, b, _ := post(t, x.url+"/api/generate", body)
		if got := object(t, b)["done_reason"]; got != want {
			t.Errorf("%s: %s", body, b)
		}
		if want == "unload" {
			waitFor(t, "b is not unloaded", func() bool { return strings.Contains(x.states(t), "b unloaded") })
		} else if !strings.Contains(x.states(t), "b loaded") {
			t.Errorf("%s: %s", body, x.states(t))
		}
	}
	_, h := start(t, serve.Options{}) // the only model stays
	_, b, _ := post(t, h.URL+"/api/generate", `{"keep_alive":0}`)
	if object(t, b)["done_reason"] != "load" {
		t.Errorf("%s", b)
	}
	if status, b, _ := post(t, h.URL+"/models/unload", `{"model":"alias"}`); status != 501 {
		t.Errorf("%d %s", status, b)
	}
}

// TestDrainModels: at the end all models finish what they have, and none is loaded.
func TestDrainModels(t *testing.T) {
	x := startSeveral(t, 1, true, serve.Options{ContextSize: 2000})
	leave := hold(t, x.Server, x.url)
	waits := make(chan int)
	go func() {
		status, _, _ := post(t, x.url+"/v1/completions", `{"model":"b","prompt":"Once"}`)
		waits <- status
	}()
	waitFor(t, "nobody waits", func() bool { return strings.Contains(x.states(t), "b loading") })
	ended := make(chan error)
	go func() { ended <- x.Drain(t.Context()) }()
	if status := <-waits; status != 503 {
		t.Errorf("who waits for a model gets %d", status)
	}
	leave()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestModelsShed: a model for which there is no memory beside what others keep for later has them give that
// up, and none is unloaded.
func TestModelsShed(t *testing.T) {
	one, err := builtin.Open(mpt.LoRA(forgeAdapters(t, 1)[0].path, 1))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := one.Memory()
	if err != nil {
		t.Fatal(err)
	}
	three := mpt.MemoryBudget((mem.Weights+mem.Activations)*31/10 + 3*one.CacheBytes(512))
	more := 2*(mem.Weights+mem.Activations)/one.CacheBytes(512) + 3
	one.Close()
	x := startSeveral(t, 0, true, serve.Options{CacheBytes: 1 << 40}, three)
	x.change(t, "unload", "c", "unloaded")
	engine := x.models.list()[0].m.Engine
	for i := 0; i < int(more) && engine.Stats().CacheBytes < engine.Model().CacheBytes(512)*3/2; i++ {
		post(t, x.url+"/v1/completions", fmt.Sprintf(`{"model":"a","prompt":"%d %s","max_tokens":1}`, i, strings.Repeat("Once ", 400)))
	}
	had := engine.Stats().CacheBytes
	answerOf(t, x.url, 0, "c", "")
	if got := x.states(t); got != "a loaded, b loaded, c loaded" {
		t.Error(got)
	}
	waitFor(t, "a keeps what it had", func() bool { return engine.Stats().CacheBytes < had })
}

// TestStartFails: what keeps the server from its start is the error of Offer, and not in the log, too.
func TestStartFails(t *testing.T) {
	var b strings.Builder
	c := DefaultConfig()
	c.Log = slog.New(slog.NewTextHandler(&b, nil))
	s := New(c)
	broken := errors.New("it is not there")
	source := Source{Names: []string{"a"}, Load: func() (Model, error) { return Model{}, broken }}
	if err := s.Offer([]Source{source}, 0, true); !errors.Is(err, broken) {
		t.Error(err)
	}
	if b.Len() > 0 {
		t.Errorf("it is in the log, too: %s", b.String())
	}
}
