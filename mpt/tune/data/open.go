package data

import (
	"errors"
	"fmt"
	"strings"

	"mptgo/mpt/chat"
)

// noTarget is the label of a token that is not learned.
const noTarget = -100

// builder makes a set of the rows that containers hand on.
type builder struct {
	opt    Options
	masks  masks
	eos    int32
	format *chat.Format
	kinds  []kind
	store  *store

	summary   Summary
	first     begun           // of the file that is read
	seen      map[string]bool // fields that options name, once they were there
	stdinRead bool
	maxID     int32
	flow      []int32 // tokens of a document that are in no row yet
	gathered  strings.Builder
	emptied   []int32 // the first row without a target
}

// Open reads all rows of files, folders and standard input ("-") and makes tokens of them. The set
// has a temporary file: close it.
func Open(paths []string, opt Options) (*Set, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errors.New("data: no file is named")
	}
	b, err := newBuilder(opt)
	if err != nil {
		return nil, err
	}
	set, err := b.open(paths)
	if err != nil {
		return nil, errors.Join(err, b.store.close())
	}
	return set, nil
}

func newBuilder(opt Options) (*builder, error) {
	b := &builder{opt: opt, eos: opt.Tokenizer.EOS(), format: opt.Format, kinds: kinds(), seen: map[string]bool{}}
	b.summary.kinds, b.summary.tokenizer = map[string]int{}, opt.Tokenizer
	var err error
	if b.masks, err = opt.masks(); err != nil {
		return nil, err
	}
	if b.format == nil {
		if b.format, err = chat.Named("chatml"); err != nil {
			return nil, err
		}
	}
	b.store, err = newStore(opt.TempDir)
	return b, err
}

func (b *builder) open(paths []string) (*Set, error) {
	for _, p := range paths {
		if err := b.add(p); err != nil {
			return nil, err
		}
	}
	if err := b.store.finish(); err != nil {
		return nil, err
	}
	b.summary.finish(b)
	if b.store.len() == 0 {
		return nil, b.nothingLeft(paths)
	}
	return newSet(b.store, b.summary), nil
}

// nothingLeft says why there are no rows.
func (b *builder) nothingLeft(paths []string) error {
	where := strings.Join(paths, ", ")
	if b.summary.Read == 0 {
		return fmt.Errorf("%s: there are no rows", where)
	}
	var why []string
	for _, d := range b.summary.Dropped {
		why = append(why, d.String())
	}
	example := ""
	if b.emptied != nil {
		example = "\nOne of them, targets between ⟦ and ⟧:\n" + b.summary.decode(b.emptied)
	}
	return fmt.Errorf("%s: all %d rows were left out: %s%s", where, b.summary.Read, strings.Join(why, "; "), example)
}

// begin is told of every file before its rows.
func (b *builder) begin(name string) {
	b.first = begun{}
	b.summary.Files = append(b.summary.Files, name)
}

// note keeps a line for the summary, once.
func (b *builder) note(format string, args ...any) { b.summary.note(fmt.Sprintf(format, args...)) }

// record takes a row of a file.
func (b *builder) record(r record) error {
	k, err := b.alike(&r)
	if err != nil {
		return err
	}
	if !r.rest {
		b.summary.Read++
	}
	if r.document {
		return b.documentPart(&r)
	}
	if r.halves {
		return b.drop(r.at, &dropError{"half of a character", `an escape such as \ud83d without its other half`})
	}
	return b.row(&r, k)
}

func (b *builder) row(r *record, k *kind) error {
	row, err := k.encode(b, r)
	if dropped, ok := errors.AsType[*dropError](err); ok {
		return b.drop(r.at, dropped)
	}
	if err != nil {
		return err
	}
	b.summary.kinds[k.name]++
	return b.fit(r.at, row, b.opt.Long)
}

func (b *builder) drop(at place, why *dropError) error {
	if b.opt.Strict {
		return &RowError{at.String(), why}
	}
	b.summary.drop(why.reason, at.String())
	return nil
}

// fit keeps a row that may be longer than the context.
func (b *builder) fit(at place, row []int32, long string) error {
	n := b.opt.Context
	if len(row) <= n {
		return b.keep(at, row)
	}
	switch long {
	case longError:
		return &RowError{at.String(), fmt.Errorf("the row has %d tokens, and the context %d", len(row), n)}
	case longDrop:
		return b.drop(at, &dropError{reason: "longer than the context"})
	case longSplit:
		for ; len(row) > n; row = row[n:] {
			if err := b.keep(at, row[:n]); err != nil {
				return err
			}
		}
		return b.keep(at, row)
	}
	b.summary.truncate(at.String(), countTargets(row[n:]))
	return b.keep(at, row[:n])
}

// keep writes a row, which has to have a target behind its first token: nothing predicts that.
func (b *builder) keep(at place, row []int32) error {
	if len(row) > 0 && row[0] >= 0 {
		row[0] = ^row[0]
	}
	targets := countTargets(row)
	if targets == 0 {
		if b.emptied == nil {
			b.emptied = append([]int32{}, row...)
		}
		return b.drop(at, &dropError{reason: fmt.Sprintf("no target within %d tokens", b.opt.Context)})
	}
	b.summary.keep(at, row, targets)
	return b.store.add(row, targets)
}

func countTargets(row []int32) (n int) {
	for _, id := range row {
		if id >= 0 {
			n++
		}
	}
	return n
}

// documentPart takes a part of a document of a text file. Rows are as long as the context, but for
// the last of a document, so that no more than a part is held.
func (b *builder) documentPart(r *record) error {
	text := r.fields["text"].(string)
	if b.opt.Long != "" && b.opt.Long != longSplit {
		return b.wholeDocument(r, text)
	}
	if !r.rest {
		b.summary.kinds[kindText]++
	}
	b.flow = b.encode(b.flow, text, r.rest)
	if !r.more {
		b.flow = append(b.flow, b.eos)
	}
	n := b.opt.Context
	done := 0
	for ; len(b.flow)-done > n; done += n {
		if err := b.keep(r.at, b.flow[done:done+n]); err != nil {
			return err
		}
	}
	b.flow = append(b.flow[:0], b.flow[done:]...)
	if r.more {
		return nil
	}
	err := b.keep(r.at, b.flow)
	b.flow = b.flow[:0]
	return err
}

// wholeDocument gathers the parts of a document that is not to be cut into rows.
func (b *builder) wholeDocument(r *record, text string) error {
	if int64(b.gathered.Len()+len(text)) > b.opt.rowLimit() {
		return r.fail("a document has more than %d MB", b.opt.rowLimit()>>20)
	}
	b.gathered.WriteString(text)
	if r.more {
		return nil
	}
	whole := record{at: r.at, document: true, fields: map[string]any{kindText: b.gathered.String()}}
	b.gathered.Reset()
	return b.row(&whole, b.named(kindText))
}
