package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

type message struct {
	Role    string `parquet:"role,dict"`
	Content string `parquet:"content,snappy"`
}

type parquetRow struct {
	Source   *string   `parquet:"source,optional"`
	Messages []message `parquet:"messages,list"`
	Scores   []float64 `parquet:"scores,list"`
}

func parquetFile[T any](t testing.TB, rows []T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, parquet.MaxRowsPerRowGroup(2)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestParquet: the rows of JSON lines, in several row groups, by way of a file, a pipe and a compression.
func TestParquet(t *testing.T) {
	type row struct {
		Prompt   string  `parquet:"prompt"`
		Response *string `parquet:"response,optional"`
		ID       int32   `parquet:"id"`
	}
	var rows []row
	for _, p := range pairs {
		rows = append(rows, row{p[0], &p[1], 3})
	}
	want := open(t, options(t), write(t, "a.jsonl", jsonLines())).Digest()
	file := parquetFile(t, rows)
	for name, content := range map[string][]byte{"a.parquet": file, "a.parquet.zst": zstandard(t, file), "a.parquet.gz": gzipped(t, file)} {
		opt := options(t)
		if open(t, opt, write(t, name, content)).Digest() != want {
			t.Errorf("%s: other rows than the JSON lines", name)
		}
		if left, err := os.ReadDir(opt.TempDir); err != nil || len(left) > 0 {
			t.Errorf("%s left behind: %v, %v", name, left, err)
		}
	}
	opt := options(t)
	opt.Stdin = bytes.NewReader(file)
	if open(t, opt, "-").Digest() != want {
		t.Error("standard input: other rows than the JSON lines")
	}
}

// TestParquetNested: lists of groups, empty lists and columns that are null.
func TestParquetNested(t *testing.T) {
	rows := []parquetRow{
		{nil, []message{{"user", "Q"}, {"assistant", "A"}}, nil},
		{nil, nil, []float64{1}},
		{nil, []message{{"system", "S"}, {"user", "Q"}, {"assistant", "A"}}, []float64{1, 2}},
	}
	set := open(t, options(t), write(t, "a.parquet", parquetFile(t, rows)))
	const ask = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n⟦A<|im_end|>\n<|endoftext|>⟧"
	if a, b := show(t, set, 0), show(t, set, 1); a != ask || b != "<|im_start|>system\nS<|im_end|>\n"+ask {
		t.Errorf("%q, %q", a, b)
	}
	if fmt.Sprint(set.Summary.Dropped) == "[]" || set.Summary.Read != 3 {
		t.Errorf("dropped %v of %d", set.Summary.Dropped, set.Summary.Read)
	}
}

func TestParquetTokens(t *testing.T) {
	type row struct {
		Tokens []int32 `parquet:"tokens"` // a repeated column, as older writers have lists
	}
	for _, list := range [][]int32{{66, 67, 68}} {
		set := open(t, options(t), write(t, "a.parquet", parquetFile(t, []row{{list}})))
		if got, err := set.Row(0); err != nil || fmt.Sprint(got.Tokens) != fmt.Sprint(list) {
			t.Errorf("%v, %v", got, err)
		}
	}
	fails(t, options(t), write(t, "a.parquet", parquetFile(t, []row{{[]int32{66, 502}}})), "a.parquet: row 1", "token 1 is 502", "0 to 501")
}

// TestParquetTurns: lists in groups in lists.
func TestParquetTurns(t *testing.T) {
	type turn struct {
		Input  []int64 `parquet:"input_ids,list"`
		Labels []int64 `parquet:"labels,list"`
	}
	type row struct {
		Turns []turn `parquet:"turns,list"`
	}
	rows := []row{{[]turn{{[]int64{66, 67}, []int64{68}}, {[]int64{69}, []int64{70, 71, 72}}}}, {[]turn{{[]int64{66}, []int64{67}}}}}
	set := open(t, options(t), write(t, "a.parquet", parquetFile(t, rows)))
	if a, b := show(t, set, 0), show(t, set, 1); a != "abcd⟦efg<|endoftext|>⟧" || b != "a⟦b<|endoftext|>⟧" {
		t.Errorf("%q, %q", a, b)
	}
}

func TestParquetDamaged(t *testing.T) {
	file := parquetFile(t, []parquetRow{{nil, []message{{"user", "Q"}, {"assistant", "A"}}, nil}})
	fails(t, options(t), write(t, "a.parquet", file[:len(file)/2]), "a.parquet")
	fails(t, options(t), write(t, "a.parquet", nil), "a.parquet")
	opt := options(t)
	for i := 0; i < len(file); i += 5 {
		damaged := bytes.Clone(file)
		damaged[i] ^= 0x55
		if set, err := Open([]string{write(t, "a.parquet", damaged)}, opt); err == nil {
			set.Close()
		}
	}
}

// TestParquetPromises: sizes that a file cannot have are refused before anything is allocated.
func TestParquetPromises(t *testing.T) {
	file := parquetFile(t, []parquetRow{{nil, []message{{"user", "Q"}, {"assistant", "A"}}, nil}})
	footer := bytes.Clone(file)
	copy(footer[len(footer)-8:], "\xff\xff\xff\x7f")
	fails(t, options(t), write(t, "a.parquet", footer), "not that of a Parquet file")
	list := bytes.Clone(file)
	begin := len(file) - 8 - int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	if at := begin + 2; list[at]&15 != thriftList { // version, and then the list of columns
		t.Fatalf("the metadata begin otherwise: % x", list[begin:begin+8])
	}
	long := slices.Concat(list[:begin+3], []byte{0xfc, 0xff, 0xff, 0xff, 0x07}, list[begin+4:])
	binary.LittleEndian.PutUint32(long[len(long)-8:], binary.LittleEndian.Uint32(file[len(file)-8:])+4)
	fails(t, options(t), write(t, "a.parquet", long), "metadata are damaged")
	// The first page: field 1 (its type), field 2 (bytes without compression), field 3 (with it), as zigzag varints.
	page := bytes.Clone(file)
	if page[4] != 0x15 || page[6] != 0x15 || page[7] >= 0x80 {
		t.Fatalf("the first page begins otherwise: % x", page[4:12])
	}
	large := slices.Concat(page[:7], []byte{0xfe, 0xff, 0xff, 0xff, 0x0f}, page[12:])
	fails(t, options(t), write(t, "a.parquet", large), "column 0 of a row group")
}

func FuzzThrift(f *testing.F) {
	f.Add([]byte{0x15, 2, 0x15, 4, 0x2c, 0x15, 6, 0, 0x19, 0x25, 8, 10, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := compact{b: b, visit: func(int, int, int64) {}}
		if c.structure(0, 0) == nil && c.elements > len(b) {
			t.Errorf("%d elements in %d bytes", c.elements, len(b))
		}
	})
}

func FuzzParquet(f *testing.F) {
	f.Add(parquetFile(f, []parquetRow{{nil, []message{{"user", "Q"}, {"assistant", "A"}}, nil}}))
	f.Fuzz(func(t *testing.T, file []byte) {
		n := 0
		s := &stream{name: "a", budget: budget{r: bytes.NewReader(file)}, tempDir: t.TempDir()}
		readParquet(s, func(r record) error { // whether it is an error is the library's matter
			if n++; n > 1000 {
				return os.ErrInvalid
			}
			return nil
		})
	})
}

func FuzzRows(f *testing.F) {
	f.Add(".jsonl", jsonLines())
	f.Add(".json", []byte(`[{"text": "a"}, {"text": "b"}]`))
	f.Add(".csv", []byte("prompt,response\n\"a\nb\",\"c\"\"\"\n"))
	f.Add(".tsv", []byte("text\na\n"))
	f.Add(".txt", []byte("a\n<|endoftext|>\nb"))
	f.Add(".jsonl.gz", gzipped(f, jsonLines()))
	f.Add(".jsonl.zst", zstandard(f, jsonLines()))
	opt := options(f)
	opt.Context = 20
	f.Fuzz(func(t *testing.T, ending string, content []byte) {
		if read, _ := containerOf("a" + ending); read == nil || len(ending) > 20 || strings.ContainsAny(ending, "/\\\x00") {
			return // it is no kind of data, or no name of a file
		}
		set, err := Open([]string{write(t, "a"+ending, content)}, opt)
		if err != nil {
			return
		}
		defer set.Close()
		for i := range set.Len() {
			if row, err := set.Row(i); err != nil || len(row.Tokens) > 20 || len(row.Tokens) != len(row.Labels) || row.Labels[0] != noTarget {
				t.Fatalf("row %d: %v, %v", i, row, err)
			}
		}
	})
}
