package batch

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mptgo/internal/newfile"
)

// outputs are the files of answers and of errors as they are written.
type outputs struct {
	noSync bool
	files  [2]*outFile // answers, errors
}

// outFile is one of them.
type outFile struct {
	path, target string // target: where its links lead
	f            *os.File
	w            *bufio.Writer
}

// createOutputs begins both under other names: they appear when they are complete.
func createOutputs(out, errs string, noSync bool) (*outputs, error) {
	return openOutputs(out, errs, noSync, newfile.Create)
}

// growOutputs begins both under their names: they grow where everybody can see it.
func growOutputs(out, errs string, noSync bool) (*outputs, error) {
	return openOutputs(out, errs, noSync, func(_, target string) (*os.File, error) {
		return os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	})
}

func openOutputs(out, errs string, noSync bool, open func(path, target string) (*os.File, error)) (*outputs, error) {
	o := &outputs{noSync: noSync}
	for i, path := range []string{out, errs} {
		target, err := newfile.Follow(path)
		var f *os.File
		if err == nil {
			f, err = open(path, target)
		}
		if err != nil {
			o.abort()
			return nil, err
		}
		o.files[i] = &outFile{path, target, f, bufio.NewWriterSize(f, 1<<18)}
	}
	return o, nil
}

// add writes a result to where it belongs.
func (o *outputs) add(r Result) error {
	f := o.files[0]
	if r.Failed {
		f = o.files[1]
	}
	if _, err := f.w.Write(r.Text); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

// flush hands what was added to the system.
func (o *outputs) flush() error { return errors.Join(o.files[0].w.Flush(), o.files[1].w.Flush()) }

// finish has both files survive a crash of the system, and closes them.
func (o *outputs) finish() error {
	for _, f := range o.files {
		err := f.w.Flush()
		if err == nil && !o.noSync {
			err = f.f.Sync()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return errors.Join(o.files[0].f.Close(), o.files[1].f.Close())
}

// rename gives both files their names.
func (o *outputs) rename() error {
	err := o.finish()
	for _, f := range o.files {
		if err == nil {
			err = newfile.Rename(f.f.Name(), f.target)
		}
	}
	if err != nil {
		o.abort()
		return err
	}
	for _, f := range o.files {
		if err := syncFolder(filepath.Dir(f.target), o.noSync); err != nil {
			return err
		}
	}
	return nil
}

// abort leaves nothing of files that have not been renamed.
func (o *outputs) abort() {
	for _, f := range o.files {
		if f != nil {
			f.f.Close()
			if f.f.Name() != f.target {
				os.Remove(f.f.Name())
			}
		}
	}
}
