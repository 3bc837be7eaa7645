package server

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
	"mptgo/mpt/talk"
)

// several is a server of models that differ: number i has the adapter i of a list inside.
type several struct {
	*Server
	url    string
	loads  [3]atomic.Int32
	broken atomic.Bool // nothing can be loaded
}

// startSeveral serves three models, a to c, until the end of the test. Model c has an adapter
// that may be named.
func startSeveral(t testing.TB, most int, auto bool, opt serve.Options, budget ...mpt.Option) *several {
	t.Helper()
	x := &several{Server: New(DefaultConfig())}
	x.serve(t, most, auto, opt, budget...)
	return x
}

// serve is startSeveral for a server that has been configured.
func (x *several) serve(t testing.TB, most int, auto bool, opt serve.Options, budget ...mpt.Option) {
	t.Helper()
	files := forgeAdapters(t, 4)
	host := mpt.NewHost(2)
	opt.Caches = serve.NewCaches(serve.CacheOptions{CacheBytes: opt.CacheBytes})
	if opt.ContextSize == 0 {
		opt.ContextSize = 512
	}
	var list []Source
	for i, name := range []string{"a", "b", "c"} {
		with := append([]mpt.Option{mpt.OnHost(host), mpt.LoRA(files[i].path, 0.5)}, budget...)
		adapters := []Adapter{{"inner-" + name, 0.5}}
		if name == "c" {
			with = append(with, mpt.LoRA(files[3].path, 0))
			adapters = append(adapters, Adapter{"other", 0.25})
		}
		source := Source{Names: []string{name, "org/" + name}, Size: int64(i + 1)}
		for _, a := range adapters {
			source.Adapters = append(source.Adapters, a.Name)
		}
		source.Load = func() (Model, error) {
			if x.broken.Load() {
				return Model{}, errors.New("/home/secret/model.gguf: it is not there")
			}
			x.loads[i].Add(1)
			return loadOne(source.Names, adapters, opt, x.Observer(name), with...)
		}
		list = append(list, source)
	}
	if err := x.Offer(list, most, auto); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(x)
	x.url = h.URL
	t.Cleanup(func() {
		h.Close()
		for _, e := range x.models.list() {
			x.models.await(e, func() bool { return e.state == loaded || e.state == unloaded })
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
}

func loadOne(names []string, adapters []Adapter, opt serve.Options, o serve.Observer, with ...mpt.Option) (none Model, err error) {
	m, err := builtin.Open(with...)
	if err != nil {
		return none, err
	}
	opt.Observer = o
	e, err := serve.New(m, opt)
	if err != nil {
		m.Close()
		return none, err
	}
	format, err := talk.Model(m).Detect()
	if err != nil {
		return none, errors.Join(err, e.Close(), m.Close())
	}
	return Model{Engine: e, Names: names, Format: format, Adapters: adapters,
		Close: func() error { return errors.Join(e.Close(), m.Close()) }}, nil
}

// states are what GET /models says of the models.
func (x *several) states(t testing.TB) string {
	t.Helper()
	status, b, _ := send(t, "GET", x.url+"/models", nil)
	if status != 200 {
		t.Fatalf("%d %s", status, b)
	}
	var all []string
	for _, v := range object(t, b)["data"].([]any) {
		if id := fmt.Sprint(at(v, "id")); len(id) == 1 {
			all = append(all, id+" "+fmt.Sprint(at(v, "status.value")))
		}
	}
	return strings.Join(all, ", ")
}

// change loads or unloads a model and waits until it is so.
func (x *several) change(t testing.TB, what, name, want string) {
	t.Helper()
	status, b, _ := post(t, x.url+"/models/"+what, fmt.Sprintf(`{"model":%q}`, name))
	if status != 200 || strings.TrimSpace(string(b)) != `{"success":true}` {
		t.Errorf("%s %s: %d %s", what, name, status, b)
	}
	waitFor(t, name+" is not "+want, func() bool { return strings.Contains(x.states(t), name+" "+want) })
}

// wantTexts are the answers of each model alone, by all names.
func wantTexts(t testing.TB) map[string]string {
	t.Helper()
	files := forgeAdapters(t, 4)
	want := map[string]string{}
	for i, name := range []string{"a", "b", "c"} {
		a := files[i]
		a.now = 0.5
		_, h := startWith(t, serve.Options{}, []adapterFile{a})
		want[name] = answerOf(t, h.URL, 0, "", "")
		want["org/"+name], want["inner-"+name], want[name+latest] = want[name], want[name], want[name]
	}
	other := files[3]
	other.now = 0.25
	_, h := startWith(t, serve.Options{}, []adapterFile{other})
	want["other"] = answerOf(t, h.URL, 0, "", "")
	want[""] = want["a"]
	return want
}

// TestSeveralModels: in every dialect the model that is named answers as it does alone, loaded
// or not, whoever else asks at the same time, and with as little room as for one.
func TestSeveralModels(t *testing.T) {
	want := wantTexts(t)
	if want["a"] == want["b"] || want["a"] == want["c"] || want["b"] == want["c"] || want["other"] == want["c"] {
		t.Fatal("the models have the same answers")
	}
	for _, most := range []int{0, 2, 1} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			x := startSeveral(t, most, true, serve.Options{})
			var wg sync.WaitGroup
			for name, text := range want {
				for d := range dialects {
					wg.Go(func() {
						if got := answerOf(t, x.url, d, name, ""); got != text {
							t.Errorf("%s of %s: %q, want %q", dialects[d].path, name, got, text)
						}
					})
				}
			}
			wg.Wait()
			waitFor(t, "too many are loaded", func() bool {
				n := strings.Count(x.states(t), " loaded")
				return n == most || most == 0 && n == 3
			})
			if loads := x.loads[0].Load() + x.loads[1].Load() + x.loads[2].Load(); most == 0 && loads != 3 {
				t.Errorf("%d loads", loads)
			}
		})
	}
}

