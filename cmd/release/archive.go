package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// entry is a file of an archive.
type entry struct {
	name string // in the archive
	path string // on the disk
	mode int64
}

// files returns what an archive of a platform holds, in the order of names.
func (r *release) files(t target, slim bool) ([]entry, error) {
	var list []entry
	add := func(dir, pattern string, mode int64) error {
		found, err := filepath.Glob(filepath.Join(r.work, pattern))
		for _, f := range found {
			list = append(list, entry{path.Join(dir, filepath.Base(f)), f, mode})
		}
		return err
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		list = append(list, entry{name, r.source(name), 0o644})
	}
	bin, err := filepath.Rel(r.work, r.bin(t, slim))
	if err != nil {
		return nil, err
	}
	for _, x := range []struct {
		dir, pattern string
		mode         int64
	}{{"", bin + "/*", 0o755}, {"man/man1", "man/*", 0o644}, {"completions", "completions/*", 0o644}} {
		if err := add(x.dir, x.pattern, x.mode); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// archives writes one archive for each platform, and one of the slim build.
func (r *release) archives() error {
	for _, t := range r.targets {
		for _, slim := range []bool{false, true} {
			name := "mpt_" + r.version + "_" + filepath.Base(r.bin(t, slim))
			list, err := r.files(t, slim)
			if err != nil {
				return err
			}
			for i := range list {
				list[i].name = name + "/" + list[i].name
			}
			write, ext := writeTarGz, ".tar.gz"
			if t.os == "windows" {
				write, ext = writeZip, ".zip"
			}
			if err := r.create(name+ext, func(w io.Writer) error { return write(w, list, r.time) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// create makes a file of the release.
func (r *release) create(name string, write func(io.Writer) error) error {
	f, err := os.Create(filepath.Join(r.out, name))
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// writeTarGz writes an archive whose bytes depend on the files and the time alone.
func writeTarGz(w io.Writer, list []entry, t time.Time) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := writeTar(z, list, t); err != nil {
		return err
	}
	return z.Close()
}

func writeTar(w io.Writer, list []entry, t time.Time) error {
	tw := tar.NewWriter(w)
	for _, e := range list {
		b, err := os.ReadFile(e.path)
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(b)), ModTime: t,
			Format: tar.FormatUSTAR}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := tw.Write(b); err != nil {
			return err
		}
	}
	return tw.Close()
}

// writeZip is writeTarGz for Windows.
func writeZip(w io.Writer, list []entry, t time.Time) error {
	zw := zip.NewWriter(w)
	for _, e := range list {
		b, err := os.ReadFile(e.path)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: t}
		h.SetMode(os.FileMode(e.mode))
		f, err := zw.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, bytes.NewReader(b)); err != nil {
			return err
		}
	}
	return zw.Close()
}
