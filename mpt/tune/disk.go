package tune

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// disk is what checkpoints and adapters are written to: the system's files, or in tests some that fail.
type disk interface {
	create(path string) (file, error)
	temporary(dir, pattern string) (string, error) // a new folder
	rename(from, to string) error
	remove(path string) error // with all that is in it
	sync(dir string) error    // sees to it that the names in a folder are on the disk
}

// file is one that is being written.
type file interface {
	io.Writer
	Sync() error
	Close() error
}

// systemDisk is that of the system.
type systemDisk struct{}

func (systemDisk) create(path string) (file, error) { return os.Create(path) }
func (systemDisk) rename(from, to string) error     { return os.Rename(from, to) }
func (systemDisk) remove(path string) error         { return os.RemoveAll(path) }

// temporary makes a folder with the permissions of others, unlike os.MkdirTemp: it will have another name.
func (systemDisk) temporary(dir, pattern string) (string, error) {
	name, err := os.MkdirTemp(dir, pattern)
	if err != nil {
		return "", err
	}
	return name, os.Chmod(name, 0o755)
}

// sync does nothing on systems that cannot do it for folders: they need it not.
func (systemDisk) sync(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// writeFile makes a file and sees to it that it is on the disk.
func writeFile(d disk, path string, write func(io.Writer) error) error {
	f, err := d.create(path)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// temporaries match the folders that a run which was killed leaves behind.
var temporaries = []string{temporaryCheckpoint, temporaryAdapter}

const (
	temporaryCheckpoint = "." + folderPrefix + "*.tmp"
	temporaryAdapter    = ".adapter-*.tmp"
)

// Clear removes from dir what a run that was killed has left unfinished. No other run may write to dir.
func Clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("tune: %w", err)
	}
	for _, e := range entries {
		if !Unfinished(e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("tune: %w", err)
		}
	}
	return nil
}

// Unfinished reports whether a file of this name in a folder of a run is what [Clear] removes.
func Unfinished(name string) bool {
	return slices.ContainsFunc(temporaries, func(pattern string) bool {
		ok, err := filepath.Match(pattern, name)
		return ok && err == nil
	})
}