// TestUnknownModels: what nobody is called is an error in the form of every dialect.
func TestUnknownModels(t *testing.T) {
	x := startSeveral(t, 0, true, serve.Options{})
	for d := range dialects {
		path, body := asking(d, "d", "")
		status, b, head := post(t, x.url+path, body)
		checkError(t, path, path, status, 404, "model_not_found", "model", b, head)
		if text := string(b); !strings.Contains(text, "org/a") || !strings.Contains(text, "other") {
			t.Errorf("%s: it does not list what there is: %s", path, b)
		}
	}
	for _, url := range []string{"/props?model=d", "/slots?model=d", "/lora-adapters?model=d", "/models/d"} {
		status, b, head := send(t, "GET", x.url+url, nil)
		checkError(t, url, url, status, 404, "model_not_found", "model", b, head)
	}
	for body, want := range map[string]int{`{}`: 400, `{"model":5}`: 400, `{"model":"d"}`: 404, `{"model":""}`: 400} {
		for _, path := range []string{"/models/load", "/models/unload"} {
			if status, b, _ := post(t, x.url+path, body); status != want {
				t.Errorf("%s %s: %d %s", path, body, status, b)
			}
		}
	}
	if status, b, _ := send(t, "GET", x.url+"/health?model=d", nil); status != 404 || strings.Contains(string(b), "org/a") {
		t.Errorf("%d %s", status, b)
	}
}

// TestNoOtherIsChanged: what changes a model without a name means the first, loaded or not.
func TestNoOtherIsChanged(t *testing.T) {
	x := startSeveral(t, 0, false, serve.Options{})
	x.c.SlotDir = t.TempDir()
	ask := func(path, body string) {
		status, b, head := post(t, x.url+path, body)
		checkError(t, path, path, status, 400, "model_not_loaded", "model", b, head)
	}
	want := answerOf(t, x.url, 0, "b", "")
	x.change(t, "unload", "a", "unloaded")
	ask("/lora-adapters", `[{"id":0,"scale":1}]`)
	for _, action := range []string{"save", "restore", "erase"} {
		ask("/slots/0?action="+action, `{"filename":"x"}`)
	}
	if got := answerOf(t, x.url, 0, "b", ""); got != want {
		t.Errorf("another model has changed: %q, want %q", got, want)
	}
}

