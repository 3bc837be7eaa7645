package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value is a JSON value of a schema, with the order of its names.
type value struct {
	id      int
	pointer string // to the first of those that are equal
	kind    valueKind
	text    string // of strings; numbers as they were written
	names   []string
	fields  map[string]*value
	items   []*value
}

type valueKind uint8

const (
	isNull valueKind = iota
	isFalse
	isTrue
	isNumber
	isString
	isArray
	isObject
)

// schemaReader reads a schema.
type schemaReader struct {
	d      *json.Decoder
	byText map[string]*value // equal values are the same
}

// readSchema reads the text of a schema, which is an object, true or false.
func readSchema(text string) (*value, error) {
	if len(text) > mostText {
		return nil, &SchemaError{"", fmt.Sprintf("%d bytes: want at most %d", len(text), mostText)}
	}
	if !utf8.ValidString(text) {
		return nil, &SchemaError{"", "it is not UTF-8"}
	}
	if half := halfCharacter(text); half != "" {
		return nil, &SchemaError{"", half + " is half a character"}
	}
	r := &schemaReader{d: json.NewDecoder(strings.NewReader(text)), byText: map[string]*value{}}
	r.d.UseNumber()
	v, err := r.value("", 0)
	if err == nil {
		if _, more := r.d.Token(); more != io.EOF {
			err = errors.New("something follows the first value")
		}
	}
	var fail *SchemaError
	switch {
	case errors.As(err, &fail):
		return nil, fail
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, &SchemaError{"", "it is not JSON: it ends too early"}
	case err != nil:
		return nil, &SchemaError{"", fmt.Sprintf("it is not JSON: %v, about byte %d", err, r.d.InputOffset())}
	}
	if v.kind != isObject && v.kind != isTrue && v.kind != isFalse {
		return nil, &SchemaError{"", "want an object, true or false"}
	}
	return v, nil
}

// value reads one.
func (r *schemaReader) value(pointer string, depth int) (*value, error) {
	if depth > mostNesting {
		return nil, &SchemaError{"", fmt.Sprintf("values are nested deeper than %d", mostNesting)}
	}
	t, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	v := &value{pointer: pointer}
	switch t := t.(type) {
	case bool:
		v.kind = isFalse
		if t {
			v.kind = isTrue
		}
	case string:
		v.kind, v.text = isString, t
	case json.Number:
		v.kind, v.text = isNumber, t.String()
	case json.Delim:
		if v.kind = isArray; t == '[' {
			err = r.array(v, depth)
		} else {
			v.kind, v.fields = isObject, map[string]*value{}
			err = r.object(v, depth)
		}
	}
	return r.unique(v), err
}

// unique returns the value that was read first of those that are equal.
func (r *schemaReader) unique(v *value) *value {
	key := []byte{byte(v.kind)}
	key = strconv.AppendQuote(key, v.text)
	for _, x := range v.items {
		key = strconv.AppendInt(append(key, ' '), int64(x.id), 10)
	}
	for _, name := range v.names {
		key = strconv.AppendQuote(key, name)
		key = strconv.AppendInt(append(key, ' '), int64(v.fields[name].id), 10)
	}
	if first := r.byText[string(key)]; first != nil {
		return first
	}
	v.id = len(r.byText)
	r.byText[string(key)] = v
	return v
}

func (r *schemaReader) array(v *value, depth int) error {
	for r.d.More() {
		x, err := r.value(v.pointer+"/"+strconv.Itoa(len(v.items)), depth+1)
		if err != nil {
			return err
		}
		v.items = append(v.items, x)
	}
	_, err := r.d.Token()
	return err
}

func (r *schemaReader) object(v *value, depth int) error {
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return err
		}
		name := t.(string)
		if v.fields[name] != nil {
			return failAt(v, name, "the name is there twice")
		}
		x, err := r.value(v.pointer+"/"+escapePointer(name), depth+1)
		if err != nil {
			return err
		}
		v.names = append(v.names, name)
		v.fields[name] = x
	}
	_, err := r.d.Token()
	return err
}

func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// decoded returns a value as [encoding/json] does, with numbers as they were written.
func (v *value) decoded() any {
	switch v.kind {
	case isNull:
		return nil
	case isTrue, isFalse:
		return v.kind == isTrue
	case isNumber:
		return json.Number(v.text)
	case isString:
		return v.text
	case isArray:
		list := make([]any, len(v.items))
		for i, x := range v.items {
			list[i] = x.decoded()
		}
		return list
	}
	all := map[string]any{}
	for name, x := range v.fields {
		all[name] = x.decoded()
	}
	return all
}

// escapes are all of a JSON text.
var escapes = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)

// halfCharacter returns the escape of half a surrogate pair that stands alone in a JSON text,
// which a reader would replace by something else.
func halfCharacter(text string) string {
	high, end := "", 0
	for _, at := range escapes.FindAllStringIndex(text, -1) {
		e := text[at[0]:at[1]]
		code, err := strconv.ParseUint(e[2:], 16, 32)
		low := err == nil && len(e) == 6 && code >= 0xdc00 && code <= surrogateLast
		if high != "" && (!low || at[0] != end) {
			return high
		}
		if low && high == "" {
			return e
		}
		high, end = "", at[1]
		if err == nil && len(e) == 6 && code >= surrogateFirst && code < 0xdc00 {
			high = e
		}
	}
	return high
}
