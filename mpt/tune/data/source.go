package data

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A container reads the rows of an open file in order. It stops at the first error of each.
type container func(s *stream, each func(record) error) error

// containers are the formats of files by the ends of their names.
var containers = map[string]container{
	".jsonl": readJSONLines, ".ndjson": readJSONLines, ".json": readJSON,
	".csv": readCSV, ".tsv": readTSV, ".txt": readText, ".parquet": readParquet,
}

// compressions are the ends that may follow, with what undoes them.
var compressions = map[string]func(io.Reader) (io.Reader, func(), error){
	".gz":  openGzip,
	".zst": openZstd, ".zstd": openZstd,
	".bz2": func(r io.Reader) (io.Reader, func(), error) { return bzip2.NewReader(r), nothing, nil },
}

func nothing() {}

func openGzip(r io.Reader) (io.Reader, func(), error) {
	z, err := gzip.NewReader(r)
	return z, nothing, err
}

func openZstd(r io.Reader) (io.Reader, func(), error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
	if err != nil {
		return nil, nil, err
	}
	return z, z.Close, nil
}

// stream is a file that is read once from its beginning, without its compression.
type stream struct {
	name string
	budget
	file    *os.File // what is read directly, or nil
	tempDir string
}

// budget bounds how much a row may take from a reader: what asks for more without [budget.renew]
// fails.
type budget struct {
	r          io.Reader
	most, left int64
}

func (b *budget) renew() { b.left = b.most + 1<<20 } // with what readers take in advance

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("a row has more than %d MB", b.most>>20)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// containerOf returns the format of a file and its compression by its name.
func containerOf(name string) (read container, compression string) {
	name = strings.ToLower(name)
	if ext := filepath.Ext(name); compressions[ext] != nil {
		compression = ext
		name = strings.TrimSuffix(name, ext)
	}
	return containers[filepath.Ext(name)], compression
}

// endings lists the ends of names for errors.
func endings() string {
	return ".jsonl, .json, .csv, .tsv, .txt, .parquet, each also .gz, .zst or .bz2"
}

// add reads a path that a person named.
func (b *builder) add(path string) error {
	if path == "-" {
		return b.standardInput()
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return b.folder(path)
	}
	if filepath.Base(path) == "index.json" {
		return fmt.Errorf("%s: name the folder of MDS shards, not their index", path)
	}
	read, _ := containerOf(path)
	if read == nil {
		return fmt.Errorf("%s: the name does not say what it is: want %s, or a folder", path, endings())
	}
	return b.file(path)
}

// file reads one file, whose name is known to be that of a format.
func (b *builder) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fmt.Errorf("%s: a folder called like a file", path)
	}
	read, compression := containerOf(path)
	return b.read(path, f, f, read, compression)
}

// read reads the rows of an open file; direct is that file if it can be read at any place.
func (b *builder) read(name string, r io.Reader, direct *os.File, read container, compression string) error {
	s := &stream{name: name, budget: budget{r: r, most: b.opt.rowLimit()}, file: direct, tempDir: b.opt.TempDir}
	if open := compressions[compression]; open != nil {
		plain, end, err := open(bufio.NewReaderSize(r, 1<<16))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer end()
		s.r, s.file = plain, nil
	}
	s.renew()
	b.begin(name)
	if err := read(s, b.record); err != nil {
		if _, ok := errors.AsType[*RowError](err); ok {
			return err
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// folder reads MDS shards, or all files of known formats in the order of their names.
func (b *builder) folder(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "index.json")); err == nil {
		return b.mds(dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var files, splits []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if _, err := os.Stat(filepath.Join(path, "index.json")); e.IsDir() && err == nil {
			splits = append(splits, path)
		}
		if read, _ := containerOf(e.Name()); read == nil || e.IsDir() {
			continue
		}
		files = append(files, path)
	}
	switch {
	case len(files) == 0 && len(splits) > 0:
		return fmt.Errorf("%s: its sub-folders are MDS data: name one of %s", dir, strings.Join(splits, ", "))
	case len(files) == 0:
		return fmt.Errorf("%s: no data in this folder: want files with %s, or MDS shards with their index.json", dir, endings())
	}
	if skipped := len(entries) - len(files); skipped > 0 {
		b.note("%s: %d other entries of the folder are left out", dir, skipped)
	}
	for _, path := range files { // ReadDir has sorted them
		if err := b.file(path); err != nil {
			return err
		}
	}
	return nil
}

// standardInput reads "-", whose format shows at its beginning.
func (b *builder) standardInput() error {
	const name = "standard input"
	if b.stdinRead {
		return errors.New("-: standard input can be read once")
	}
	b.stdinRead = true
	r := b.opt.Stdin
	if r == nil {
		r = os.Stdin
	}
	buffered := bufio.NewReaderSize(r, 1<<16)
	head, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", name, err)
	}
	for ext, magic := range map[string]string{".gz": "\x1f\x8b", ".zst": "\x28\xb5\x2f\xfd", ".bz2": "BZh"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return b.read(name, buffered, nil, b.sniffed, ext)
		}
	}
	return b.read(name, buffered, nil, b.sniffed, "")
}

// sniffed reads a stream whose format shows at its beginning.
func (b *builder) sniffed(s *stream, each func(record) error) error {
	r := bufio.NewReaderSize(s.r, 1<<16)
	head, err := r.Peek(64)
	if err != nil && err != io.EOF {
		return err
	}
	s.r = r
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return readParquet(s, each)
	case bytes.HasPrefix(text, []byte("{")):
		return readJSONLines(s, each)
	case bytes.HasPrefix(text, []byte("[")):
		return readJSON(s, each)
	}
	b.note("%s is read as text: give a file with its ending for CSV and others", s.name)
	return readText(s, each)
}

// inside returns the file that a name in an index stands for: below dir, also by way of links.
func inside(dir, name string) (string, error) {
	local := filepath.FromSlash(name)
	if name == "" || strings.ContainsAny(name, "\\:\x00") || !filepath.IsLocal(local) || slices.Contains(strings.Split(name, "/"), "..") {
		return "", fmt.Errorf("the name %q may lead out of the folder", name)
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	path, err := filepath.EvalSymlinks(filepath.Join(dir, local))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	} else if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(root, path); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("the name %q is a link that leads out of the folder", name)
	}
	return path, nil
}
