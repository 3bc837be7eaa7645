package data

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
)

// mdsData is a folder of shards to be written, as mosaicml-streaming lays them out.
type mdsData struct {
	names, encodings []string // sorted by names
	sizes            []*int64
	rows             [][][]byte // encoded values
	compression      string
	change           func(index map[string]any, raw []byte) []byte // for hostile ones; may be nil
}

func (d mdsData) config() map[string]any {
	var compression any
	if d.compression != "" {
		compression = d.compression
	}
	return map[string]any{
		"column_encodings": d.encodings, "column_names": d.names, "column_sizes": d.sizes, "compression": compression,
		"format": "mds", "hashes": []string{"sha1"}, "size_limit": 1 << 26, "version": 2,
	}
}

// raw lays out a shard.
func (d mdsData) raw(t testing.TB) []byte {
	t.Helper()
	config, err := json.Marshal(d.config())
	if err != nil {
		t.Fatal(err)
	}
	offset := uint32(4 + 4*(len(d.rows)+1) + len(config))
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(d.rows)))
	var body []byte
	for _, row := range d.rows {
		out = binary.LittleEndian.AppendUint32(out, offset+uint32(len(body)))
		for i, v := range row {
			if d.sizes[i] == nil {
				body = binary.LittleEndian.AppendUint32(body, uint32(len(v)))
			}
		}
		for _, v := range row {
			body = append(body, v...)
		}
	}
	out = binary.LittleEndian.AppendUint32(out, offset+uint32(len(body)))
	return append(append(out, config...), body...)
}

