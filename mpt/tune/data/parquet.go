package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// readParquet reads the rows of a Parquet file. It is read at many places, so that what comes
// compressed or from standard input goes to a temporary file first.
func readParquet(s *stream, each func(record) error) (err error) {
	file := s.file
	if file == nil {
		if file, err = spool(s); err != nil {
			return err
		}
		defer os.Remove(file.Name())
		defer file.Close()
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	defer func() { // the library does so with some damaged files
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the Parquet file is damaged: %v", fault)
		}
	}()
	if err := checkFooter(file, info.Size()); err != nil {
		return err
	}
	f, err := parquet.OpenFile(file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	if err := checkPages(f, file, info.Size()); err != nil {
		return err
	}
	root := newColumn("", f.Root(), new(int), 0, 0)
	n := 0
	for _, group := range f.RowGroups() {
		if err := readGroup(group, root, s.name, &n, each); err != nil {
			return err
		}
	}
	return nil
}

// spool copies a stream into a temporary file.
func spool(s *stream) (*os.File, error) {
	f, err := os.CreateTemp(s.tempDir, "mpt-parquet-*.tmp")
	if err != nil {
		return nil, err
	}
	s.left = 1 << 62 // not one row
	if _, err := io.Copy(f, &s.budget); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// readGroup reads a group of rows; n counts the rows of the file.
func readGroup(group parquet.RowGroup, root *column, name string, n *int, each func(record) error) error {
	rows := group.Rows()
	defer rows.Close()
	var buffer [16]parquet.Row
	for {
		got, err := rows.ReadRows(buffer[:])
		for _, row := range buffer[:got] {
			*n++
			at := place{file: name, n: *n, unit: "row"}
			v, err := root.assemble(row)
			if err != nil {
				return &RowError{at.String(), err}
			}
			r, err := newRecord(at, v)
			if err != nil {
				return err
			}
			if err := each(r); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case got == 0:
			return io.ErrNoProgress
		}
	}
}

// column is a node of a Parquet schema. Its values lie in leaves, numbers first to end-1.
type column struct {
	name               string
	first, end         int
	repetition         int // level at which another item of this one begins
	definition         int // level from which it is there
	optional, repeated bool
	fields             []*column // none: a leaf
}

// newColumn returns a node; leaves counts them, and levels are those of its parent.
func newColumn(name string, node parquet.Node, leaves *int, repetition, definition int) *column {
	c := &column{name: name, first: *leaves, optional: node.Optional(), repeated: node.Repeated()}
	if c.repeated {
		repetition++
	}
	if c.repeated || c.optional {
		definition++
	}
	c.repetition, c.definition = repetition, definition
	if node.Leaf() {
		*leaves++
	} else {
		for _, f := range node.Fields() {
			c.fields = append(c.fields, newColumn(f.Name(), f, leaves, repetition, definition))
		}
	}
	c.end = *leaves
	return c
}

// leafValues are the values of a row that are still to be read, by leaf.
type leafValues [][]parquet.Value

var errLevels = errors.New("the levels of its values do not fit the schema")

// assemble makes an object of the values of a row.
func (c *column) assemble(row parquet.Row) (any, error) {
	values := make(leafValues, c.end)
	for _, v := range row {
		if i := v.Column(); i >= 0 && i < len(values) {
			values[i] = append(values[i], v)
		}
	}
	for _, v := range values {
		if len(v) == 0 {
			return nil, errLevels
		}
	}
	return c.object(values)
}

// take removes and returns the next value of a leaf.
func (l leafValues) take(leaf int) (parquet.Value, error) {
	if len(l[leaf]) == 0 {
		return parquet.Value{}, errLevels
	}
	v := l[leaf][0]
	l[leaf] = l[leaf][1:]
	return v, nil
}

// skip passes over something that is not there, which has one value in each leaf.
func (c *column) skip(values leafValues) error {
	for leaf := c.first; leaf < c.end; leaf++ {
		if _, err := values.take(leaf); err != nil {
			return err
		}
	}
	return nil
}

// read returns the next value: nil if it is not there.
func (c *column) read(values leafValues) (any, error) {
	if c.first == c.end {
		return nil, nil
	}
	if len(values[c.first]) == 0 {
		return nil, errLevels
	}
	if (c.optional || c.repeated) && values[c.first][0].DefinitionLevel() < c.definition {
		if c.repeated {
			return []any{}, c.skip(values)
		}
		return nil, c.skip(values)
	}
	if !c.repeated {
		return c.item(values)
	}
	list := []any{}
	for {
		v, err := c.item(values)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if rest := values[c.first]; len(rest) == 0 || rest[0].RepetitionLevel() != c.repetition {
			return list, nil
		}
	}
}

// item returns a value that is there. Lists are written as groups of one repeated group of one
// element.
func (c *column) item(values leafValues) (any, error) {
	if len(c.fields) == 0 {
		v, err := values.take(c.first)
		return leaf(v), err
	}
	if len(c.fields) == 1 && (c.repeated || c.fields[0].repeated) {
		return c.fields[0].read(values)
	}
	return c.object(values)
}

func (c *column) object(values leafValues) (any, error) {
	object := make(map[string]any, len(c.fields))
	for _, f := range c.fields {
		v, err := f.read(values)
		if err != nil {
			return nil, err
		}
		object[f.name] = v
	}
	return object, nil
}

// leaf returns the value of a leaf. Bytes are a text if they are UTF-8.
func leaf(v parquet.Value) any {
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean()
	case parquet.Int32:
		return int64(v.Int32())
	case parquet.Int64:
		return v.Int64()
	case parquet.Float:
		return float64(v.Float())
	case parquet.Double:
		return v.Double()
	case parquet.ByteArray, parquet.FixedLenByteArray:
		if b := v.ByteArray(); !utf8.Valid(b) {
			return bytes.Clone(b)
		}
		return string(v.ByteArray())
	}
	return nil
}
