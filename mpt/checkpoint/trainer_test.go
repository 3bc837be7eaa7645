package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// besides are what trainers save beside weights, by the instructions that a pickle makes
// it with: none of it is built.
var besides = map[string]string{
	"a set":                       "c__builtin__\nset\n](K\x01K\x02e\x85R",
	"a set of protocol 4":         "\x8f(K\x01K\x02\x90",
	"a frozen set":                "(K\x01K\x02\x91",
	"bytes of protocol 2":         "c_codecs\nencode\nX\x01\x00\x00\x00xX\x06\x00\x00\x00latin1\x86R",
	"a bytearray of protocol 5":   "\x96\x02\x00\x00\x00\x00\x00\x00\x00ab",
	"long bytes and a long text":  "\x8e\x01\x00\x00\x00\x00\x00\x00\x00a0\x8d\x01\x00\x00\x00\x00\x00\x00\x00a",
	"a long integer":              "\x8b\x02\x00\x00\x00\x01\x02",
	"an old text":                 "T\x02\x00\x00\x00ab",
	"a duration":                  "cdatetime\ntimedelta\nK\x00K\x05K\x00\x87R",
	"an array of numpy":           "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x03\x85cnumpy\ndtype\nX\x02\x00\x00\x00u4\x89\x88\x87R(K\x03Ntb\x89C\x0c123456789012tb",
	"a number of numpy 2":         "cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00f8\x89\x88\x87RC\x0812345678\x86R",
	"a class":                     "ccomposer.core.time\nTimeUnit\n",
	"an enum":                     "ccomposer.core.time\nTimeUnit\nX\x02\x00\x00\x00ba\x85R",
	"an enum of Python 3.11":      "c__builtin__\ngetattr\nccomposer.core.time\nTimeUnit\nX\x05\x00\x00\x00BATCH\x86R",
	"an object with a state":      "ctransformers.training_args\nTrainingArguments\n)\x81}X\x02\x00\x00\x00lrK\x01sb",
	"keyword arguments":           "cpkg\nConfig\n)}X\x01\x00\x00\x00aK\x01s\x92",
	"a dictionary of its own":     "comegaconf.dictconfig\nDictConfig\n)\x81(K\x01K\x02u",
	"a list of its own":           "cpkg\nList\n)\x81(K\x01K\x02eK\x03a",
	"a call of what was called":   "cfunctools\npartial\ncpkg\nf\n\x85R)R",
	"a counter and its default":   "ccollections\nCounter\n}K\x01K\x02s\x85R0ccollections\ndefaultdict\nc__builtin__\nlist\n\x85RK\x01K\x02s",
	"pairs of Python 2":           "ccollections\nOrderedDict\n](](K\x01K\x02ee\x85R",
	"a path":                      "cpathlib\nPosixPath\nX\x01\x00\x00\x00/\x85R",
	"storages from bytes":         "ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\nC\x01x\x85RK\x00K\x01\x85K\x01\x85\x89NtR",
	"a sparse tensor":             "ctorch._utils\n_rebuild_sparse_tensor\nctorch.serialization\n_get_layout\nX\x10\x00\x00\x00torch.sparse_coo\x85RN\x86R",
	"a tensor without elements":   "ctorch._utils\n_rebuild_meta_tensor_no_storage\nN\x85R",
	"a cycle through a call":      "cpkg\nNode\n)\x81q\x07}X\x04\x00\x00\x00selfh\x07sb",
	"a tuple that holds itself":   "](K\x010K\x021",
	"a type of elements, renamed": "ctorch\nfloat8_e4m3fn\n",
}

// TestBesideWeights reads weights beside everything that is skipped, before and after it.
func TestBesideWeights(t *testing.T) {
	model := func(a *asm) *asm { return a.str("model").op("}(").tensor("w", "0", 4, 0, []int{4}, []int{1}).op("u") }
	for name, code := range besides {
		for what, p := range map[string][]byte{
			"before":    model(newPickle().op("}(").str("state").op("}(").str("x").op(code)).op("uu").stop(),
			"after":     model(newPickle().op("}(").str("state").op("}(")).str("x").op(code).op("uu").stop(),
			"at top":    model(newPickle().op("}(").str("rng").op("](").op(code).op("e")).op("u").stop(),
			"among":     newPickle().op("}(").tensor("w", "0", 4, 0, []int{4}, []int{1}).str("_extra_state").op(code).op("u").stop(),
			"the other": model(newPickle().op("}(").tensor("rng", "0", 4, 0, []int{4}, []int{1}).str("x").op(code)).op("u").stop(),
		} {
			c, err := memTorch(torchZip(t, p, floats(4)))
			if err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
				continue
			}
			b := make([]byte, 16)
			if w, ok := c.Tensor("w"); !ok || len(c.Tensors()) != 1 || w.ReadRows(b, 0, 4) != nil || !bytes.Equal(b, floats(4)) {
				t.Errorf("%s, %s: %d tensors", name, what, len(c.Tensors()))
			}
		}
	}
}

