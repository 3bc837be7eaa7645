package eval

import (
	"bufio"
	"encoding/json"
	"io"
)

// Report is what is written about an evaluation, and compared later. Without the fields
// that tell of time and threads it is the same on every machine.
type Report struct {
	Model    ModelInfo          `json:"model"`
	Engine   EngineInfo         `json:"engine"`
	Config   map[string]any     `json:"config"`
	Results  map[string]Figures `json:"results"`
	Groups   map[string]Figures `json:"groups,omitempty"`
	Gauntlet map[string]float64 `json:"gauntlet,omitempty"`
	Files    map[string]string  `json:"files"`             // SHA-256 by path
	Samples  string             `json:"samples,omitempty"` // the file with all rows
}

// ModelInfo says which model it was.
type ModelInfo struct {
	Path     string   `json:"path"`
	SHA256   string   `json:"sha256"`
	Type     string   `json:"type"`
	Context  int      `json:"context"`
	Adapters []string `json:"adapters,omitempty"`
}

// EngineInfo says what computed the results.
type EngineInfo struct {
	Version  string `json:"version"`
	Numerics string `json:"numerics"` // "default" or "exact"
	ISA      string `json:"isa"`
	Threads  int    `json:"threads"`
}

// Figures are those of a run, by name: n, accuracy or acc and others with their errors,
// tokens_evaluated, tokens_reused, tokens_generated, seconds.
type Figures map[string]any

// Report returns the results as they are written.
func (r *Results) Report(model ModelInfo, engine EngineInfo, config map[string]any) *Report {
	rep := &Report{Model: model, Engine: engine, Config: config, Results: map[string]Figures{}, Files: r.Files}
	for _, o := range r.Runs {
		f := Figures{"n": len(o.Samples), "tokens_evaluated": o.Tokens, "tokens_reused": o.Reused, "seconds": o.Seconds,
			"rules": o.Rules}
		if o.Generated > 0 {
			f["tokens_generated"] = o.Generated
		}
		if o.Partial {
			f["partial"] = true
			f["rows"] = o.Rows
		}
		for _, m := range o.Metrics {
			f.add(m)
		}
		rep.Results[o.Name] = f
	}
	for _, t := range r.Groups {
		if rep.Groups == nil {
			rep.Groups = map[string]Figures{}
		}
		f := rep.Groups[t.Name]
		if f == nil {
			f = Figures{"n": t.Rows}
		}
		f.add(t.Metric)
		rep.Groups[t.Name] = f
	}
	for _, s := range r.Gauntlet {
		if rep.Gauntlet == nil {
			rep.Gauntlet = map[string]float64{}
		}
		rep.Gauntlet[s.Name] = s.Value
	}
	return rep
}

// add puts a metric to the figures.
func (f Figures) add(m Metric) {
	name, stderr := m.Key(), m.Key()+"_stderr"
	if name == "accuracy" {
		stderr = "stderr"
	}
	f[name] = m.Value
	if m.StdErr != nil {
		f[stderr] = *m.StdErr
		if m.Approx {
			f[stderr+"_by"] = "delta method"
		}
	}
}

// Key is the name of a metric with its filter, if there is one.
func (m Metric) Key() string {
	if m.Filter == "" || m.Filter == "none" {
		return m.Name
	}
	return m.Name + "," + m.Filter
}

// WriteSamples writes a line of JSON for every row.
func (r *Results) WriteSamples(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, o := range r.Runs {
		for _, s := range o.Samples {
			b, err := json.Marshal(s)
			if err != nil {
				return err
			}
			if _, err := out.Write(append(b, '\n')); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// Again returns a report as [ReadReport] reads what is written of it.
func (r *Report) Again() (*Report, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	again := &Report{}
	return again, json.Unmarshal(b, again)
}
