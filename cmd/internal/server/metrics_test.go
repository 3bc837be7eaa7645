package server

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"mptgo/mpt/serve"
)

// /metrics is what Prometheus reads.
func TestMetrics(t *testing.T) {
	_, h := start(t, serve.Options{})
	post(t, h.URL+"/v1/completions", `{"prompt":"Once upon a time","max_tokens":5,"ignore_eos":true}`)
	_, b, _ := send(t, "GET", h.URL+"/metrics", nil)
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"llamacpp:prompt_tokens_total": 4, "llamacpp:tokens_predicted_total": 4, "vllm:prompt_tokens_total": 4,
		"vllm:num_requests_waiting": 0, "llamacpp:requests_deferred": 0,
	} {
		f := families[name]
		if f == nil {
			t.Errorf("there is no %s", name)
			continue
		}
		if got := f.Metric[0].GetCounter().GetValue() + f.Metric[0].GetGauge().GetValue(); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"vllm:time_to_first_token_seconds", "vllm:e2e_request_latency_seconds", "vllm:cache_config_info",
		"vllm:request_success_total", "mpt_http_requests_total", "mpt_step_seconds", "go_goroutines", "process_resident_memory_bytes"} {
		if families[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
}

// Answers that end at a string and at a token have one name for that, which is told once.
func TestMetricsOfReasons(t *testing.T) {
	_, h := start(t, serve.Options{})
	for _, more := range []string{`"max_tokens":1`, `"stop":["there"]`, `"logit_bias":{"0":100}`} {
		if status, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":"Once upon a time","temperature":0,`+more+`}`); status != 200 {
			t.Fatalf("%s", b)
		}
	}
	status, b, _ := send(t, "GET", h.URL+"/metrics", nil)
	for _, want := range []string{`finished_reason="stop",model_name="mpt-stories"} 2`, `finished_reason="length",model_name="mpt-stories"} 1`} {
		if status != 200 || !strings.Contains(string(b), want) {
			t.Errorf("%d, without %s: %s", status, want, b)
		}
	}
}

// The dashboard that comes with the project asks for metrics that there are.
func TestDashboard(t *testing.T) {
	b, err := os.ReadFile("../../../deploy/grafana/mpt-serve.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	_, h := start(t, serve.Options{})
	post(t, h.URL+"/v1/completions", `{"prompt":"Once upon a time","max_tokens":5,"ignore_eos":true}`)
	_, metrics, _ := send(t, "GET", h.URL+"/metrics", nil)
	name := regexp.MustCompile(`\b((?:vllm:|llamacpp:|mpt_|process_)\w+)`)
	for _, p := range dashboard.Panels {
		for _, x := range p.Targets {
			names := name.FindAllString(x.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s: no metric in %s", p.Title, x.Expr)
			}
			for _, n := range names {
				if !strings.Contains(string(metrics), "\n"+n+"{") && !strings.Contains(string(metrics), "\n"+n+" ") {
					t.Errorf("%s: there is no %s", p.Title, n)
				}
			}
		}
	}
}
