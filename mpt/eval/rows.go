package eval

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// dataset is a file of rows.
type dataset struct {
	path string
	sha  string // SHA-256 of the file, hexadecimal
	rows []*row
}

// row is one line of a file: a JSON object in the order of its keys. Numbers are int64 or
// float64, lists []any, objects [][2]any.
type row struct {
	file   *dataset
	line   int
	keys   []string
	fields map[string]any
	text   string // of the line, for comparisons
}

// RowError says what is wrong with a row.
type RowError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *RowError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *RowError) Unwrap() error { return e.Err }

func (r *row) fail(format string, args ...any) error {
	return &RowError{r.file.path, r.line, fmt.Errorf(format, args...)}
}

// maxLine bounds a row; books are some megabytes long.
const maxLine = 64 << 20

// readRows reads a file of JSON lines.
func (o *LoadOptions) readRows(path string) (*dataset, error) {
	b, err := o.read(path)
	if err != nil {
		return nil, err
	}
	return parseRows(path, b)
}

func parseRows(path string, b []byte) (*dataset, error) {
	sum := sha256.Sum256(b)
	d := &dataset{path: path, sha: hex.EncodeToString(sum[:])}
	if len(b) == 0 {
		return nil, &RowError{path, 1, errors.New("the file is empty: it has no rows")}
	}
	for n, rest := 1, b; len(rest) > 0; n++ {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		r := &row{file: d, line: n}
		if err := checkLine(line, n); err != nil {
			return nil, r.fail("%w", err)
		}
		if err := r.parse(line); err != nil {
			return nil, r.fail("%w", err)
		}
		d.rows = append(d.rows, r)
	}
	return d, nil
}

// checkLine refuses what readers of such files disagree about.
func checkLine(line []byte, n int) error {
	switch {
	case n == 1 && bytes.HasPrefix(line, []byte("\xef\xbb\xbf")):
		return errors.New("the file begins with a byte order mark (BOM): save it as UTF-8 without one")
	case bytes.HasSuffix(line, []byte("\r")):
		return errors.New("the line ends with CR LF: save the file with LF alone")
	case len(bytes.TrimSpace(line)) == 0:
		return errors.New("an empty line: every line is a row")
	case len(line) > maxLine:
		return fmt.Errorf("the row has %d bytes: at most %d are supported", len(line), maxLine)
	case !utf8.Valid(line):
		return errors.New("the line is not UTF-8")
	}
	return nil
}

func (r *row) parse(line []byte) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	v, err := decodeValue(dec, 0)
	if err != nil {
		return fmt.Errorf("not JSON: %w", noEOF(err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more text follows the object")
	}
	fields, ok := v.([][2]any)
	if !ok {
		return errors.New("not a JSON object")
	}
	r.fields, r.text = make(map[string]any, len(fields)), string(line)
	for _, kv := range fields {
		k := kv[0].(string)
		if _, twice := r.fields[k]; twice {
			return fmt.Errorf("key %q is there twice", k)
		}
		r.keys, r.fields[k] = append(r.keys, k), kv[1]
	}
	return nil
}

// noEOF names the end of a line that is cut off.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the line ends too early")
	}
	return err
}

// maxNesting bounds how deep a value is nested.
const maxNesting = 100

// decodeValue reads a value.
func decodeValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nested deeper than %d", maxNesting)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return decodeNumber(t)
	case json.Delim:
		if t == '[' {
			return decodeList(dec, depth)
		}
		return decodeObject(dec, depth)
	}
	return t, nil // nil, bool, string
}

func decodeNumber(n json.Number) (any, error) {
	if !strings.ContainsAny(n.String(), ".eE") {
		if i, err := n.Int64(); err == nil {
			return i, nil
		}
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return nil, fmt.Errorf("the number %s is too large", n)
	}
	return f, nil
}

func decodeList(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.Token()
	return list, err
}

func decodeObject(dec *json.Decoder, depth int) (any, error) {
	list := [][2]any{}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, [2]any{k, v})
	}
	_, err := dec.Token()
	return list, err
}

// str, strs and integer return a field of that type.
func (r *row) str(key string) (string, error) {
	v, ok := r.fields[key]
	if !ok {
		return "", r.fail("key %q is missing", key)
	}
	s, ok := v.(string)
	if !ok {
		return "", r.fail("%q is not a text", key)
	}
	return s, nil
}

func (r *row) strs(key string) ([]string, error) {
	v, ok := r.fields[key]
	if !ok {
		return nil, r.fail("key %q is missing", key)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, r.fail("%q is not a list of texts", key)
	}
	all := make([]string, len(list))
	for i, x := range list {
		if all[i], ok = x.(string); !ok {
			return nil, r.fail("%q: item %d is not a text", key, i)
		}
	}
	return all, nil
}

func (r *row) integer(key string) (int, error) {
	v, ok := r.fields[key]
	if !ok {
		return 0, r.fail("key %q is missing", key)
	}
	n, ok := v.(int64)
	if !ok {
		return 0, r.fail("%q is %s, not an integer", key, describe(v))
	}
	return int(n), nil
}

// describe names a value in errors.
func describe(v any) string {
	switch x := v.(type) {
	case string:
		return fmt.Sprintf("the text %q", x)
	case nil:
		return "null"
	case bool, int64, float64:
		return fmt.Sprint(x)
	case []any:
		return "a list"
	}
	return "an object"
}
