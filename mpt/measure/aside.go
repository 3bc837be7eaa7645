package measure

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"mptgo/internal/newfile"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/quantize"
)

// asideType is that of the temporary file that writes and is measured. It is read once for
// every token of the texts, and half as long as the model; what it says of the inputs of the
// model's matrices differs by less than two texts do.
const asideType = "Q8_0"

// An aside is the model that writes and is measured: a temporary file of fewer bits beside dst, or
// the source itself.
type aside struct {
	m      *mpt.Model
	path   string // of the temporary file; "" without one
	dst    string
	remove func()
}

// openAside opens the model at src, as it is before it becomes dst, as a temporary file. Where
// there is no room for both, a GGUF file is opened itself, as one is that is quantised already.
func openAside(ctx context.Context, src, dst string, s convert.Source, opt convert.Options, progress func(string, int, int)) (*aside, error) {
	a := &aside{dst: dst, remove: func() {}}
	convert.Tidy(dst, opt.Logf) // first: what a killed run has left takes the room that is looked for
	r, err := roomFor(dst, s, opt)
	if err != nil {
		return nil, err
	}
	switch {
	case convert.IsCheckpoint(src) && !r.enough():
		return nil, fmt.Errorf("%s: free some, make a GGUF file of F16 of the folder first, or quantise without self-calibration", r.missing(dst))
	case convert.IsCheckpoint(src) || s.Exact != "" && r.enough():
		if err := a.make(ctx, src, opt.Threads, progress); err != nil {
			return nil, err
		}
		src = a.path
	case s.Exact != "" && opt.Logf != nil:
		opt.Logf("%s: %s is measured itself, which takes a third longer or more", r.missing(dst), src)
	}
	if a.m, err = mpt.Open(src, mpt.Threads(opt.Threads)); err != nil {
		a.remove()
		return nil, a.explain(err)
	}
	return a, nil
}

// make makes the temporary file.
func (a *aside) make(ctx context.Context, src string, threads int, progress func(string, int, int)) (err error) {
	a.path, a.remove, err = convert.Aside(ctx, src, a.dst, convert.Options{
		Type: asideType, Search: quantize.SearchReference, Threads: threads, AllowRequantize: true,
		Progress: func(done, total int64) { progress("prepared", int(done>>20), int(total>>20)) },
	})
	return a.explain(err)
}

func (a *aside) close() {
	a.m.Close()
	a.remove()
}

// An asideError is an error about the temporary file, whose name means nothing to who reads it.
type asideError struct {
	text string
	err  error
}

func (e *asideError) Error() string { return e.text }
func (e *asideError) Unwrap() error { return e.err }

// explain returns err with words for the temporary file in the place of its name. If it could not
// be written they say what to do; what is the matter with the source is said already.
func (a *aside) explain(err error) error {
	if err == nil || a.path == "" || !strings.Contains(err.Error(), a.path) {
		return err
	}
	what := fmt.Sprintf("the temporary file that is measured, a %s of the model beside %s", asideType, a.dst)
	text := err.Error()
	why := text[strings.LastIndex(text, a.path)+len(a.path):]
	if a.m == nil && a.remove == nil && !strings.HasPrefix(why, ": not ") {
		return &asideError{what + ", cannot be written" + why + ": free room there, give the output another folder, or quantise without self-calibration", err}
	}
	return &asideError{strings.ReplaceAll(text, a.path, what), err}
}

// A room is what a folder has, and what is wanted of it, in bytes.
type room struct {
	has, aside, output int64
	known              bool
}

// roomSlack is what a file system takes for files besides their bytes, give or take.
const roomSlack = 1 << 20

// roomOf tells of the room in a folder; tests have another.
var roomOf = newfile.Room

// roomFor looks for room in the folder of dst, or of what a link at dst leads to: for the
// temporary file, and for dst with the types that it will have.
func roomFor(dst string, s convert.Source, opt convert.Options) (r room, err error) {
	if r.output, err = s.FileBytes(opt); err != nil {
		return r, err
	}
	if r.aside, err = s.FileBytes(convert.Options{Type: asideType}); err != nil {
		return r, err
	}
	if target, err := newfile.Follow(dst); err == nil {
		dst = target
	}
	r.has, r.known = roomOf(filepath.Dir(dst))
	return r, nil
}

func (r room) wants() int64 { return r.aside + r.output + roomSlack }
func (r room) enough() bool { return !r.known || r.has >= r.wants() }

// missing says that there is not enough.
func (r room) missing(dst string) string {
	return fmt.Sprintf("no room beside %s for a temporary %s that is measured: %d MiB and %d MiB for the output, where %d are free",
		dst, asideType, r.aside>>20, r.output>>20, r.has>>20)
}
