package main

// mutant is a bug: a text that is once in a file, what takes its place, and the
// tests that should find it.
type mutant struct {
	name, file, from, to string
	run                  string // of the tests, as go test -run wants it
}

// mutants are the bugs that published readers of such files had, and those that
// kernels usually have.
var mutants = []mutant{
	{"count-of-nothing", "gguf/decode.go", "case n > d.room()/uint64(min):", "case n > d.room():", "Parse|Advisories"},
	{"string-past-the-end", "gguf/decode.go", "	case n > d.room():\n		d.failAt(at, \"%s of %d bytes: only", "	case n > d.room()+8:\n		d.failAt(at, \"%s of %d bytes: only", "Parse|Advisories"},
	{"dimension-zero", "gguf/decode.go", "(v < 1 || v > math.MaxInt)", "(v > math.MaxInt)", "Parse|Advisories"},
	{"product-wraps", "gguf/tensor.go", "if values > math.MaxInt/v {", "if values < 0 {", "Parse|Advisories"},
	{"alignment-not-a-power", "gguf/parse.go", "a < 8 || a > maxAlign || a&(a-1) != 0", "a < 8 || a > maxAlign", "Parse|Advisories"},
	{"offset-plus-size-wraps", "gguf/parse.go", "t.offset > room || uint64(t.size) > room-t.offset", "t.offset+uint64(t.size) > room", "Parse|Advisories"},
	{"overlap", "gguf/parse.go", "a.offset+uint64(a.size) > b.offset", "a.offset > b.offset", "Parse|Advisories"},
	{"negative-as-unsigned", "gguf/value.go", "return x >= 0 && !dst.OverflowUint(uint64(x))", "return !dst.OverflowUint(uint64(x))", "Get|Value"},
	{"header-length-wraps", "mpt/checkpoint/safetensors.go", "if n > maxHeader || int64(n) > c.size-8 {", "if int64(n) > c.size-8 {", "Safetensors"},
	{"safetensors-overlap", "mpt/checkpoint/safetensors.go", "if s.begin < last.end {", "if s.begin < last.begin {", "Safetensors"},
	{"view-outside-storage", "mpt/checkpoint/rebuild.go", "offset < 0 || offset > int64(count-last)", "offset < 0 || offset > int64(count+last)", "Torch|Strides|Pickle|Hostile"},
	{"repetition-bomb", "mpt/checkpoint/torch.go", "room < 0 {", "room < -(1 << 62) {", "Hostile"},
	{"pop-below-mark", "mpt/checkpoint/pickle.go", "if len(u.stack) <= floor {", "if len(u.stack) <= 0*floor {", "Torch|Pickle|Hostile"},
	{"bytes-counted-as-elements", "mpt/checkpoint/rebuild.go", "int64(v.of.dtype.size) / int64(dt.size))", "int64(v.of.dtype.size))", "Rebuilt"},
	{"skipped-in-place-of-a-weight", "mpt/checkpoint/torch.go", "return skipped &&", "return skipped && false &&", "Rebuilt"},
	{"stale-index-first", "mpt/checkpoint/folder.go", "case c.has(l.single):", "case c.has(l.single) && !c.has(l.index):", "OddFolders"},
	{"other-values-twice", "mpt/checkpoint/checkpoint.go", "if !same {", "if !same && u == nil {", "Refused|Duplicates"},
	{"copies-not-compared", "mpt/lora/same.go", "if same, err = w.Value.Equals(base); err != nil {", "if err != nil {", "Ignore"},
	{"token-id-one-too-far", "mpt/tokenizer/vocab.go", "if id >= 0 && id < len(v.Tokens) {", "if id >= 0 && id <= len(v.Tokens) {", "."},
	{"restored-tokens-unchecked", "mpt/save.go", "if err := s.inVocabulary(part); err != nil {", "if err := s.inVocabulary(nil); err != nil {", "Restore"},
	{"restored-pages-at-once", "mpt/save.go", "load(r io.Reader, n int) error {\n", "load(r io.Reader, n int) error {\n\tif err := c.prepare(0, n); err != nil {\n\t\treturn err\n\t}\n", "Restore|Memory"},
	{"memory-limit-off-by-one", "mpt/memory.go", "if m.CacheBytes(context) <= room {", "if m.CacheBytes(context) <= room+1 {", "Memory"},
	{"shared-page-written", "mpt/pages.go", "return p.refs.Load() > 1", "return false", "Neighbours|Fork"},
	{"adapter-of-a-neighbour", "ggml/op_lowrank.go", "for _, r := range e.rows(y).changed[o.Factor] {", "for _, r := range []rowRange{{0, e.rows(y).n}} {", "Spans"},
	{"position-of-a-neighbour", "ggml/batch.go", "row{[selectedRows]int{first + i}, s, b.Spans[s].Pos + i}", "row{[selectedRows]int{first + i}, s, b.Spans[0].Pos + i}", "Spans"},
	{"fault-ends-the-process", "mpt/model.go", "if err := m.file.Guard(func() error { m.w, err = loadWeights(m.file, c); return err }); err != nil {", "if m.w, err = loadWeights(m.file, c); err != nil {", "Truncated"},
	{"zero-point", "ggml/internal/mat/type_q4_0.go", "u.nibbles(block[2:], 8)", "u.nibbles(block[2:], 7)", "Mat"},
	{"nibbles-swapped", "ggml/internal/mat/type_q4_0.go", "u.q[16+i] = int16(v>>4) - zero", "u.q[16+i] = int16(v&15) - zero", "Mat"},
	{"alibi-distance", "ggml/internal/att/att.go", "FMA(a.Slope, float32(distance+j), s[j])", "FMA(a.Slope, float32(distance+j+1), s[j])", "Att"},
	{"temperature-overflows", "sampling/temperature.go", "	if top < 0 {\n		return top\n	}\n", "", "Edges"},
	{"top-p-one-short", "sampling/topp.go", "if sum >= float64(p) {", "if sum > float64(p) {", "."},
	{"batch-of-another-input", "cmd/internal/batch/header.go", "h.SHA256 != want.SHA256 || h.Size != want.Size", "h.Size != want.Size", "Changed"},
	{"batch-record-damaged", "cmd/internal/batch/record.go", "if !ok || crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(h[4:]) {\n\t\t\treturn end, nil", "if !ok {\n\t\t\treturn end, nil", "Torn"},
	{"batch-start-not-taken-back", "cmd/internal/batch/run.go", "_, dropped := j.journal.add(mark(isDropped, e.line))", "var dropped error", "WorkerFails"},
	{"batch-duplicate-answered", "cmd/internal/batch/run.go", "if flaw == nil && e.first > 0 {", "if false {", "Lines"},
	{"batch-lines-in-no-shard", "cmd/internal/batch/order.go", "list[n*s.I/s.N : n*(s.I+1)/s.N]", "list[n*s.I/s.N : n*s.I/s.N+n/s.N]", "Shards"},
	{"batch-in-any-order", "cmd/internal/batch/index.go", "slices.SortFunc(keys, key.compare)", "", "Order"},
}
