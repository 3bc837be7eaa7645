package batch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const completion = `"method":"POST","url":"/v1/completions"`

// rows are lines and what becomes of them: "": an answer, "400": a refused one, else a code.
var rows = []struct{ text, id, want string }{
	{`{"custom_id":"one",` + completion + `,"body":{"prompt":"a"}}`, "one", ""},
	{``, "-", "-"},
	{`{"custom_id":"two",` + completion + `,"body":{"prompt":"a"}}` + "\r", "two", ""},
	{" \t\r", "-", "-"},
	{`{"custom_id":"one",` + completion + `,"body":{"prompt":"b"}}`, "one", "duplicate_custom_id"},
	{`{"custom_id":"three",` + completion, "", "invalid_json_line"},
	{`[1, 2]`, "", "invalid_json_line"},
	{`null`, "", "invalid_json_line"},
	{`"text"`, "", "invalid_json_line"},
	{`{"custom_id":"four"} {}`, "", "invalid_json_line"},
	{"{\"custom_id\":\"\xff\"," + completion + `,"body":{}}`, "", "invalid_json_line"},
	{"\xef\xbb\xbf{}", "", "invalid_json_line"},
	{`{` + completion + `,"body":{}}`, "", "missing_custom_id"},
	{`{"custom_id":"",` + completion + `,"body":{}}`, "", "missing_custom_id"},
	{`{"custom_id":7,` + completion + `,"body":{}}`, "", "missing_custom_id"},
	{`{"custom_id":null,` + completion + `,"body":{}}`, "", "missing_custom_id"},
	{`{"Custom_ID":"five",` + completion + `,"body":{}}`, "", "missing_custom_id"},
	{`{"custom_id":"get","method":"GET","url":"/v1/completions","body":{}}`, "get", "invalid_method"},
	{`{"custom_id":"post","method":"post","url":"/v1/completions","body":{}}`, "post", "invalid_method"},
	{`{"custom_id":"none","url":"/v1/completions","body":{}}`, "none", "invalid_method"},
	{`{"custom_id":"url","method":"POST","url":"/v1/responses","body":{}}`, "url", "invalid_url"},
	{`{"custom_id":"url2","method":"POST","url":"/completions","body":{}}`, "url2", "invalid_url"},
	{`{"custom_id":"get",` + completion + `,"body":{}}`, "get", "duplicate_custom_id"},
	{`{"custom_id":"other",` + completion + `,"body":{"model":"gpt-4o"}}`, "other", "model_mismatch"},
	{`{"custom_id":"mine",` + completion + `,"body":{"model":"mpt-stories","prompt":"refuse"}}`, "mine", "400"},
	{`{"custom_id":"größe 👩‍🚀 <&>",` + completion + `,"body":{"prompt":"a"}}`, "größe 👩‍🚀 <&>", ""},
	{`{"custom_id":"bodiless",` + completion + `}`, "bodiless", ""},
	{`{"custom_id":"\u006fne",` + completion + `,"body":{}}`, "one", "duplicate_custom_id"},
	{`{"custom_id":"last",` + completion + `,"body":{"prompt":"z"},"more":[1]}`, "last", ""},
}

func mixed() string {
	var all []string
	for _, r := range rows {
		all = append(all, r.text)
	}
	return strings.Join(all, "\n") // no end of the last line
}

// Every line of a file in which good and bad ones are mixed has the result that it is to have,
// in the order of the file, with the number of the line.
func TestLines(t *testing.T) {
	got := done(t, options(t, mixed()), &stub{})
	answers, errs := strings.Split(got.answers, "\n"), strings.Split(got.errors, "\n")
	for i, r := range rows {
		if r.want == "-" {
			continue
		}
		list := &errs
		if r.want == "" {
			list = &answers
		}
		text := (*list)[0]
		*list = (*list)[1:]
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("line %d: %v in %q", i+1, err, text)
		}
		id := ""
		if l.CustomID != nil {
			id = *l.CustomID
		}
		what := ""
		switch {
		case l.Error != nil && l.Response == nil:
			what = string(l.Error.Code)
			if !strings.HasPrefix(l.Error.Message, fmt.Sprintf("line %d: ", i+1)) {
				t.Errorf("line %d: %q", i+1, l.Error.Message)
			}
		case l.Error == nil && l.Response.Status != 200:
			what = fmt.Sprint(l.Response.Status)
		}
		if what != r.want || id != r.id || len(l.ID) != len("batch_req_")+32 {
			t.Errorf("line %d: %q of %q, want %q of %q: %s", i+1, what, id, r.want, r.id, text)
		}
		if what == string(DuplicateID) && !strings.Contains(l.Error.Message, fmt.Sprintf(": line %d has the same custom_id", firstOf(r.id))) {
			t.Errorf("line %d: %q", i+1, l.Error.Message)
		}
		if l.Response != nil && l.Response.RequestID != "req_"+strings.TrimPrefix(l.ID, "batch_req_") {
			t.Errorf("line %d: the request %q of %q", i+1, l.Response.RequestID, l.ID)
		}
	}
	if len(answers) != 1 || len(errs) != 1 {
		t.Errorf("there is more: %q, %q", answers, errs)
	}
}

