package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zip"

	"mptgo/internal/check"
)

// TestHostileTorch has torch files that would cost more than they hold.
func TestHostileTorch(t *testing.T) {
	huge := 1 << 30
	for name, c := range map[string]struct {
		file []byte
		want string // "" if the file is odd, but no error
	}{
		"an element repeated without end": {torchZip(t, onePickle(4, 0, []int{huge, huge}, []int{0, 0}), floats(4)), "repeats elements"},
		"rows repeated without end":       {torchZip(t, onePickle(4, 0, []int{huge, 4}, []int{0, 1}), floats(4)), "repeats elements"},
		"many tensors of one element":     {torchZip(t, manyViews(2000), floats(4)), "repeats elements"},
		"a compressed pickle":             {zipOf(t, entry{"a/data.pkl", bytes.Repeat([]byte("N0"), 500_000), zip.Deflate}), "only stores"},
		"compressed weights": {zipOf(t, entry{name: "a/data.pkl", data: onePickle(1<<20, 0, []int{1 << 20}, []int{1})},
			entry{"a/data/0", make([]byte, 4<<20), zip.Deflate}), "only stores"},
		"a storage beyond the file":    {torchZip(t, onePickle(huge, 0, []int{huge}, []int{1}), floats(4)), "truncated or damaged"},
		"a legacy storage beyond it":   {torchLegacy(onePickle(huge, 0, []int{huge}, []int{1}), "0", huge, floats(4)), "truncated or damaged"},
		"a string beyond the pickle":   {torchZip(t, newPickle().op("X\xff\xff\xff\xff").stop()), "truncated"},
		"bytes beyond the pickle":      {torchZip(t, newPickle().op("B\xff\xff\xff\x7f").stop()), "truncated"},
		"a line without end":           {torchZip(t, newPickle().op("c"+strings.Repeat("x", 900_000)).stop()), "longer than 256 bytes"},
		"marks without end":            {torchZip(t, newPickle().op(strings.Repeat("(", 900_000)).stop()), "stack is empty"},
		"lists without end":            {torchZip(t, newPickle().op(strings.Repeat("]", 900_000)).stop()), "dictionary of tensors"},
		"tuples of tuples":             {torchZip(t, newPickle().op("N"+strings.Repeat("\x85", 900_000)).stop()), "dictionary of tensors"},
		"memo entries without end":     {torchZip(t, newPickle().op("}"+strings.Repeat("\x94", 300_000)).stop()), "no tensors"},
		"a list that holds itself":     {torchZip(t, newPickle().op("]q\x00h\x00a").stop()), "dictionary of tensors"},
		"a dictionary that is nested":  {torchZip(t, newPickle().op("}q\x00").str("model").op("h\x00s").stop()), "no tensors"},
		"lists of lists, twice each":   {torchZip(t, newPickle().op("]"+strings.Repeat("q\x00]h\x00ah\x00a", 50_000)).stop()), "dictionary of tensors"},
		"dictionaries of a dictionary": {torchZip(t, newPickle().op("ccollections\nCounter\nq\x01}(").op(strings.Repeat("NN", 1000)).op("u\x85q\x02").op(strings.Repeat("h\x01h\x02R", 50_000)).stop()), "are copied"},
		"dictionaries of a list":       {torchZip(t, newPickle().op("ccollections\nOrderedDict\nq\x01](").op(strings.Repeat("NN\x86", 1000)).op("e\x85q\x02").op(strings.Repeat("h\x01h\x02R", 50_000)).stop()), "are copied"},
		"objects without end":          {torchZip(t, newPickle().op("ca\nb\nq\x01").op(strings.Repeat("h\x01)R", 200_000)).stop()), "dictionary of tensors"},
		"a tensor class of itself":     {torchZip(t, newPickle().op("ctorch._tensor\n_rebuild_from_type_v2\nq\x01").op(strings.Repeat("h\x01h\x01(", 100_000)).op(strings.Repeat("tN\x87R", 100_000)).stop()), "pickle"},
		"an integer of many bytes":     {torchZip(t, newPickle().op("\x8a\xff"+strings.Repeat("\xff", 255)).stop()), "dictionary of tensors"},
		"a tensor of many dimensions":  {torchZip(t, onePickle(4, 0, slices.Repeat([]int{1}, 9), slices.Repeat([]int{1}, 9)), floats(4)), "not what torch writes"},
		"a tensor of zero elements":    {torchZip(t, onePickle(4, 0, []int{0, huge}, []int{1, 1}), floats(4)), ""},
		"an offset beyond the storage": {torchZip(t, onePickle(4, 5, []int{0}, []int{1}), floats(4)), "reaches outside"},
		"a negative offset":            {torchZip(t, onePickle(4, -1, []int{4}, []int{1}), floats(4)), "reaches outside"},
	} {
		t.Run(name, func(t *testing.T) {
			check.Bounded(t, len(c.file), func() {
				_, err := memTorch(c.file)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		})
	}
}

// manyViews describes n tensors of a thousand elements, all of the same one.
func manyViews(n int) []byte {
	p := newPickle().op("}(")
	for i := range n {
		p.tensor(fmt.Sprint("w", i), "0", 4, 0, []int{1000}, []int{0})
	}
	return p.op("u").stop()
}

// TestHostileSafetensors does the same for safetensors.
func TestHostileSafetensors(t *testing.T) {
	entry := func(shape, offsets string) string {
		return `{"w":{"dtype":"F32","shape":` + shape + `,"data_offsets":` + offsets + `}}`
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"a header of 2^63 bytes":    {binary.LittleEndian.AppendUint64(nil, 1<<63), "does not fit"},
		"a header of 99 MB":         {append(binary.LittleEndian.AppendUint64(nil, 99<<20), "{}"...), "does not fit"},
		"brackets without end":      {safetensorsOf(strings.Repeat("[", 900_000), nil), "not a JSON object"},
		"objects without end":       {safetensorsOf(strings.Repeat(`{"a":`, 150_000), nil), "header"},
		"a shape of many ones":      {safetensorsOf(entry("["+strings.Repeat("1,", 400_000)+"1]", "[0,4]"), make([]byte, 4)), ""},
		"a shape of many twos":      {safetensorsOf(entry("["+strings.Repeat("2,", 400_000)+"1]", "[0,4]"), make([]byte, 4)), "too large"},
		"a product that wraps to 4": {safetensorsOf(entry("[4611686018427387905,4]", "[0,4]"), make([]byte, 4)), "too large"},
		"a dimension of zero":       {safetensorsOf(entry("[0,4611686018427387905]", "[0,0]"), nil), ""},
		"a dimension of 2^64":       {safetensorsOf(entry("[18446744073709551616]", "[0,0]"), nil), `tensor "w"`},
		"a fraction of a dimension": {safetensorsOf(entry("[1.5]", "[0,6]"), make([]byte, 6)), `tensor "w"`},
		"an end before 2^63 wraps":  {safetensorsOf(entry("[1]", "[9223372036854775807,-9223372036854775805]"), make([]byte, 4)), "lie outside"},
		"three offsets":             {safetensorsOf(entry("[1]", "[0,4,4]"), make([]byte, 4)), "data_offsets are missing"},
	} {
		t.Run(name, func(t *testing.T) {
			check.Bounded(t, len(c.file), func() {
				_, err := memSafetensors(c.file)
				if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		})
	}
}

// TestHostileConfig has configurations whose numbers would be allocated, divided by,
// or repeated.
func TestHostileConfig(t *testing.T) {
	mpt := func(rest string) string { return `{"model_type":"mpt",` + rest + `}` }
	deep := strings.Repeat(`{"repeat":4096,"order":[`, 2000) + `{"name":"default"}` + strings.Repeat(`]}`, 2000)
	empty := strings.Repeat(`{"repeat":4096,"order":[`, 2000) + strings.Repeat(`]}`, 2000)
	for name, c := range map[string]struct{ json, want string }{
		"no heads":              {mpt(`"n_heads":0`), "n_heads is 0"},
		"no layers":             {mpt(`"n_layers":0`), "n_layers is 0"},
		"2^31 layers":           {mpt(`"n_layers":2147483648`), "n_layers is 2147483648"},
		"2^64 layers":           {mpt(`"n_layers":18446744073709551616`), "n_layers"},
		"negative width":        {mpt(`"d_model":-4096`), "d_model is -4096"},
		"a vocabulary of 2^40":  {mpt(`"vocab_size":1099511627776`), "vocab_size"},
		"an infinite ratio":     {mpt(`"expansion_ratio":1e308`), "expansion_ratio"},
		"a ratio of nothing":    {mpt(`"expansion_ratio":0`), "expansion_ratio"},
		"layers as a text":      {mpt(`"n_layers":"24"`), "n_layers"},
		"layers as a list":      {mpt(`"n_layers":[24]`), "n_layers"},
		"no groups":             {mpt(`"attn_config":{"attn_type":"grouped_query_attention","kv_n_heads":0}`), "kv_n_heads 0"},
		"repetitions, nested":   {mpt(`"block_overrides":{"order":[` + deep + `],"overrides":{}}`), "does not name 24 layers"},
		"repetition of nothing": {mpt(`"block_overrides":{"order":[` + empty + `],"overrides":{}}`), "does not name 24 layers"},
		"brackets without end":  {strings.Repeat(`{"a":`, 150_000), "not a JSON object"},
		"a layer before all":    {mpt(`"n_layers":1,"block_overrides":{"order":[{"name":"a"}],"overrides":{"a":{"attn_config":{"reuse_kv_layer_idx":-1}}}}`), "reuse_kv_layer_idx"},
	} {
		t.Run(name, func(t *testing.T) {
			check.Bounded(t, len(c.json), func() {
				if _, err := ParseConfig([]byte(c.json)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		})
	}
}
