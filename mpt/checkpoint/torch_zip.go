package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zip"
)

// readZip reads the container of torch 1.6 and later: a ZIP file of stored
// entries in one folder,
//
//	ROOT/data.pkl    the pickle
//	ROOT/data/KEY    the bytes of a storage
//	ROOT/byteorder   "little" or "big"; absent in old files
func (t *torchFile) readZip() error {
	z, err := zip.NewReader(t.c.r, t.c.size)
	if err != nil {
		return malformed("zip: %v: the file is truncated or damaged", err)
	}
	entries, root, err := indexZip(z)
	if err != nil {
		return err
	}
	if f := entries[root+"/byteorder"]; f != nil {
		order, err := readEntry(f, 16)
		if err != nil {
			return err
		}
		if string(order) != "little" {
			return fmt.Errorf("byte order %q: %w", order, errors.ErrUnsupported)
		}
	}
	pickle, err := readEntry(entries[root+"/data.pkl"], maxPickle)
	if err != nil {
		return err
	}
	object, _, err := unpickle(bytes.NewReader(pickle), int64(len(pickle)), t.persist)
	if err != nil {
		return err
	}
	return t.addTensors(object, func(s *storage) error {
		return t.locateEntry(s, entries[root+"/data/"+s.key])
	})
}

// indexZip returns the entries by name and the folder that holds data.pkl.
func indexZip(z *zip.Reader) (entries map[string]*zip.File, root string, err error) {
	entries = make(map[string]*zip.File, len(z.File))
	roots := 0
	for _, f := range z.File {
		if entries[f.Name] != nil {
			return nil, "", malformed("zip: two entries are named %q", f.Name)
		}
		entries[f.Name] = f
		if dir, base, ok := strings.Cut(f.Name, "/"); ok && base == "data.pkl" {
			root = dir
			roots++
		}
	}
	if roots != 1 {
		return nil, "", malformed("zip: %d entries FOLDER/data.pkl where torch.save writes one", roots)
	}
	return entries, root, nil
}

// stored refuses an entry whose bytes do not lie in the file as they are.
func stored(f *zip.File) error {
	const encrypted = 1
	if f.Method != zip.Store || f.Flags&encrypted != 0 {
		return fmt.Errorf("zip: %s is compressed or encrypted, torch.save only stores: %w",
			f.Name, errors.ErrUnsupported)
	}
	return nil
}

// readEntry returns the bytes of a small entry, checked against its checksum.
func readEntry(f *zip.File, most int64) ([]byte, error) {
	if err := stored(f); err != nil {
		return nil, err
	}
	r, err := f.Open()
	if err != nil {
		return nil, malformed("zip: %s: %v", f.Name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, malformed("zip: %s: %v", f.Name, err)
	}
	if int64(len(b)) > most {
		return nil, malformed("zip: %s is longer than %d bytes", f.Name, most)
	}
	return b, nil
}

// locateEntry finds the bytes of a storage. They start after the entry's local
// header, whose length differs from that in the directory: torch pads it so that
// the bytes are aligned.
func (t *torchFile) locateEntry(s *storage, f *zip.File) error {
	if f == nil {
		return malformed("zip: there is no entry data/%s", s.key)
	}
	if err := stored(f); err != nil {
		return err
	}
	offset, err := f.DataOffset()
	if err != nil {
		return malformed("zip: %s: %v", f.Name, err)
	}
	return t.place(s, offset, int64(min(f.UncompressedSize64, uint64(t.c.size))))
}
