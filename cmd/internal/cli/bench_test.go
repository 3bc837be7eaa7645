package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"mptgo/bench"
	"mptgo/ggml"
)

// comparedReport is a report with limits as if they had been measured.
func comparedReport() *benchReport {
	limits := rooflines{}
	limits.keep(1, ggml.Roofline{Threads: 1, Kernels: "avx2", Loops: "AVX2", Bandwidth: 20e9, MACs: 90e9})
	limits.keep(1, ggml.Roofline{Threads: 1, Kernels: "avx2", Loops: "AVX2", Bandwidth: 10e9, MACs: 100e9})
	return newBenchReport([]bench.Result{
		{Model: "m", Kernels: "avx2", Threads: 1, Test: "tg64", Median: 2, Min: 1, Max: 3, BytesPerSecond: 10e9},
		{Model: "m", Kernels: "avx2", Threads: 1, Test: "pp512", Median: 2, Min: 1, Max: 3, MACsPerSecond: 25e9},
	}, limits)
}

func TestBenchReportWithLimits(t *testing.T) {
	b := comparedReport()
	var out strings.Builder
	if err := b.markdown(&out); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"| tokens/s | spread | GB/s | of memory | GMAC/s | of int8 |",
		"| tg64 | 2.00 | 1.00 to 3.00 | 10.00 | 50.0 % | | |",
		"| pp512 | 2.00 | 1.00 to 3.00 | | | 25.00 | 25.0 % |",
		"limits with 1 thread, for avx2 kernels measured with AVX2: 20.00 GB/s read from memory, 100.00 G int8 multiplications/s.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if strings.Contains(text, "tiles") {
		t.Errorf("kernels without tiles have some:\n%s", &out)
	}
	out.Reset()
	if err := b.csv(&out); err != nil {
		t.Fatal(err)
	}
	if want := ",2,1,3,1e+10,,,,2e+10,1e+11,0.5,\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}

// TestBenchReportWithTiles: where kernels have faster instructions than the loop that they are compared
// with, a line says so.
func TestBenchReportWithTiles(t *testing.T) {
	limits := rooflines{}
	limits.keep(1, ggml.Roofline{Threads: 1, Kernels: "amx", Loops: "AVX-512 VNNI", Exceeded: true, Bandwidth: 20e9, MACs: 90e9})
	var out strings.Builder
	if err := newBenchReport(nil, limits).markdown(&out); err != nil {
		t.Fatal(err)
	}
	if want := "amx kernels multiply prompts and batches of 32 and more rows with tiles, which AVX-512 VNNI is no limit of"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}

// TestRooflines: limits are those of the threads that were asked for, 0 for all, also where fewer
// are started, and memory is as fast for all kernels.
func TestRooflines(t *testing.T) {
	l := rooflines{}
	l.keep(0, ggml.Roofline{Threads: 2, Kernels: "avx512", Loops: "AVX-512 VNNI", Bandwidth: 20, MACs: 7})
	l.keep(8, ggml.Roofline{Threads: 2, Kernels: "avx512vbmi", Loops: "AVX-512 VNNI", Bandwidth: 25, MACs: 8})
	l.keep(8, ggml.Roofline{Threads: 2, Kernels: "avx512", Loops: "AVX-512 VNNI", Bandwidth: 30, MACs: 7})
	l.keep(8, ggml.Roofline{Threads: 2, Kernels: "avx512", Loops: "AVX-512 VNNI", Bandwidth: 10, MACs: 6})
	b := newBenchReport([]bench.Result{
		{Kernels: "avx512vbmi", Threads: 8, Test: "tg64", BytesPerSecond: 15},
		{Kernels: "avx512", Threads: 8, Test: "pp512", MACsPerSecond: 7},
		{Kernels: "avx512", Threads: 2, Test: "tg64", BytesPerSecond: 5},
	}, l)
	for i, want := range []benchLimits{
		{"AVX-512 VNNI", 30, 8, 0.5, 0}, {"AVX-512 VNNI", 30, 7, 0, 1}, {"AVX-512 VNNI", 20, 7, 0.25, 0},
	} {
		if got := b.rows[i].benchLimits; got == nil || *got != want {
			t.Errorf("row %d: %v, want %v", i, got, want)
		}
	}
	var out strings.Builder
	if err := b.markdown(&out); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(out.String(), "\n\n")
	for _, start := range []string{"2 threads, for avx512 ", "8 threads, for avx512 ", "8 threads, for avx512vbmi "} {
		line, rest, _ := strings.Cut(text, "\n")
		if text = rest; !strings.Contains(line, "limits with "+start) {
			t.Errorf("%q is not about %s", line, start)
		}
	}
}

func TestBenchLimitsInJSON(t *testing.T) {
	text, err := json.Marshal(comparedReport().rows)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if r := rows[0]; r["roofline"] != "AVX2" || r["bandwidth_share"] != 0.5 || r["int8_share"] != nil || r["test"] != "tg64" {
		t.Errorf("%s", text)
	}
}

func TestParsePair(t *testing.T) {
	for _, c := range []struct {
		text string
		want [2]int
		ok   bool
	}{
		{"512,64", [2]int{512, 64}, true},
		{" 1, 2 ", [2]int{1, 2}, true},
		{"", [2]int{}, false},
		{"1", [2]int{}, false},
		{"1,2,3", [2]int{}, false},
		{"1,b", [2]int{}, false},
	} {
		got, err := parsePair(c.text)
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
}

func TestBenchSubjects(t *testing.T) {
	for _, c := range []struct{ models, want string }{
		{"", "mpt-stories (built in)"},
		{"a/x.gguf b/y.gguf", "x.gguf y.gguf"},
		{"a/x.gguf b/x.gguf y.gguf", "a/x.gguf b/x.gguf y.gguf"},
	} {
		b := &benchFlags{models: strings.Fields(c.models)}
		var names []string
		for _, s := range b.subjects() {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q: %s, want %s", c.models, got, c.want)
		}
	}
}