// TestRebuilt reads a tensor in all the ways in which torch's loader of weights does.
func TestRebuilt(t *testing.T) {
	const float, untyped = "FloatStorage", "storage.UntypedStorage"
	v2 := func(a *asm, class string, n int) *asm { return a.storage(class, "0", n).int(0).ints(2, 2).ints(2, 1) }
	plain := func() *asm {
		return v2(newPickle().op("}(").str("w").op("ctorch._utils\n_rebuild_tensor_v2\n("), float, 4).op("\x89NtR")
	}
	wrapped := func(function, rest string) []byte {
		a := newPickle().op("}(").str("w").op("ctorch._utils\n" + function + "\n(ctorch._utils\n_rebuild_tensor_v2\n(")
		return v2(a, float, 4).op("\x89NtR" + rest + "tRu").stop()
	}
	subclass := func(class string) []byte {
		a := newPickle().op("}(").str("w").op("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\n" + class + "(")
		return v2(a, float, 4).op("\x89Nt}tRu").stop()
	}
	typed := func(name string, n int) []byte {
		a := newPickle().op("}(").str("w").op("ctorch._utils\n_rebuild_tensor_v3\n(")
		return v2(a, untyped, n).op("\x89Nctorch\n" + name + "\ntRu").stop()
	}
	for _, c := range []struct {
		name   string
		pickle []byte
		dtype  string
		want   string // part of an error, or ""
	}{
		{"tensor of torch 0.3", v2(newPickle().op("}(").str("w").op("ctorch._utils\n_rebuild_tensor\n("), float, 4).op("tRu").stop(), "F32", ""},
		{"tensor with metadata", v2(newPickle().op("}(").str("w").op("ctorch._utils\n_rebuild_tensor_v2\n("), float, 4).op("\x89N}tRu").stop(), "F32", ""},
		{"parameter", wrapped("_rebuild_parameter", "\x88N"), "F32", ""},
		{"parameter with state", wrapped("_rebuild_parameter_with_state", "\x88N}"), "F32", ""},
		{"parameter as a class", v2(newPickle().op("}(").str("w").op("ctorch.nn.parameter\nParameter\n(ctorch._utils\n_rebuild_tensor_v2\n("), float, 4).op("\x89NtR\x88t\x81u").stop(), "F32", ""},
		{"from the CPU", wrapped("_rebuild_device_tensor_from_cpu_tensor", "ctorch\nfloat\nX\x03\x00\x00\x00xla\x89"), "F32", ""},
		{"with attributes", plain().op("}X\x01\x00\x00\x00aK\x01sbu").stop(), "F32", ""},
		{"the oldest", v2(newPickle().op("}(").str("w").op("ctorch\nTensor\n)\x81("), float, 4).op("tbu").stop(), "F32", ""},
		{"subclass in name", subclass("ctorch.nn.parameter\nParameter\n"), "F32", ""},
		{"bytes as floats", typed("float32", 16), "F32", ""},
		{"bytes as halves", typed("bfloat16", 8), "BF16", ""},
		{"bytes as eighths", typed("float8_e4m3fn", 4), "F8_E4M3", ""},
		{"bytes as integers", typed("uint16", 8), "U16", ""},

		{"too few bytes", typed("float32", 12), "", "reaches outside its storage of 3 elements"},
		{"no type", typed("uint3", 16), "", "the dictionary"},
		{"no elements", newPickle().op("}(").str("w").op("ctorch\nTensor\n)\x81u").stop(), "", "has no elements"},
		{"a part of one", bytes.ReplaceAll(subclass("ctorch.distributed.tensor\nDTensor\n"), []byte("X\x01\x00\x00\x00w"), []byte("X\x08\x00\x00\x00w.weight")), "",
			`"w.weight" is of a kind that is not read, "torch.distributed.tensor.DTensor"`},
		{"quantised by torch", newPickle().op("}(").str("w.weight").op("ctorch._utils\n_rebuild_qtensor\nN\x85Ru").stop(), "", `not read, "torch._utils._rebuild_qtensor"`},
		{"the whole model", newPickle().op("cllmfoundry.models.mpt\nMPTForCausalLM\n)\x81}b").stop(), "", `an object of "llmfoundry.models.mpt.MPTForCausalLM": save the state_dict()`},
		{"a function for a class", subclass("ctorch._tensor\n_rebuild_from_type_v2\n"), "", "the dictionary"},
	} {
		f, err := memTorch(torchZip(t, c.pickle, floats(4)))
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrFormat) && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		w := f.Tensors()[0]
		b := make([]byte, w.Bytes())
		if err := w.ReadRows(b, 0, 2); err != nil || w.DType != c.dtype || !bytes.Equal(b, floats(4)[:len(b)]) || fmt.Sprint(w.Shape) != "[2 2]" {
			t.Errorf("%s: %s %v, %v", c.name, w.DType, w.Shape, err)
		}
	}
}

// TestHostileNames refuses what only an attack names, wherever it is; other names do nothing.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"os\nsystem", "posix\nsystem", "nt\nsystem", "subprocess\nPopen", "sys\nexit", "__builtin__\neval", "builtins\nexec",
		"builtins\n__import__", "runpy\n_run_code", "pty\nspawn", "importlib.util\nfind_spec", "socket\nsocket"} {
		p := newPickle().op("}(").str("x").op("c"+name+"\n)R").str("model").op("}(").tensor("w", "0", 4, 0, []int{4}, []int{1}).op("uu").stop()
		_, err := memTorch(torchZip(t, p, floats(4)))
		checkTorchError(t, name, err, fmt.Sprintf("it names %q", strings.Replace(name, "\n", ".", 1)))
	}
}
