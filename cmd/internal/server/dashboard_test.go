package server

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

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
