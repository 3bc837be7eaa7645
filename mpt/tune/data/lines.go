package data

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// byteOrderMark begins the files of some editors. It is no part of the text.
const byteOrderMark = "\xef\xbb\xbf"

// withoutMark returns a reader of s behind a byte order mark.
func withoutMark(s *stream) *bufio.Reader {
	r := bufio.NewReaderSize(&s.budget, 1<<16)
	if head, _ := r.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		r.Discard(len(head)) // cannot fail: they were read already
	}
	return r
}

// readLine returns a line with its end, io.EOF behind the last. It takes the room of long for lines
// that are longer than the buffer of r, and returns it; the line is valid until the next call.
func readLine(r *bufio.Reader, long []byte) (line, buffer []byte, err error) {
	long = long[:0]
	for {
		part, err := r.ReadSlice('\n')
		long = append(long, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && len(long) > 0:
			return long, long, nil
		}
		return long, long, err
	}
}

// readJSONLines reads a JSON object in every line. Empty lines are passed over.
func readJSONLines(s *stream, each func(record) error) error {
	r := withoutMark(s)
	var line, buffer []byte
	var err error
	for n := 1; ; n++ {
		s.renew()
		if line, buffer, err = readLine(r, buffer); err == io.EOF {
			return nil
		}
		at := place{file: s.name, n: n}
		if err != nil {
			return &RowError{at.String(), err}
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := eachJSON(at, line, each); err != nil {
			return err
		}
	}
}

func eachJSON(at place, line []byte, each func(record) error) error {
	if !utf8.Valid(line) {
		return &RowError{at.String(), errors.New("the row is not UTF-8")}
	}
	v, err := parseJSON(line)
	if err != nil {
		return &RowError{at.String(), err}
	}
	r, err := newRecord(at, v)
	if err != nil {
		return err
	}
	r.halves = loneSurrogate(line)
	return each(r)
}

// readJSON reads a list of objects, or objects one after the other.
func readJSON(s *stream, each func(record) error) error {
	r := withoutMark(s)
	dec := json.NewDecoder(r)
	dec.UseNumber()
	head, _ := r.Peek(64)
	list := bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("["))
	if list {
		dec.Token()
	}
	for n := 1; ; n++ {
		at := place{file: s.name, n: n, unit: "row"}
		s.renew()
		if list && !dec.More() {
			return endOfList(dec, at)
		}
		var row json.RawMessage
		err := dec.Decode(&row)
		if err == io.EOF && !list {
			return nil
		}
		if err != nil {
			return &RowError{at.String(), notJSON(err)}
		}
		if err := eachJSON(at, row, each); err != nil {
			return err
		}
	}
}

// endOfList checks that a list ends, and the file with it.
func endOfList(dec *json.Decoder, at place) error {
	if _, err := dec.Token(); err != nil {
		return &RowError{at.String(), notJSON(err)}
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("more text follows the list of rows")
	}
	return nil
}

func readCSV(s *stream, each func(record) error) error { return readTable(s, ',', each) }
func readTSV(s *stream, each func(record) error) error { return readTable(s, '\t', each) }

// readTable reads rows under a header. A field without a character is an empty text.
func readTable(s *stream, comma rune, each func(record) error) error {
	r := csv.NewReader(withoutMark(s))
	r.Comma = comma
	header, err := r.Read()
	if err == io.EOF {
		return errors.New("the file is empty: the first line names the columns")
	}
	if err != nil {
		return err
	}
	header = slices.Clone(header)
	for i, name := range header {
		if slices.Contains(header[:i], name) {
			return &RowError{place{file: s.name, n: 1}.String(), fmt.Errorf("column %q is there twice", name)}
		}
	}
	r.ReuseRecord = true
	for {
		s.renew()
		row, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w (the header has %d columns; a field with a comma, a quote or a new line is quoted)", err, len(header))
		}
		line, _ := r.FieldPos(0)
		fields := make(map[string]any, len(header))
		for i, name := range header {
			if !utf8.ValidString(row[i]) {
				return &RowError{place{file: s.name, n: line}.String(), fmt.Errorf("column %q is not UTF-8", name)}
			}
			fields[name] = strings.Clone(row[i])
		}
		if err := each(record{at: place{file: s.name, n: line}, fields: fields}); err != nil {
			return err
		}
	}
}

// separator is the line between two documents of a text file.
const separator = "<|endoftext|>"

// maxPart is about how many bytes of a document are handed on at a time.
const maxPart = 1 << 20

// readText reads documents in parts of whole lines, so that a file without end takes little
// memory. The places of cuts are before lines that do not begin with white space: there words end
// for every tokenizer.
func readText(s *stream, each func(record) error) error {
	r := withoutMark(s)
	d := document{at: place{file: s.name, n: 1}, each: each, most: int(s.most)}
	var line, buffer []byte
	var err error
	for n := 1; ; n++ {
		s.renew()
		line, buffer, err = readLine(r, buffer)
		if err == io.EOF {
			return d.end()
		}
		at := place{file: s.name, n: n}
		if err != nil {
			return &RowError{at.String(), err}
		}
		if !utf8.Valid(line) {
			return &RowError{at.String(), errors.New("the line is not UTF-8")}
		}
		if string(bytes.TrimSpace(line)) == separator {
			if err := d.end(); err != nil {
				return err
			}
			d.at = place{file: s.name, n: n + 1}
			continue
		}
		if err := d.line(line); err != nil {
			return err
		}
	}
}

// document gathers the lines of one.
type document struct {
	at   place
	each func(record) error
	text []byte
	rest bool // a part of it was handed on
	most int  // bytes of a part
}

func (d *document) line(line []byte) error {
	if len(d.text) > maxPart && line[0] > ' ' && line[0] < utf8.RuneSelf {
		if err := d.part(true); err != nil {
			return err
		}
	}
	if len(d.text)+len(line) > d.most {
		return &RowError{d.at.String(), fmt.Errorf("a document has %d MB without a line to cut it at", d.most>>20)}
	}
	d.text = append(d.text, line...)
	return nil
}

// part hands on what was gathered.
func (d *document) part(more bool) error {
	r := record{at: d.at, fields: map[string]any{"text": string(d.text)}, document: true, rest: d.rest, more: more}
	d.text, d.rest = d.text[:0], more
	return d.each(r)
}

// end ends a document. Nothing but white space between two separators is none; the new line
// before a separator or the end of the file is no part of it.
func (d *document) end() error {
	if !d.rest && len(bytes.TrimSpace(d.text)) == 0 {
		d.text = d.text[:0]
		return nil
	}
	d.text = bytes.TrimSuffix(bytes.TrimSuffix(d.text, []byte("\n")), []byte("\r"))
	return d.part(false)
}
