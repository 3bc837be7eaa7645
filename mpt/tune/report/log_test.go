package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// course logs steps from..to of a made-up run with an evaluation every tenth.
func course(t *testing.T, l *Log, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		x := float64(i)
		loss := 2 + 3*math.Exp(-x/20) + 0.2*math.Sin(x*2.4)
		if err := l.Train(Train{i, x / 50, loss, 1 + math.Cos(x), 2e-4 * (1 - x/120), 500, 300, 44.5}); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			if err := l.Eval(Eval{i, x / 50, 2.1 + 3*math.Exp(-x/20), true}); err != nil {
				t.Fatal(err)
			}
			if err := l.Sample(Sample{i, "Once", "upon <a> time"}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func begin(t *testing.T, dir string, step int) *Log {
	t.Helper()
	l, err := Open(dir, step, Options{TensorBoard: filepath.Join(dir, "tb"), Title: "mpt-stories, r 16"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestResumed: a run that was killed behind step 37 and goes on from 30 has the same files as one that was not.
func TestResumed(t *testing.T) {
	whole, broken := t.TempDir(), t.TempDir()
	l := begin(t, whole, -1)
	course(t, l, 1, 60)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = begin(t, broken, -1)
	course(t, l, 1, 37)
	l.Close()
	f, err := os.OpenFile(filepath.Join(broken, linesFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"step": 38, "lo`) // as a kill leaves it
	f.Close()
	l = begin(t, broken, 30)
	course(t, l, 31, 60)
	if err := l.Charts(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if folder := os.Getenv("MPT_CHARTS"); folder != "" { // to be looked at
		for _, name := range []string{"loss.png", "loss.svg"} {
			os.WriteFile(filepath.Join(folder, name), read(t, broken, name), 0o666)
		}
	}
	for _, name := range []string{linesFile, tableFile} {
		if !bytes.Equal(read(t, whole, name), read(t, broken, name)) {
			t.Errorf("%s is another one after a kill", name)
		}
	}
	a, b := scalars(t, filepath.Join(whole, "tb")), scalars(t, filepath.Join(broken, "tb"))
	if len(a) != 60*4+6*2 || len(a) != len(b) {
		t.Errorf("%d and %d scalars", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("scalar %d: %v and %v", i, a[i], b[i])
		}
	}
	l = begin(t, broken, -1) // a new run there
	l.Close()
	if len(read(t, broken, linesFile)) > 0 || string(read(t, broken, tableFile)) != columns {
		t.Error("a new run begins with the lines of another")
	}
}

// TestLines: the keys are those of HuggingFace's log_history, and what is no number is null.
func TestLines(t *testing.T) {
	dir := t.TempDir()
	l := begin(t, dir, -1)
	defer l.Close()
	if err := l.Eval(Eval{Loss: 2}); err != nil {
		t.Fatal(err)
	}
	if err := l.Train(Train{Step: 1, Loss: math.NaN(), GradNorm: math.Inf(1), Tokens: 7}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(read(t, dir, linesFile)), "\n")
	var e, n map[string]any
	if json.Unmarshal([]byte(lines[0]), &e) != nil || e["step"] != 0.0 || e["eval_loss"] != 2.0 || e["eval_perplexity"] != math.Exp(2) {
		t.Errorf("an evaluation: %s", lines[0])
	}
	if json.Unmarshal([]byte(lines[1]), &n) != nil || n["step"] != 1.0 || n["loss"] != nil || n["tokens"] != 7.0 || n["learning_rate"] != 0.0 {
		t.Errorf("a step: %s", lines[1])
	}
	if _, there := n["loss"]; !there {
		t.Errorf("a loss that is no number is left out: %s", lines[1])
	}
	rows, err := csv.NewReader(bytes.NewReader(read(t, dir, tableFile))).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][8] != "2" || rows[2][2] != "" {
		t.Errorf("%v, %v", rows, err)
	}
}

// TestFull: what a full disk did not take follows with the next line, and no half of a line stays.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	file, err := openTail(path, []byte("one\n"))
	if err != nil {
		t.Fatal(err)
	}
	good := file.file
	if file.file, err = os.Open(path); err != nil { // cannot be written to
		t.Fatal(err)
	}
	if file.write([]byte("two\n")) == nil {
		t.Fatal("no error")
	}
	file.file.Close()
	file.file = good
	if err := file.write([]byte("three\n")); err != nil {
		t.Fatal(err)
	}
	if err := file.close(); err != nil || string(read(t, path)) != "one\ntwo\nthree\n" {
		t.Errorf("%v, %q", err, read(t, path))
	}
}

func TestOtherFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, linesFile), []byte("{\"a\": 1}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, 5, Options{}); err == nil || !strings.Contains(err.Error(), "metrics.jsonl:1: not a line of this log") {
		t.Errorf("%v", err)
	}
	if string(read(t, dir, linesFile)) != "{\"a\": 1}\n" {
		t.Error("the file was changed")
	}
}

// TestCharts: both charts are whole, of runs of any length, and go on from one to another.
func TestCharts(t *testing.T) {
	for _, steps := range []int{0, 1, 2, 100, 5000} {
		dir := t.TempDir()
		l := begin(t, dir, -1)
		for i := 1; i <= steps; i++ {
			l.entries = append(l.entries, entry{Step: &i, Loss: figure(3 + math.Sin(float64(i))), LearningRate: figure(1e-4)})
		}
		if steps == 100 {
			l.entries = append(l.entries, entry{Step: &steps, EvalLoss: figure(2.5)})
		}
		if err := l.Charts(); err != nil {
			t.Fatal(err)
		}
		l.Close()
		img, err := png.Decode(bytes.NewReader(read(t, dir, "loss.png")))
		if err != nil || img.Bounds().Dx() != 2*chartWidth || img.Bounds().Dy() != 2*chartHeight {
			t.Errorf("%d steps: %v", steps, err)
		}
		svg := string(read(t, dir, "loss.svg"))
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || len(svg) > 100000 {
			t.Errorf("%d steps: %d bytes of SVG, or no numbers in them", steps, len(svg))
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		a    axis
		want string
	}{
		{axis{0, 60, 10}, "0 10 20 30 40 50 60"}, {axis{1.93, 5.1, 0.5}, "2.0 2.5 3.0 3.5 4.0 4.5 5.0"},
		{axis{0, 2e-4, 5e-5}, "0 5e-5 1e-4 1.5e-4 2e-4"}, {axis{-0.1, 0.35, 0.1}, "-0.1 0 0.1 0.2 0.3"},
	} {
		var labels []string
		for _, v := range c.a.ticks() {
			labels = append(labels, c.a.label(v))
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.a, got, c.want)
		}
	}
}

// TestLetters: every glyph is made of whole points within its box.
func TestLetters(t *testing.T) {
	for c, glyph := range letters {
		for _, s := range strings.Fields(glyph) {
			if digits := strings.TrimLeft(s, "~o"); len(digits)%2 != 0 || len(digits) < 4 || strings.Trim(digits, "0123456789") != "" {
				t.Errorf("%c: stroke %q", c, s)
			}
		}
		if lines, width := strokes(c); len(lines) == 0 || width > 6 {
			t.Errorf("%c: %d strokes, width %g", c, len(lines), width)
		}
	}
	for c := '!'; c <= '~'; c++ {
		if _, ok := letters[c]; !ok && (c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			t.Errorf("%c is missing", c)
		}
	}
}