// TestSlotsOfSeveral: the body of a request about a slot names its model, also to erase.
func TestSlotsOfSeveral(t *testing.T) {
	x := &several{Server: New(DefaultConfig())}
	x.c.SlotDir = t.TempDir()
	x.serve(t, 0, true, serve.Options{})
	for _, name := range []string{"a", "b"} {
		post(t, x.url+"/completion", fmt.Sprintf(`{"model":%q,"prompt":"Once upon a time","n_predict":3,"id_slot":0}`, name))
	}
	for body, want := range map[string]int{
		`{"model":"a","filename":"f"}`: 400, `{"model":"b","filename":"f"}`: 200, `{"filename":"f"}`: 200,
	} {
		if status, b, _ := post(t, x.url+"/slots/0?action=save&model=b", body); status != want {
			t.Errorf("%s: %d %s", body, status, b)
		}
	}
	status, b, _ := post(t, x.url+"/slots/0?action=erase", `{"model":"b"}`)
	if status != 200 || object(t, b)["n_erased"] == 0.0 {
		t.Errorf("%d %s", status, b)
	}
	if status, b, _ := post(t, x.url+"/slots/0?action=save&model=b", `{"filename":"f"}`); status != 400 {
		t.Errorf("it was not erased: %d %s", status, b)
	}
	if status, b, _ := post(t, x.url+"/slots/0?action=save", `{"filename":"f"}`); status != 200 {
		t.Errorf("that of another model was erased: %d %s", status, b)
	}
}

// TestListsOfModels: every list has all models, and the metrics have a label for each.
func TestListsOfModels(t *testing.T) {
	x := startSeveral(t, 2, true, serve.Options{})
	answerOf(t, x.url, 0, "b", "")
	names := func(path, list, name string) string {
		t.Helper()
		_, b, _ := send(t, "GET", x.url+path, nil)
		var all []string
		for _, v := range object(t, b)[list].([]any) {
			all = append(all, fmt.Sprint(at(v, name)))
		}
		return strings.Join(all, " ")
	}
	if got := names("/v1/models", "data", "id"); got != "a org/a inner-a b org/b inner-b c org/c inner-c other" {
		t.Error(got)
	}
	if got := names("/v1/models", "data", "parent"); got != "<nil> <nil> a <nil> <nil> b <nil> <nil> c c" {
		t.Error(got)
	}
	if got := names("/api/tags", "models", "name"); got != strings.ReplaceAll("a org/a inner-a b org/b inner-b c org/c inner-c other", " ", latest+" ")+latest {
		t.Error(got)
	}
	if got := names("/api/ps", "models", "model"); got != strings.ReplaceAll("a org/a inner-a b org/b inner-b", " ", latest+" ")+latest {
		t.Error(got)
	}
	if _, b, _ := send(t, "GET", x.url+"/v1/models/org/c", nil); object(t, b)["id"] != "org/c" || at(object(t, b), "meta.size") != 3.0 {
		t.Errorf("%s", b)
	}
	_, b, _ := send(t, "GET", x.url+"/metrics", nil)
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"llamacpp:prompt_tokens_total": "a b", "vllm:num_requests_running": "a b", "mpt_model_loaded": "a b c",
		"vllm:time_to_first_token_seconds": "a b", "mpt_step_seconds": "a b", "vllm:lora_requests_info": "a b",
	} {
		var got []string
		for _, m := range families[name].GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "model_name" {
					got = append(got, l.GetValue())
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is of %v, want %s", name, got, want)
		}
	}
	if n := len(families["mpt_cache_bytes"].GetMetric()); n != 2 {
		t.Errorf("%d metrics of caches, want one for each tier", n)
	}
	if status, b, _ := send(t, "GET", x.url+"/slots?model=b", nil); status != 200 || b[0] != '[' {
		t.Errorf("%d %s", status, b)
	}
	if _, b, _ := send(t, "GET", x.url+"/props?model=b", nil); object(t, b)["model_alias"] != "b" {
		t.Errorf("%s", b)
	}
}
