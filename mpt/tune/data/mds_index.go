package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxIndex bounds index.json: some hundred bytes for each of a million shards.
const maxIndex = 1 << 30

// mdsIndex is index.json of a folder of MosaicML's streaming data.
type mdsIndex struct {
	Version int        `json:"version"`
	Shards  []mdsShard `json:"shards"`
}

// mdsShard is what the index says of a shard.
type mdsShard struct {
	mdsColumns
	Samples     int      `json:"samples"`
	Raw         mdsFile  `json:"raw_data"`
	Zip         *mdsFile `json:"zip_data"`
	Compression *string  `json:"compression"`
}

// mdsColumns is what the index and the shard itself say of the columns.
type mdsColumns struct {
	Version   int      `json:"version"`
	Format    string   `json:"format"`
	Names     []string `json:"column_names"`
	Encodings []string `json:"column_encodings"`
	Sizes     []*int64 `json:"column_sizes"` // bytes of every value, nil where they differ
}

type mdsFile struct {
	Basename string            `json:"basename"`
	Bytes    int64             `json:"bytes"`
	Hashes   map[string]string `json:"hashes"`
}

// mds reads a folder of shards in the order of its index.
func (b *builder) mds(dir string) error {
	path := filepath.Join(dir, "index.json")
	index, err := readIndex(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	b.begin(dir)
	for i := range index.Shards {
		shard := &index.Shards[i]
		if err := b.shard(dir, shard); err != nil {
			if _, ok := errors.AsType[*RowError](err); ok {
				return err
			}
			return fmt.Errorf("%s: shard %d (%s): %w", dir, i, shortName(shard.Raw.Basename), err)
		}
	}
	return nil
}

// shortName is a name from a file for an error.
func shortName(name string) string { return shorten(fmt.Sprintf("%q", name), 100) }

func readIndex(path string) (*mdsIndex, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxIndex {
		return nil, fmt.Errorf("the index has %d bytes: at most %d are supported", info.Size(), maxIndex)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseIndex(text)
}

func parseIndex(text []byte) (*mdsIndex, error) {
	var index mdsIndex
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, notJSON(err)
	}
	if index.Version != 2 {
		return nil, fmt.Errorf("version %d of the index: only 2 is known", index.Version)
	}
	if len(index.Shards) == 0 {
		return nil, errors.New("the index lists no shards")
	}
	return &index, nil
}

// check refuses what a shard cannot be, before it is opened.
func (s *mdsShard) check() error {
	switch {
	case s.Format != "mds":
		return fmt.Errorf("format %q is not supported: only mds is", shorten(s.Format, 40))
	case s.Version != 2:
		return fmt.Errorf("version %d is not known: only 2 is", s.Version)
	case len(s.Names) == 0:
		return errors.New("it has no columns")
	case len(s.Encodings) != len(s.Names) || len(s.Sizes) != len(s.Names):
		return fmt.Errorf("%d column names, %d encodings, %d sizes", len(s.Names), len(s.Encodings), len(s.Sizes))
	case s.Samples < 0 || s.Raw.Bytes < 0:
		return fmt.Errorf("%d samples in %d bytes", s.Samples, s.Raw.Bytes)
	case s.Raw.Bytes > maxShard:
		return fmt.Errorf("%d bytes: at most %d are supported: write it with a smaller size_limit", s.Raw.Bytes, maxShard)
	}
	for i, name := range s.Names {
		if slices.Contains(s.Names[:i], name) {
			return fmt.Errorf("column %q is there twice", shorten(name, 40))
		}
		if size := s.Sizes[i]; size != nil && (*size < 0 || *size > maxShard) {
			return fmt.Errorf("column %q: a size of %d bytes", shorten(name, 40), *size)
		}
		if _, err := mdsEncoding(s.Encodings[i]); err != nil {
			return fmt.Errorf("column %q: %w", shorten(name, 40), err)
		}
	}
	return nil
}

// same reports whether a shard has the columns that the index says.
func (c *mdsColumns) same(d *mdsColumns) bool {
	return c.Version == d.Version && c.Format == d.Format && slices.Equal(c.Names, d.Names) && slices.Equal(c.Encodings, d.Encodings) &&
		slices.EqualFunc(c.Sizes, d.Sizes, func(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b })
}

// load returns the bytes of a shard, checked for their number and hashes: of the raw file if it is
// there, else of the compressed one.
func (b *builder) load(dir string, s *mdsShard) (raw []byte, err error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	path, err := inside(dir, s.Raw.Basename)
	if err == nil {
		if raw, err = readExactly(path, s.Raw.Bytes); err != nil {
			return nil, err
		}
		return raw, b.verify(raw, s.Raw.Hashes)
	}
	if !errors.Is(err, fs.ErrNotExist) || s.Zip == nil {
		return nil, err
	}
	if path, err = inside(dir, s.Zip.Basename); err != nil {
		return nil, err
	}
	if s.Zip.Bytes < 0 || s.Zip.Bytes > 2*maxShard {
		return nil, fmt.Errorf("%d compressed bytes: at most %d are supported", s.Zip.Bytes, 2*maxShard)
	}
	packed, err := readExactly(path, s.Zip.Bytes)
	if err != nil {
		return nil, err
	}
	if err := b.verify(packed, s.Zip.Hashes); err != nil {
		return nil, err
	}
	algorithm := ""
	if s.Compression != nil {
		algorithm = *s.Compression
	}
	if raw, err = decompressShard(algorithm, packed, s.Raw.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", shortName(s.Zip.Basename), err)
	}
	return raw, b.verify(raw, s.Raw.Hashes)
}

// readExactly reads a file that has to have a number of bytes.
func readExactly(path string, size int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() != size {
		return nil, fmt.Errorf("the file has %d bytes, and %d by the index: it is not whole", info.Size(), size)
	}
	return os.ReadFile(path)
}

// mdsConfig reads the configuration in a shard.
func mdsConfig(text []byte) (*mdsColumns, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	var c mdsColumns
	if err := dec.Decode(&c); err != nil {
		return nil, fmt.Errorf("its configuration: %w", notJSON(err))
	}
	return &c, nil
}
