package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
		return nil, &SchemaError{"", "it is not JSON: " + err.Error()}
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

// plain returns a value as [encoding/json] does, with numbers as they were written.
func (v *value) plain() any {
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
			list[i] = x.plain()
		}
		return list
	}
	all := map[string]any{}
	for name, x := range v.fields {
		all[name] = x.plain()
	}
	return all
}
