package data

import (
	"bytes"
	"compress/bzip2"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// maxShard bounds the bytes of a shard. They are 64 MB unless who wrote them chose otherwise.
const maxShard int64 = 1 << 31

// verify compares the hashes of a file with those that the index has.
func (b *builder) verify(file []byte, hashes map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		var sum []byte
		switch name {
		case "sha1":
			s := sha1.Sum(file)
			sum = s[:]
		case "sha256":
			s := sha256.Sum256(file)
			sum = s[:]
		case "md5":
			s := md5.Sum(file)
			sum = s[:]
		default:
			b.note("hashes of MDS shards by %s are not verified: sha1, sha256 and md5 are", shorten(name, 40))
			continue
		}
		if want := strings.ToLower(hashes[name]); hex.EncodeToString(sum) != want {
			return fmt.Errorf("its %s is %x, and %s by the index: it is damaged", name, sum, shorten(want, 64))
		}
	}
	return nil
}

// decompressShard undoes a compression such as "zstd:7". More bytes than size are an error, and so
// are less.
func decompressShard(algorithm string, packed []byte, size int64) ([]byte, error) {
	name, _, _ := strings.Cut(algorithm, ":")
	var r io.Reader
	switch name {
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(uint64(maxShard)))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case "gz":
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		r = z
	case "bz2":
		r = bzip2.NewReader(bytes.NewReader(packed))
	case "snappy":
		return unsnap(packed, size)
	default:
		return nil, fmt.Errorf("compression %q is not supported: zstd, gz, bz2 and snappy are", shorten(algorithm, 40))
	}
	var raw bytes.Buffer // grows with what comes, not with what is promised
	n, err := io.Copy(&raw, io.LimitReader(r, size+1))
	if err != nil {
		return nil, err
	}
	return raw.Bytes(), wrongSize(n, size)
}

func wrongSize(n, size int64) error {
	switch {
	case n > size:
		return fmt.Errorf("it has more than the %d bytes of the index without compression", size)
	case n < size:
		return fmt.Errorf("it has %d bytes without compression, and %d by the index", n, size)
	}
	return nil
}

func unsnap(packed []byte, size int64) ([]byte, error) {
	n, err := snappy.DecodedLen(packed)
	if err != nil {
		return nil, err
	}
	if err := wrongSize(int64(n), size); err != nil {
		return nil, err
	}
	if n > 32*len(packed) { // a copy of two or three bytes yields at most 64
		return nil, errors.New("it promises more bytes than it can hold")
	}
	return snappy.Decode(nil, packed)
}

// shard reads the samples of a shard.
func (b *builder) shard(dir string, s *mdsShard) error {
	raw, err := b.load(dir, s)
	if err != nil {
		return err
	}
	offsets, err := shardOffsets(raw, s)
	if err != nil {
		return err
	}
	for i := range s.Samples {
		at := place{file: dir + "/" + s.Raw.Basename, n: i + 1, unit: "sample"}
		r := record{at: at, fields: map[string]any{}}
		if err := s.sample(raw[offsets[i]:offsets[i+1]], r.fields); err != nil {
			return &RowError{at.String(), err}
		}
		if err := b.record(r); err != nil {
			return err
		}
	}
	return nil
}

// shardOffsets returns where the samples begin in a shard, and where the last ends: within it, in
// order, behind a configuration that agrees with the index.
func shardOffsets(raw []byte, s *mdsShard) ([]uint32, error) {
	if len(raw) < 4 {
		return nil, fmt.Errorf("%d bytes are too few", len(raw))
	}
	if n := binary.LittleEndian.Uint32(raw); int64(n) != int64(s.Samples) {
		return nil, fmt.Errorf("it has %d samples, and %d by the index", n, s.Samples)
	}
	head := 4 + 4*(int64(s.Samples)+1)
	if head > int64(len(raw)) {
		return nil, fmt.Errorf("%d samples do not fit in %d bytes", s.Samples, len(raw))
	}
	offsets := make([]uint32, s.Samples+1)
	before := uint32(head)
	for i := range offsets {
		offsets[i] = binary.LittleEndian.Uint32(raw[4+4*i:])
		if offsets[i] < before {
			return nil, fmt.Errorf("sample %d begins at %d, which is before %d", i+1, offsets[i], before)
		}
		before = offsets[i]
	}
	if int64(before) != int64(len(raw)) {
		return nil, fmt.Errorf("its samples end at %d, and the file has %d bytes", before, len(raw))
	}
	own, err := mdsConfig(raw[head:offsets[0]])
	if err != nil {
		return nil, err
	}
	if !own.same(&s.mdsColumns) {
		return nil, fmt.Errorf("its columns (%s) are others than those of the index (%s)",
			shorten(strings.Join(own.Names, ", "), 100), shorten(strings.Join(s.Names, ", "), 100))
	}
	return offsets, nil
}

// sample decodes the values of a sample into fields.
func (s *mdsShard) sample(b []byte, fields map[string]any) error {
	total, sizes := int64(0), make([]int64, len(s.Names))
	for i, size := range s.Sizes {
		if size != nil {
			sizes[i] = *size
		} else if len(b) < 4 {
			return errors.New("it ends within the sizes of its columns")
		} else {
			sizes[i] = int64(binary.LittleEndian.Uint32(b))
			b = b[4:]
		}
		total += sizes[i]
	}
	if total != int64(len(b)) {
		return fmt.Errorf("its columns have %d bytes, and the sample has %d", total, len(b))
	}
	for i, name := range s.Names {
		decode, err := mdsEncoding(s.Encodings[i])
		if err != nil {
			return err
		}
		v, err := decode(b[:sizes[i]])
		if err != nil {
			return fmt.Errorf("column %q (%s): %w", name, s.Encodings[i], err)
		}
		if b = b[sizes[i]:]; v != nil {
			fields[name] = v
		}
	}
	return nil
}
