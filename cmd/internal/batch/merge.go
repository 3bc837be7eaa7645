package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mptgo/internal/newfile"
)

// partOf returns the name of the file that a shard ends with.
func partOf(output string, s Shard) string { return fmt.Sprintf("%s.part-%d-of-%d", output, s.I, s.N) }

// become gives a journal another name, as the results of a shard that is done.
func (j *journal) become(path string) error {
	if err := j.sync(); err != nil {
		return err
	}
	renamed := os.Rename(j.path, path) // while it is locked, where that is possible
	err := j.f.Close()
	j.f = nil
	if renamed != nil { // Windows keeps the names of open files
		renamed = os.Rename(j.path, path)
	}
	if err := errors.Join(err, renamed); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path), j.noSync)
}

// part is the results of a shard.
type part struct {
	path   string
	f      *os.File
	header *Header
	places []place
	failed int
}

// place is where a result lies.
type place struct {
	line   int32
	failed bool
	from   int // index of the part
	at     int64
}

// openPart opens the results of a shard that is done.
func openPart(path string) (*part, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p := &part{path: path, f: f}
	if err := p.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func (p *part) read() error {
	info, err := p.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNoPart
	}
	ended := false
	end, err := readRecords(p.f, info.Size(), func(r *record) error {
		if (r.kind == isHeader) != (p.header == nil) || ended {
			return errNoPart
		}
		switch r.kind {
		case isHeader:
			h, err := readHeader(r)
			p.header = h
			return err
		case isResult:
			p.places = append(p.places, place{line: r.line, failed: r.failed, at: r.at})
			if r.failed {
				p.failed++
			}
		case isEnd:
			ended = true
		}
		return nil
	})
	switch {
	case errors.Is(err, errNoJournal) || err == nil && p.header == nil:
		return errNoPart
	case err != nil:
		return err
	case !ended || end != info.Size():
		return errors.New("it is damaged, or its shard is not done")
	}
	return nil
}

var errNoPart = errors.New("it is not the result of a shard of mpt batch")

// Merge writes the outputs of all shards of an input, which lie beside the output, as one
// process would have written them. The parts stay.
func Merge(ctx context.Context, output, errs string, noSync bool) (c Counts, err error) {
	errs = cmp.Or(errs, ErrorsOf(output))
	if output == errs || newfile.Same(output, errs) {
		return c, fmt.Errorf("%s: answers and errors need files of their own", output)
	}
	parts, err := openParts(output)
	if err != nil {
		return c, err
	}
	var places []place
	for i, p := range parts {
		defer p.f.Close()
		for _, x := range p.places {
			x.from = i
			places = append(places, x)
		}
		c.Failed += p.failed
		p.places = nil
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.line, b.line) })
	c.Total, c.Done = len(places), len(places)
	for i := range len(places) - 1 {
		if places[i].line == places[i+1].line {
			return c, fmt.Errorf("line %d is in two parts, %s and %s", places[i].line, parts[places[i].from].path,
				parts[places[i+1].from].path)
		}
	}
	if want := parts[0].header.Lines; len(places) != want {
		return c, fmt.Errorf("%s: the shards have %d lines, and the input had %d", output, len(places), want)
	}
	return c, writeMerged(ctx, output, errs, noSync, parts, places)
}

// openParts opens all parts of an output and shows that they belong together.
func openParts(output string) (parts []*part, err error) {
	defer func() {
		if err != nil {
			for _, p := range parts {
				p.f.Close()
			}
		}
	}()
	n, err := shards(output)
	if err != nil {
		return nil, err
	}
	for i := range n {
		p, err := openPart(partOf(output, Shard{i, n}))
		if errors.Is(err, os.ErrNotExist) {
			return parts, fmt.Errorf("%w: shard %d/%d is not done", err, i, n)
		}
		if err != nil {
			return parts, err
		}
		parts = append(parts, p)
		want := *parts[0].header
		want.Shard = Shard{i, n}
		if err := p.header.Differs(&want); err != nil {
			return parts, fmt.Errorf("%s: it does not belong to %s: %w", p.path, parts[0].path, err)
		}
	}
	return parts, nil
}

// shards returns how many parts an output has.
func shards(output string) (int, error) {
	dir, base := filepath.Split(output)
	entries, err := os.ReadDir(cmp.Or(dir, "."))
	if err != nil {
		return 0, err
	}
	var all []int
	for _, e := range entries {
		var s Shard
		rest, ok := strings.CutPrefix(e.Name(), base+".part-")
		if !ok {
			continue
		}
		if k, _ := fmt.Sscanf(rest, "%d-of-%d", &s.I, &s.N); k == 2 && s.N > 0 && e.Name() == partOf(base, s) {
			all = append(all, s.N)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	switch len(all) {
	case 0:
		return 0, fmt.Errorf("%s: there is no part of it here: mpt batch --shard makes them", output)
	case 1:
		return all[0], nil
	}
	return 0, fmt.Errorf("%s: there are parts of %v here: remove those that do not count", output, all)
}

func writeMerged(ctx context.Context, output, errs string, noSync bool, parts []*part, places []place) error {
	o, err := createOutputs(output, errs, noSync)
	if err != nil {
		return err
	}
	for _, x := range places {
		text, err := resultAt(parts[x.from].f, x.at)
		if err == nil {
			err = o.add(Result{x.failed, text})
		}
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			o.abort()
			return err
		}
	}
	return o.rename()
}
