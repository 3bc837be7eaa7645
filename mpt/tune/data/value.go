package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The bounds of a row, whatever file it is in.
const (
	maxRow     = 256 << 20 // bytes
	maxNesting = 100
)

// parseJSON reads one JSON value that is all of b: nil, bool, string, int64, float64, []any or
// map[string]any.
func parseJSON(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	v, err := decodeJSON(dec, 0)
	if err != nil {
		return nil, notJSON(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("not JSON: more text follows the value")
	}
	return v, nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	return fmt.Errorf("not JSON: %w", err)
}

// decodeJSON reads the next value of dec.
func decodeJSON(dec *json.Decoder, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d", maxNesting)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return number(t)
	case json.Delim:
		if t == '[' {
			return decodeList(dec, depth)
		}
		return decodeObject(dec, depth)
	}
	return t, nil
}

func number(n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("the number %s is too large", n)
	}
	return f, nil
}

func decodeList(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := decodeJSON(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.Token()
	return list, err
}

func decodeObject(dec *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key := t.(string)
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("key %q is there twice", key)
		}
		if object[key], err = decodeJSON(dec, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return object, err
}

// describe names a value in errors.
func describe(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(shorten(x, 40))
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case []byte:
		return fmt.Sprintf("%d bytes", len(x))
	case []int64:
		return fmt.Sprintf("an array of %d numbers", len(x))
	}
	return fmt.Sprint(v)
}

// shorten returns at most n bytes of s, with dots if there is more.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// place is where a row lies in the data.
type place struct {
	file string
	n    int
	unit string // "" is a line
}

func (p place) String() string {
	switch {
	case p.n == 0:
		return p.file
	case p.unit == "":
		return fmt.Sprintf("%s:%d", p.file, p.n)
	}
	return fmt.Sprintf("%s: %s %d", p.file, p.unit, p.n)
}

// RowError is what is wrong with a row.
type RowError struct {
	Place string // file and line or number of the row, from 1
	Err   error
}

func (e *RowError) Error() string { return e.Place + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *RowError) Unwrap() error { return e.Err }

// record is a row as a file has it. Fields that are null are not there.
type record struct {
	at     place
	fields map[string]any

	// Documents of text files come in parts: more says that another one follows, rest that
	// this is not the first.
	document, rest, more bool

	halves bool // a text has half of a character
}

func newRecord(at place, v any) (record, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return record{}, &RowError{at.String(), fmt.Errorf("the row is %s: want an object with keys", describe(v))}
	}
	maps.DeleteFunc(fields, func(_ string, v any) bool { return v == nil })
	return record{at: at, fields: fields}, nil
}

func (r *record) fail(format string, args ...any) error {
	return &RowError{r.at.String(), fmt.Errorf(format, args...)}
}

// has reports whether all keys are there.
func (r *record) has(keys ...string) bool {
	for _, k := range keys {
		if _, ok := r.fields[k]; !ok {
			return false
		}
	}
	return true
}

// first returns the first of the keys that is there, or "".
func (r *record) first(keys ...string) string {
	for _, k := range keys {
		if r.has(k) {
			return k
		}
	}
	return ""
}

// keys lists all keys for errors.
func (r *record) keys() string {
	if len(r.fields) == 0 {
		return "no keys"
	}
	return "the keys " + strings.Join(slices.Sorted(maps.Keys(r.fields)), ", ")
}

// text returns a field that is a string; "" if it is not there.
func (r *record) text(key string) (string, error) {
	v, ok := r.fields[key]
	if !ok {
		return "", nil
	}
	s, ok := v.(string)
	if !ok {
		return "", r.fail("%q is %s: want a text", key, describe(v))
	}
	return s, nil
}

// list returns a field that is a list, which CSV files have as JSON.
func (r *record) list(key string) ([]any, error) {
	v := r.fields[key]
	if s, ok := v.(string); ok {
		parsed, err := parseJSON([]byte(s))
		if err != nil {
			return nil, r.fail("%q is a text, and as a list it is %w", key, err)
		}
		v = parsed
	}
	list, ok := v.([]any)
	if !ok {
		return nil, r.fail("%q is %s: want a list", key, describe(v))
	}
	return list, nil
}
