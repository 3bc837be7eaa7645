package fileio

import (
	"errors"
	"io"
	"os"

	"mptgo/internal/newfile"
)

// NoStdout refuses the name - for an output: no file that is written here can go to a pipe.
func NoStdout(name string) error {
	if name == "-" {
		return errors.New("-: standard output cannot be the output: name a file (./- is one of that name)")
	}
	return nil
}

// Write calls write with an unfinished file beside path, or beside where its links lead, and
// gives the file its name if that went well; otherwise nothing is left of it. What is not a
// file, such as a device or a folder, is not replaced by one.
func Write(path string, write func(io.Writer) error) error {
	if err := NoStdout(path); err != nil {
		return err
	}
	target, err := newfile.Follow(path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(target); err == nil && !info.Mode().IsRegular() {
		return errors.New("exists and is not a regular file")
	}
	f, err := newfile.Create(path, target)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = newfile.Rename(f.Name(), target)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// Writable returns an error if [Write] cannot make path, or replace it: before the work.
func Writable(path string) error {
	if err := NoStdout(path); err != nil {
		return err
	}
	return newfile.Writable(path)
}