// write writes the folder and returns its path.
func (d mdsData) write(t testing.TB) string {
	t.Helper()
	dir, raw := t.TempDir(), d.raw(t)
	shard := d.config()
	sum := func(b []byte) map[string]string {
		return map[string]string{"sha1": fmt.Sprintf("%x", sha1.Sum(b)), "xxh64": "0"}
	}
	shard["samples"], shard["zip_data"] = len(d.rows), nil
	shard["raw_data"] = map[string]any{"basename": "shard.00000.mds", "bytes": len(raw), "hashes": sum(raw)}
	if d.change != nil {
		raw = d.change(shard, raw)
	}
	name, content := "shard.00000.mds", raw
	if d.compression != "" {
		algorithm, _, _ := strings.Cut(d.compression, ":")
		content = map[string]func() []byte{
			"zstd": func() []byte { return zstandard(t, raw) }, "gz": func() []byte { return gzipped(t, raw) },
			"snappy": func() []byte { return snappy.Encode(nil, raw) }, "br": func() []byte { return raw },
		}[algorithm]()
		name += "." + algorithm
		shard["zip_data"] = map[string]any{"basename": name, "bytes": len(content), "hashes": sum(content)}
	}
	index, err := json.Marshal(map[string]any{"version": 2, "shards": []any{shard}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), index, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

func pairsMDS() mdsData {
	eight := int64(8)
	d := mdsData{names: []string{"id", "prompt", "response"}, encodings: []string{"int", "str", "str"}, sizes: []*int64{&eight, nil, nil}}
	for _, p := range pairs {
		d.rows = append(d.rows, [][]byte{make([]byte, 8), []byte(p[0]), []byte(p[1])})
	}
	return d
}

func TestMDS(t *testing.T) {
	want := open(t, options(t), write(t, "a.jsonl", jsonLines())).Digest()
	for _, compression := range []string{"", "zstd", "zstd:7", "gz", "snappy"} {
		d := pairsMDS()
		d.compression = compression
		set := open(t, options(t), d.write(t))
		if set.Digest() != want {
			t.Errorf("%q: other rows than the JSON lines", compression)
		}
		if !slices.ContainsFunc(set.Summary.Notes, func(s string) bool { return strings.Contains(s, "xxh64") }) {
			t.Errorf("no word of the hash that is not verified: %q", set.Summary.Notes)
		}
	}
}

func int64s(list ...int64) (b []byte) {
	for _, x := range list {
		b = binary.LittleEndian.AppendUint64(b, uint64(x))
	}
	return b
}

// TestEncodings: token columns in all encodings that are in use.
func TestEncodings(t *testing.T) {
	for _, c := range []struct {
		encoding string
		value    []byte
	}{
		{"bytes", int64s(66, 67, 499)},
		{"ndarray:int32", []byte{1 << 2, 3, 66, 0, 0, 0, 67, 0, 0, 0, 0xf3, 1, 0, 0}},
		{"ndarray:int32:3", []byte{66, 0, 0, 0, 67, 0, 0, 0, 0xf3, 1, 0, 0}},
		{"ndarray:uint16", []byte{1<<2 | 1, 3, 0, 66, 0, 67, 0, 0xf3, 1}},
		{"ndarray", append([]byte{65, 1<<2 | 2, 3, 0, 0, 0}, int64s(66, 67, 499)...)},
		{"json", []byte("[66, 67, 499]")},
	} {
		d := mdsData{names: []string{"tokens"}, encodings: []string{c.encoding}, sizes: []*int64{nil}, rows: [][][]byte{{c.value}}}
		set := open(t, options(t), d.write(t))
		row, err := set.Row(0)
		if err != nil || fmt.Sprint(row.Tokens) != "[66 67 499]" || fmt.Sprint(row.Labels) != "[-100 67 499]" {
			t.Errorf("%s: %v, %v", c.encoding, row, err)
		}
		if set.Summary.LargestID != 499 {
			t.Errorf("the largest id is %d", set.Summary.LargestID)
		}
	}
	// 2048 ids as the library writes them: the number in two bytes.
	value := append([]byte{5, 0, 8}, make([]byte, 8192)...)
	if v, err := decodeArray(value, "int32", -1); err != nil || len(v.([]int64)) != 2048 {
		t.Errorf("2048 ids: %v", err)
	}
}

// TestHostileShards: each is refused, by what is wrong.
func TestHostileShards(t *testing.T) {
	put := func(at int, v uint32) func(map[string]any, []byte) []byte {
		return func(_ map[string]any, raw []byte) []byte {
			binary.LittleEndian.PutUint32(raw[at:], v)
			return raw
		}
	}
	unhashed := func(f func(map[string]any, []byte) []byte) func(map[string]any, []byte) []byte {
		return func(s map[string]any, raw []byte) []byte {
			s["raw_data"].(map[string]any)["hashes"] = map[string]string{}
			return f(s, raw)
		}
	}
	set := func(key string, v any) func(map[string]any, []byte) []byte {
		return func(s map[string]any, raw []byte) []byte { s[key] = v; return raw }
	}
	raw := func(key string, v any) func(map[string]any, []byte) []byte {
		return func(s map[string]any, raw []byte) []byte { s["raw_data"].(map[string]any)[key] = v; return raw }
	}
	for _, c := range []struct {
		name, compression string
		change            func(map[string]any, []byte) []byte
		words             []string
	}{
		{"damaged", "", put(30, 7), []string{"sha1", "damaged"}},
		{"samples", "", unhashed(put(0, 4)), []string{"4 samples, and 3"}},
		{"many samples", "", unhashed(func(s map[string]any, b []byte) []byte {
			s["samples"] = uint32(1<<32 - 1)
			binary.LittleEndian.PutUint32(b, 1<<32-1)
			return b
		}), []string{"do not fit"}},
		{"offsets fall", "", unhashed(put(8, 3)), []string{"sample", "before"}},
		{"offset beyond", "", unhashed(put(16, 1<<30)), []string{"end at 1073741824"}},
		{"short", "", func(s map[string]any, b []byte) []byte { return b[:len(b)-1] }, []string{"not whole"}},
		{"size of a value", "", unhashed(func(s map[string]any, b []byte) []byte {
			binary.LittleEndian.PutUint32(b[binary.LittleEndian.Uint32(b[4:]):], 1<<31)
			return b
		}), []string{"sample 1", "its columns have"}},
		{"pickle", "", set("column_encodings", []string{"int", "pkl", "str"}), []string{"pkl is refused"}},
		{"image", "", set("column_encodings", []string{"int", "jpeg", "str"}), []string{`"jpeg" is not supported`}},
		{"json lines", "", set("format", "json"), []string{`format "json"`}},
		{"other columns", "", set("column_names", []string{"id", "prompt", "answer"}), []string{"others than those of the index"}},
		{"leads out", "", raw("basename", "../shard.00000.mds"), []string{"lead out"}},
		{"absolute", "", raw("basename", "/etc/passwd"), []string{"lead out"}},
		{"backslash", "", raw("basename", `a\b`), []string{"lead out"}},
		{"drive", "", raw("basename", `C:b`), []string{"lead out"}},
		{"bomb", "zstd", func(s map[string]any, b []byte) []byte { return append(b, make([]byte, 1<<24)...) }, []string{"more than the"}},
		{"snappy bomb", "snappy", func(s map[string]any, b []byte) []byte { return append(b, make([]byte, 1<<20)...) }, []string{"more than the"}},
		{"brotli", "br", nil, []string{`compression "br" is not supported`}},
		{"huge", "", raw("bytes", int64(1)<<40), []string{"at most"}},
		{"negative", "", raw("bytes", -1), []string{"-1 bytes"}},
		{"fewer sizes", "", set("column_sizes", []any{nil}), []string{"3 column names", "1 sizes"}},
	} {
		d := pairsMDS()
		d.compression, d.change = c.compression, c.change
		t.Run(c.name, func(t *testing.T) { fails(t, options(t), d.write(t), c.words...) })
	}
}

func TestLinkOut(t *testing.T) {
	dir := pairsMDS().write(t)
	name := filepath.Join(dir, "shard.00000.mds")
	other := write(t, "other.mds", pairsMDS().raw(t))
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, name); err != nil {
		t.Skip(err)
	}
	fails(t, options(t), dir, "link that leads out")
}

// TestNoIndex: what lies in a folder decides what is said of it.
func TestNoIndex(t *testing.T) {
	dir := t.TempDir()
	fails(t, options(t), dir, "no data in this folder")
	if err := os.Rename(pairsMDS().write(t), filepath.Join(dir, "train")); err != nil {
		t.Fatal(err)
	}
	fails(t, options(t), dir, "MDS data", filepath.Join(dir, "train"))
}

func FuzzMDS(f *testing.F) {
	d := pairsMDS()
	index, err := json.Marshal(map[string]any{"samples": 3, "raw_data": map[string]any{"basename": "a"}})
	if err != nil {
		f.Fatal(err)
	}
	config, err := json.Marshal(d.config())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d.raw(f), append(append(config[:len(config)-1:len(config)-1], ','), bytes.TrimPrefix(index, []byte("{"))...))
	f.Fuzz(func(t *testing.T, raw, index []byte) {
		var s mdsShard
		if json.Unmarshal(index, &s) != nil || s.check() != nil {
			return
		}
		offsets, err := shardOffsets(raw, &s)
		if err != nil {
			return
		}
		for i := range s.Samples {
			fields := map[string]any{}
			if s.sample(raw[offsets[i]:offsets[i+1]], fields) == nil && len(fields) > len(s.Names) {
				t.Error("more values than columns")
			}
		}
	})
}
