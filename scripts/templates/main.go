// Templates compares the interpreter of chat templates with Jinja itself: it makes
// templates of a grammar, by chance, and renders each with both. They agree if they
// write the same text or both report an error.
//
//	go run ./scripts/templates -n 100000 -seed 1
//	go run ./scripts/templates -n 2000 -seed 2 -golden internal/jinja/testdata/made.json
//
// It needs python3 with jinja2. Where they differ it prints the template and what each
// makes of it, and in the end how many there were; the exit status is 1 if the texts
// differ or one was written where Jinja reports an error. Where only Jinja writes a
// text, the interpreter refuses something by name: these are counted by their reasons,
// and are a failure only with -strict.
package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"mptgo/internal/check"
	"mptgo/internal/jinja"
)

//go:embed reference.py
var reference string

//go:embed variables.json
var variables string

// result is what one of the two makes of a template.
type result struct {
	Text  string `json:"text"`
	Error string `json:"error"`
}

// golden is a case of the test of package jinja.
type golden struct {
	Template string `json:"template"`
	Text     string `json:"text,omitempty"`
	Fails    bool   `json:"fails,omitempty"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("templates: ")
	n := flag.Int("n", 1000, "how many templates to make")
	seed := flag.Uint64("seed", 1, "of the generator")
	file := flag.String("file", "", "read templates, one JSON text a line, from this file instead of making them")
	out := flag.String("golden", "", "write the templates on which both agree to this file")
	strict := flag.Bool("strict", false, "fail also where only Jinja writes a text")
	show := flag.Int("show", 20, "how many differences of a kind to print")
	flag.Parse()
	templates, err := sources(*file, *n, *seed)
	if err != nil {
		log.Fatal(err)
	}
	want, err := askJinja(templates)
	if err != nil {
		log.Fatal(err)
	}
	r := report{show: *show, reasons: map[string]int{}, example: map[string]string{}}
	for i, t := range templates {
		r.compare(t, render(t), want[i])
	}
	r.print(os.Stdout)
	if *out != "" {
		if err := r.write(*out); err != nil {
			log.Fatal(err)
		}
	}
	if r.texts+r.lenient > 0 || *strict && r.refused > 0 {
		os.Exit(1)
	}
}

// sources reads templates from a file, or makes n of them.
func sources(file string, n int, seed uint64) (templates []string, err error) {
	if file == "" {
		g := newGenerator(seed)
		for range n {
			templates = append(templates, g.template())
		}
		return templates, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	for {
		var t string
		switch err := d.Decode(&t); err {
		case nil:
			templates = append(templates, t)
		case io.EOF:
			return templates, nil
		default:
			return nil, err
		}
	}
}

// askJinja renders the templates with Jinja.
func askJinja(templates []string) ([]result, error) {
	var in strings.Builder
	in.WriteString(strings.ReplaceAll(variables, "\n", "") + "\n")
	for _, t := range templates {
		line, err := json.Marshal(t)
		if err != nil {
			return nil, err
		}
		in.Write(append(line, '\n'))
	}
	c := exec.Command("python3", "-c", reference)
	c.Stdin, c.Stderr = strings.NewReader(in.String()), os.Stderr
	pipe, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	var all []result
	for d := json.NewDecoder(bufio.NewReader(pipe)); len(all) < len(templates); {
		var r result
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("after %d templates: %w", len(all), err)
		}
		all = append(all, r)
	}
	return all, c.Wait()
}

// render renders a template with the interpreter. All texts are marked as those of
// messages, which must not make a difference.
func render(template string) (r result) {
	defer func() {
		if x := recover(); x != nil {
			r.Error = fmt.Sprintf("PANIC: %v", x)
		}
	}()
	t, err := jinja.Parse(template)
	if err != nil {
		return result{Error: err.Error()}
	}
	pairs, err := check.OrderedJSON([]byte(variables), func(s string) any { return jinja.Said(s) })
	if err != nil {
		log.Fatal(err)
	}
	vars := map[string]any{}
	for _, kv := range pairs.([][2]any) {
		vars[kv[0].(string)] = kv[1]
	}
	r.Text, err = t.Render(vars, jinja.Limits{Steps: 1 << 19, Bytes: 32 << 20})
	if err != nil {
		r = result{Error: err.Error()}
	}
	return r
}

// report counts and prints differences.
type report struct {
	show                                   int
	same, failing, texts, lenient, refused int
	reasons                                map[string]int
	example                                map[string]string
	agreed                                 []golden
}

func (r *report) compare(template string, got, want result) {
	kind := ""
	if address.MatchString(want.Text) {
		want = result{Error: "an address"}
	}
	switch {
	case strings.HasPrefix(got.Error, "PANIC"):
		r.texts++
		kind = "a panic"
	case got.Error == "" && want.Error == "" && got.Text != want.Text:
		r.texts++
		kind = "other texts"
	case got.Error == "" && want.Error != "":
		r.lenient++
		kind = "an error of Jinja only"
	case got.Error != "" && want.Error == "":
		r.refused++
		reason := numbers.ReplaceAllString(got.Error, "N")
		r.reasons[reason]++
		r.example[reason] = template
		return
	case got.Error != "":
		r.failing++
		r.agreed = append(r.agreed, golden{Template: template, Fails: true})
		return
	default:
		r.same++
		r.agreed = append(r.agreed, golden{Template: template, Text: got.Text})
		return
	}
	if r.texts+r.lenient <= r.show {
		fmt.Printf("%s:\n  %q\n  ours %q\n Jinja %q\n", kind, template, got, want)
	}
}

// address is what Python prints where something has no text, another each time.
var address = regexp.MustCompile(` at 0x[0-9a-f]{6,}`)

var numbers = regexp.MustCompile(`\d+`)

func (r *report) print(w io.Writer) {
	var reasons []string
	for reason := range r.reasons {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int { return r.reasons[b] - r.reasons[a] })
	for i, reason := range reasons {
		if i < r.show {
			fmt.Fprintf(w, "%6d refused: %s\n       %q\n", r.reasons[reason], reason, r.example[reason])
		}
	}
	fmt.Fprintf(w, "%d of the same text, %d errors of both, %d other texts, %d errors of Jinja only, %d refused\n",
		r.same, r.failing, r.texts, r.lenient, r.refused)
}

// write writes the templates on which both agree.
func (r *report) write(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "{\"variables\": %s,\n\"cases\": ", strings.TrimSpace(variables))
	for i, g := range r.agreed {
		line, err := json.Marshal(g)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s%s", map[bool]string{true: "[\n", false: ",\n"}[i == 0], line)
	}
	fmt.Fprint(w, "\n]}\n")
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
