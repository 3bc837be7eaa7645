package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mostNested is how deep values in a body may lie in each other.
const mostNested = 256

// fields are the members of a JSON object in a request. The first error sticks: who reads
// several fields looks at it once, in the end.
type fields struct {
	all  map[string]any
	path string // of the object, for errors: "" or such as "messages[2]."
	err  *apiError
	body func() []byte // the text of the object
}

// readFields reads a body that is one JSON object and nothing else.
func readFields(body []byte) (*fields, *apiError) {
	v, err := readJSON(body)
	if err != nil {
		return nil, err
	}
	all, ok := v.(map[string]any)
	if !ok {
		return nil, invalid(400, "invalid_json", "the body is not JSON: it has to be an object, with the fields of the request")
	}
	return &fields{all: all, body: func() []byte { return body }}, nil
}

// readJSON reads a body that is one JSON value and nothing else.
func readJSON(body []byte) (any, *apiError) {
	bad := func(format string, args ...any) (any, *apiError) {
		return nil, invalid(400, "invalid_json", "the body is not JSON: "+format, args...)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return bad("it is empty")
	}
	if !utf8.Valid(body) {
		return bad("it is not UTF-8")
	}
	if tooDeep(body) {
		return bad("values are nested deeper than %d", mostNested)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return bad("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return bad("something follows the first value")
	}
	if n := tooLarge(v); n != "" {
		return bad("the number %s is too large", n)
	}
	return v, nil
}

// tooDeep reports whether brackets outside of strings are nested too deeply.
func tooDeep(body []byte) bool {
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > mostNested {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// tooLarge returns a number that no float64 holds, or "".
func tooLarge(v any) string {
	switch v := v.(type) {
	case json.Number:
		if _, err := strconv.ParseFloat(string(v), 64); err != nil {
			return string(v)
		}
	case []any:
		for _, x := range v {
			if n := tooLarge(x); n != "" {
				return n
			}
		}
	case map[string]any:
		for _, x := range v {
			if n := tooLarge(x); n != "" {
				return n
			}
		}
	}
	return ""
}

// fail sets the error of a field, if there is none yet.
func (f *fields) fail(name, format string, args ...any) {
	f.failCode("", name, format, args...)
}

func (f *fields) failCode(code, name, format string, args ...any) {
	if f.err == nil {
		name = f.path + name
		f.err = invalid(400, code, "%s: %s", name, fmt.Sprintf(format, args...))
		f.err.Param = name
	}
}

// take takes over the error of fields that lie in f.
func (f *fields) take(inner *fields) {
	if f.err == nil {
		f.err = inner.err
	}
}

// has reports whether a field is there: null is as if it were not.
func (f *fields) has(name string) bool { return f.all[name] != nil }

// text returns a string, or "".
func (f *fields) text(name string) string {
	s, ok := f.all[name].(string)
	if !ok && f.has(name) {
		f.fail(name, "want a string, not %s", kind(f.all[name]))
	}
	return s
}

// flag returns a boolean.
func (f *fields) flag(name string, otherwise bool) bool {
	if !f.has(name) {
		return otherwise
	}
	b, ok := f.all[name].(bool)
	if !ok {
		f.fail(name, "want true or false, not %s", kind(f.all[name]))
	}
	return b
}

// number returns a number from least to most.
func (f *fields) number(name string, otherwise, least, most float64) float64 {
	if !f.has(name) {
		return otherwise
	}
	n, ok := f.all[name].(json.Number)
	x, err := n.Float64()
	switch {
	case !ok:
		f.fail(name, "want a number, not %s", kind(f.all[name]))
	case err != nil || x < least || x > most:
		f.fail(name, "%s: want a number from %g to %g", n, least, most)
	}
	return x
}

// whole returns an integer from least to most; 16.0 is one.
func (f *fields) whole(name string, otherwise, least, most int64) int64 {
	if !f.has(name) {
		return otherwise
	}
	x, ok := wholeNumber(f.all[name])
	switch {
	case !ok:
		f.fail(name, "%s: want a whole number", shown(f.all[name]))
	case x < least || x > most:
		f.fail(name, "%d: want a whole number from %d to %d", x, least, most)
	}
	return x
}

// wholeNumber returns the integer that a JSON value is.
func wholeNumber(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	if x, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return x, true
	}
	x, err := n.Float64()
	if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, false
	}
	return int64(x), true
}

// list returns an array.
func (f *fields) list(name string) []any {
	if !f.has(name) {
		return nil
	}
	l, ok := f.all[name].([]any)
	if !ok {
		f.fail(name, "want a list, not %s", kind(f.all[name]))
	}
	return l
}

// object returns the fields of an object, which are never nil.
func (f *fields) object(name string) *fields {
	all, ok := f.all[name].(map[string]any)
	if !ok && f.has(name) {
		f.fail(name, "want an object, not %s", kind(f.all[name]))
	}
	return &fields{all: all, path: f.path + name + ".", body: func() []byte { return f.raw(name) }}
}

// raw returns the text of a field as it was sent, with the order of its names; nil: it is not
// there.
func (f *fields) raw(name string) []byte {
	var all map[string]json.RawMessage
	if f.body == nil || json.Unmarshal(f.body(), &all) != nil {
		return nil
	}
	return all[name]
}

// kind names the type of a JSON value.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case []any:
		return "a list"
	}
	return "an object"
}

// shown returns a value for an error message.
func shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil || len(b) > 40 {
		return kind(v)
	}
	return string(b)
}
