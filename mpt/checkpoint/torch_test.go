package checkpoint

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zip"

	"mptgo/internal/check"
)

func memTorch(b []byte) (*Container, error) {
	return newContainer("x.bin", bytes.NewReader(b), int64(len(b)), (*Container).readTorch)
}

// onePickle describes a state dictionary with one tensor over a storage of count
// floats.
func onePickle(count, offset int, shape, strides []int) []byte {
	return newPickle().op("}(").tensor("w", "0", count, offset, shape, strides).op("u").stop()
}

// TestStrides compares reads of tensors with all kinds of strides with the
// definition: element i lies at offset + sum(i_k * stride_k).
func TestStrides(t *testing.T) {
	const count = 60000
	for _, c := range []struct {
		name           string
		offset         int
		shape, strides []int
	}{
		{"contiguous", 5, []int{3, 4}, []int{4, 1}},
		{"transposed", 0, []int{30, 40}, []int{1, 30}},
		{"transposed beyond the buffer", 7, []int{3, 19000}, []int{1, 3}},
		{"column of a wide matrix", 1, []int{3}, []int{20000}},
		{"every second", 0, []int{5, 4}, []int{8, 2}},
		{"slice", 100, []int{6, 7}, []int{50, 1}},
		{"three dimensions permuted", 3, []int{4, 5, 6}, []int{5, 1, 20}},
		{"broadcast row", 2, []int{4, 3}, []int{0, 1}},
		{"broadcast column", 2, []int{4, 3}, []int{1, 0}},
		{"ones", 9, []int{1, 5, 1}, []int{77, 3, 99}},
		{"scalar", 11, []int{}, []int{}},
	} {
		x, err := memTorch(torchZip(t, onePickle(count, c.offset, c.shape, c.strides), floats(count)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		w := x.Tensors()[0]
		for _, r := range [][2]int{{0, w.Rows()}, {w.Rows() / 2, w.Rows()}, {0, 1}, {1, 1}} {
			got := make([]byte, (r[1]-r[0])*w.RowBytes())
			if err := w.ReadRows(got, r[0], r[1]); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if want := stridedFloats(count, c.offset, c.shape, c.strides, r[0], r[1]); !bytes.Equal(got, want) {
				t.Errorf("%s: rows %d:%d differ", c.name, r[0], r[1])
			}
		}
	}
}

func stridedFloats(count, offset int, shape, strides []int, r0, r1 int) []byte {
	all := floats(count)
	if len(shape) == 0 {
		if r0 == r1 {
			return nil
		}
		return all[4*offset:][:4]
	}
	shape = slices.Clone(shape)
	shape[0] = r1 - r0
	offset += r0 * strides[0]
	var b []byte
	var walk func(dim, at int)
	walk = func(dim, at int) {
		if dim == len(shape) {
			b = append(b, all[4*at:][:4]...)
			return
		}
		for i := range shape[dim] {
			walk(dim+1, at+i*strides[dim])
		}
	}
	walk(0, offset)
	return b
}

func TestRowMajor(t *testing.T) {
	for _, c := range []struct {
		shape, strides []int
		want           bool
	}{
		{[]int{3, 4}, []int{4, 1}, true},
		{[]int{3, 4}, []int{1, 3}, false},
		{[]int{1, 4, 1}, []int{99, 1, 7}, true},
		{[]int{2, 4}, []int{0, 1}, false},
		{nil, nil, true},
	} {
		if got := rowMajor(c.shape, c.strides); got != c.want {
			t.Errorf("shape %v, strides %v: %v", c.shape, c.strides, got)
		}
	}
}

func TestSharedStorage(t *testing.T) {
	p := newPickle().op("}(").tensor("a", "0", 12, 0, []int{3, 2}, []int{2, 1}).tensor("b", "0", 12, 0, []int{3, 2}, []int{2, 1}).
		tensor("c", "0", 12, 6, []int{3, 2}, []int{2, 1}).op("u").stop()
	x, err := memTorch(torchZip(t, p, floats(12)))
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := x.Tensors()[0], x.Tensors()[1], x.Tensors()[2]
	if !a.SameData(b) || a.SameData(c) {
		t.Error("tensors over the same elements were not told from others")
	}
}

// TestLegacyView reads a tensor through the view that the sixth element of a
// legacy storage id describes.
func TestLegacyView(t *testing.T) {
	id := newPickle().op("}(").str("w").op("ctorch._utils\n_rebuild_tensor_v2\n((").str("storage").op("ctorch\nFloatStorage\n").
		str("k").str("cpu").int(10).op("(").str("v").int(4).int(5).op("ttQ")
	p := id.int(1).ints(2, 2).ints(2, 1).op("\x89NtRu").stop()
	x, err := memTorch(torchLegacy(p, "k", 10, floats(10)))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 16)
	if err := x.Tensors()[0].ReadRows(got, 0, 2); err != nil || !bytes.Equal(got, floats(10)[4*5:][:16]) {
		t.Errorf("% x, %v", got, err)
	}
}

// TestNestedStateDict opens what training code writes: weights in an inner
// dictionary, beside values that are not tensors.
func TestNestedStateDict(t *testing.T) {
	w := func(a *asm) *asm { return a.op("}(").tensor("w", "0", 4, 0, []int{4}, []int{1}).op("u") }
	for _, p := range [][]byte{
		w(newPickle().op("}(").str("step").int(3).str("state").op("}(").str("model")).op("uu").stop(),
		w(newPickle().op("}(").str("lr").op("G\x3f\xf0\x00\x00\x00\x00\x00\x00").str("state_dict")).op("u").stop(),
		w(newPickle().op("}(").str("rng").op("C\x02ab").str("none").op("N").str("model")).op("u").stop(),
		newPickle().op("ccollections\nOrderedDict\n)R(").tensor("w", "0", 4, 0, []int{4}, []int{1}).op("u}").str("_metadata").op("}sb").stop(),
		newPickle().op("\x95\x00\x00\x00\x00\x00\x00\x00\x00}(").tensor("w", "0", 4, 0, []int{4}, []int{1}).op("u\x94").stop(),
	} {
		x, err := memTorch(torchZip(t, p, floats(4)))
		if err != nil || len(x.Tensors()) != 1 {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestTorchErrors(t *testing.T) {
	good := onePickle(4, 0, []int{4}, []int{1})
	pkl := entry{name: "a/data.pkl", data: good}
	data := entry{name: "a/data/0", data: floats(4)}
	whole := zipOf(t, pkl, data)
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"not torch", []byte("\x00\x01\x02\x03"), "not a file that torch.save wrote"},
		{"pointer", []byte("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
		{"tar", tar, "tar container"},
		{"truncated zip", whole[:len(whole)/2], "truncated or damaged"},
		{"no pickle", zipOf(t, data), "0 entries FOLDER/data.pkl"},
		{"two pickles", zipOf(t, pkl, entry{name: "b/data.pkl", data: good}), "2 entries"},
		{"same name twice", zipOf(t, pkl, data, data), `two entries are named "a/data/0"`},
		{"compressed pickle", zipOf(t, entry{"a/data.pkl", good, zip.Deflate}, data), "compressed"},
		{"compressed data", zipOf(t, pkl, entry{"a/data/0", floats(4), zip.Deflate}), "compressed"},
		{"missing data", zipOf(t, pkl), "no entry data/0"},
		{"short data", zipOf(t, pkl, entry{name: "a/data/0", data: floats(3)}), "takes 16 bytes, the file has 12"},
		{"encrypted data", zipRaw(t, pkl, zip.FileHeader{Name: "a/data/0", Flags: 1, CompressedSize64: 16, UncompressedSize64: 16}), "encrypted"},
		{"data beyond the file", zipRaw(t, entry{name: "a/data.pkl", data: onePickle(60, 0, []int{4}, []int{1})},
			zip.FileHeader{Name: "a/data/0", CompressedSize64: 240, UncompressedSize64: 240}), "takes 240 bytes, the file has"},
		{"big-endian", zipOf(t, pkl, data, entry{name: "a/byteorder", data: []byte("big")}), `byte order "big"`},
		{"legacy cut in the data", torchLegacy(good, "0", 4, floats(3)), "truncated or damaged"},
		{"legacy cut in the pickle", torchLegacy(good, "0", 4, nil)[:100], "pickle: at byte"},
		{"legacy count", torchLegacy(good, "0", 5, floats(5)), "has 5 elements, its tensors expect 4"},
		{"legacy key twice", legacyTwice(good), `names "0", which no tensor uses or which comes twice`},
		{"legacy key", torchLegacy(good, "1", 4, floats(4)), `names "1", which no tensor uses`},
	} {
		_, err := memTorch(c.file)
		checkTorchError(t, c.name, err, c.want)
	}
}

// TestPickleErrors is the same for the pickle inside.
func TestPickleErrors(t *testing.T) {
	dict := func(a *asm) []byte { return a.op("u").stop() }
	open := func() *asm { return newPickle().op("}(").str("w") }
	tensor := func() *asm { return open().op("ctorch._utils\n_rebuild_tensor_v2\n(") }
	for _, c := range []struct {
		name   string
		pickle []byte
		want   string
	}{
		{"a call of the system", newPickle().op("cos\nsystem\n(").str("echo").op("tR").stop(), `it names "os.system", which a file of tensors does not need; refused, nothing was executed`},
		{"the same from the stack", newPickle().op("\x8c\x02os\x8c\x06system\x93)R").stop(), `"os.system"`},
		{"load from bytes", newPickle().op("ctorch.storage\n_load_from_bytes\n(C\x01xtR").stop(), "_load_from_bytes"},
		{"builtins", newPickle().op("c__builtin__\neval\n").stop(), `"__builtin__.eval"`},
		{"call of a class", newPickle().op("ctorch\nFloatStorage\n)R").stop(), "not a known function"},
		{"call of a string", newPickle().str("os.system").op(")R").stop(), "not a known function"},
		{"INST", newPickle().op("(ios\nsystem\n.").stop(), "opcode 0x69"},
		{"EXT1", newPickle().op("\x82\x01").stop(), "opcode 0x82"},
		{"long name", newPickle().op("c" + strings.Repeat("a", 300)).stop(), "longer than 256"},
		{"protocol", []byte("\x80\x09N."), "pickle protocol 9"},
		{"forged length", newPickle().op("X\xff\xff\xff\xff").stop(), "truncated, or longer than"},
		{"no stop", newPickle().op("N").Bytes(), "truncated"},
		{"empty stack", newPickle().op("0").stop(), "the stack is empty"},
		{"pop below a mark", newPickle().op("N(\x85").stop(), "the stack is empty"},
		{"no mark", newPickle().op("t").stop(), "no MARK"},
		{"memo", newPickle().op("h\x05").stop(), "memo entry 5"},
		{"append", newPickle().op("NNa").stop(), "not a list"},
		{"odd items", newPickle().op("}(Nu").stop(), "odd number"},
		{"not a dictionary", newPickle().op("]").stop(), "does not hold a dictionary"},
		{"no tensors", newPickle().op("}(").str("a").op("Nu").stop(), "no tensors in the dictionary"},
		{"key", dict(newPickle().op("}(K\x01").op("ctorch._utils\n_rebuild_tensor_v2\n(").storage("FloatStorage", "0", 4).op("K\x00(K\x04t(K\x01t\x89NtR")), "not a string"},
		{"storage id", dict(open().op("(").str("module").op("tQ")), "does not name a storage"},
		{"storage class", dict(open().op("(").str("storage").op("ctorch\nSize\n").str("0").str("cpu").int(4).op("tQ")), "a storage whose class"},
		{"storage count", dict(open().storage("FloatStorage", "0", -1)), "a storage whose class"},
		{"storage twice", dict(open().storage("FloatStorage", "0", 4).str("v").storage("HalfStorage", "0", 4)), "described twice"},
		{"few arguments", dict(tensor().op("tR")), "0 arguments"},
		{"strides", dict(tensor().storage("FloatStorage", "0", 4).int(0).ints(2, 2).ints(1).op("tR")), "is not what torch writes"},
		{"negative stride", dict(tensor().storage("FloatStorage", "0", 4).int(0).ints(2, 2).ints(2, -1).op("tR")), "is not what torch writes"},
		{"beyond the storage", onePickle(4, 1, []int{4}, []int{1}), "reaches outside its storage of 4"},
		{"stride beyond", onePickle(4, 0, []int{2, 2}, []int{3, 1}), "reaches outside"},
		{"negative offset", onePickle(4, -1, []int{2}, []int{1}), "reaches outside"},
		{"overflow", onePickle(4, 0, []int{1 << 30, 1 << 30, 1 << 30}, []int{1, 1, 1}), "reaches outside"},
		{"huge broadcast", onePickle(4, 0, []int{1 << 30, 1 << 30, 4}, []int{0, 0, 1}), "too large"},
	} {
		_, err := memTorch(torchZip(t, c.pickle, floats(4)))
		checkTorchError(t, c.name, err, c.want)
	}
}

// legacyTwice is a legacy file whose list of storages names one of them twice.
func legacyTwice(object []byte) []byte {
	b := torchLegacy(object, "0", 4, floats(4))
	keys := newPickle().op("](").str("0").op("e").stop()
	twice := newPickle().op("](").str("0").str("0").op("e").stop()
	b = bytes.Replace(b, keys, twice, 1)
	return append(b, b[len(b)-24:]...)
}

// zipRaw is a zip file with a pickle and 16 bytes, of which h says what it likes.
func zipRaw(t *testing.T, pkl entry, h zip.FileHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.CreateHeader(&zip.FileHeader{Name: pkl.name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(pkl.data); err != nil {
		t.Fatal(err)
	}
	if f, err = w.CreateRaw(&h); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func checkTorchError(t *testing.T, name string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "checkpoint: x.bin: ") {
		t.Errorf("%s:\n\tgot  %v\n\twant %s", name, err, want)
		return
	}
	if !errors.Is(err, ErrFormat) && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%s: wraps neither ErrFormat nor ErrUnsupported", name)
	}
}

// TestPickleLimits holds the unpickler against pickles that are small but would
// build something large or endless.
func TestPickleLimits(t *testing.T) {
	deep := newPickle().op("Nq\x00").op(strings.Repeat("h\x00h\x00\x86q\x00", 1000)).stop() // 2^1000 leaves
	wide := newPickle().op(strings.Repeat("N", maxStack+1)).stop()
	marks := newPickle().op(strings.Repeat("(", maxStack+1)).stop()
	cycle := newPickle().op("}q\x00(").str("model").op("h\x00u").stop()
	for _, c := range []struct {
		name, want string
		pickle     []byte
	}{
		{"deep", "does not hold a dictionary", deep},
		{"wide", "values on the stack", wide},
		{"marks", "MARKs are open", marks},
		{"cycle", "no tensors", cycle},
	} {
		_, err := memTorch(torchZip(t, c.pickle))
		checkTorchError(t, c.name, err, c.want)
	}
}

func FuzzTorch(f *testing.F) {
	f.Add(torchZip(f, onePickle(12, 1, []int{3, 2}, []int{1, 3}), floats(12)), uint32(0))
	f.Add(torchLegacy(onePickle(4, 0, []int{4}, []int{1}), "0", 4, floats(4)), uint32(1))
	f.Add(readCase(f, "hf-legacy-bin", "pytorch_model.bin")[:4000], uint32(2))
	f.Fuzz(func(t *testing.T, b []byte, seed uint32) {
		tryTorch(t, b)
		// A random change of a byte keeps more of the structure than most
		// mutations of the fuzzer do.
		if r := rand.New(rand.NewPCG(uint64(seed), 0)); len(b) > 0 {
			b = slices.Clone(b)
			b[r.IntN(len(b))] ^= byte(1 << r.IntN(8))
			tryTorch(t, b)
		}
	})
}

// tryTorch opens a file and, if that goes well, reads its tensors.
func tryTorch(t *testing.T, b []byte) {
	check.Bounded(t, len(b), func() {
		if c, err := memTorch(b); err == nil {
			readAll(t, c)
		}
	})
}

// FuzzPickle feeds the unpickler directly: the checksum of a zip entry would keep
// most changes from it.
func FuzzPickle(f *testing.F) {
	f.Add(onePickle(12, 1, []int{3, 2}, []int{1, 3}))
	f.Add(newPickle().op("\x8c\x05torch\x8c\x04Size\x93(K\x01K\x02\x86tR").stop())
	f.Add(newPickle().op("]q\x00(\x88\x89NJ\xff\xff\xff\xffM\x01\x02\x8a\x03abcG12345678e").stop())
	for _, code := range besides {
		f.Add(newPickle().op("}(").str("x").op(code).tensor("w", "0", 4, 0, []int{4}, []int{1}).op("u").stop())
	}
	f.Add(newPickle().op("}(").str("w").op("ctorch._utils\n_rebuild_tensor_v3\n(").storage("storage.UntypedStorage", "0", 64).
		int(0).ints(2, 2).ints(2, 1).op("\x89Nctorch\nbfloat16\ntRu").stop())
	f.Fuzz(func(t *testing.T, b []byte) {
		tryTorch(t, torchZip(t, b, floats(16)))
	})
}