// firstOf returns the first line with a custom id.
func firstOf(id string) int {
	return 1 + slices.IndexFunc(rows, func(r struct{ text, id, want string }) bool { return r.id == id })
}

// The ends of lines and blank lines at the end change nothing but numbers.
func TestEnds(t *testing.T) {
	want := done(t, options(t, many(7)), &stub{})
	for name, text := range map[string]string{
		"without the last end": strings.TrimSuffix(many(7), "\n"),
		"CRLF":                 strings.ReplaceAll(many(7), "\n", "\r\n"),
		"blank lines":          "\n\n" + strings.ReplaceAll(many(7), "\n", "\n \t\r\n") + "\n\n",
	} {
		if got := done(t, options(t, text), &stub{}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	flawed := done(t, options(t, many(2)+"{}\nx"), &stub{})
	if got := done(t, options(t, strings.ReplaceAll(many(2)+"{}\nx\n", "\n", "\r\n")), &stub{}); got != flawed {
		t.Errorf("CRLF behind flawed lines: %q, want %q", got, flawed)
	}
	if got := done(t, options(t, ""), &stub{}); got != (outcome{}) {
		t.Errorf("an empty input: %q", got)
	}
}

// Names of answers depend on what a body means, not on how it is written.
func TestIDs(t *testing.T) {
	id := func(custom, body string) string {
		return idOf("m", &Request{CustomID: custom, Body: []byte(body)})
	}
	want := id("a", `{"x":1.0,"y":[true,null]}`)
	for body, same := range map[string]bool{
		`{"y": [true, null], "x": 1.0}`: true, `{"x":1,"y":[true,null]}`: false, `{"x":1.0,"y":[null,true]}`: false, ``: false,
	} {
		if got := id("a", body); (got == want) != same {
			t.Errorf("%s: %s, and that of another %s", body, got, want)
		}
	}
	if id("b", `{"x":1.0,"y":[true,null]}`) == want || idOf("n", &Request{CustomID: "a", Body: []byte(`{"x":1.0,"y":[true,null]}`)}) == want {
		t.Error("two requests have the same id")
	}
}

// A line that is too long is refused, and those after it are read.
func TestLongLine(t *testing.T) {
	long := lineOf("long", `{"prompt":"`+strings.Repeat("x", mostLine)+`"}`)
	got := done(t, options(t, long+lineOf("next", `{}`)), &stub{})
	if !strings.Contains(got.errors, `line 1: it is longer than 32 MiB`) || !strings.Contains(got.answers, `"next"`) {
		t.Errorf("%q", got)
	}
}

// FuzzLines reads any input: each line that is not blank has one result, twice the same.
func FuzzLines(f *testing.F) {
	f.Add([]byte(mixed()))
	f.Add([]byte(many(3)))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Add([]byte("{\"custom_id\":\"\\ud800\"}\r\n\x00\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		opt := options(t, string(text))
		_, err := run(t.Context(), opt, &stub{})
		if strings.HasPrefix(string(text), "\xef\xbb\xbf") {
			if err == nil {
				t.Fatal("a byte order mark is read")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got := written(t, opt)
		n := 0
		for l := range strings.Lines(string(text)) {
			if strings.Trim(l, " \t\r\n") != "" {
				n++
			}
		}
		if k := strings.Count(got.answers, "\n") + strings.Count(got.errors, "\n"); k != n {
			t.Fatalf("%d results of %d lines", k, n)
		}
		for l := range strings.Lines(got.answers + got.errors) {
			if !json.Valid([]byte(l)) {
				t.Fatalf("%q", l)
			}
		}
		if again := done(t, opt, &stub{}); again != got {
			t.Fatalf("%q, then %q", got, again)
		}
	})
}
