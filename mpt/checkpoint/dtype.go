package checkpoint

import (
	"errors"
	"fmt"

	"mptgo/gguf"
)

// A dtype is an element type as safetensors spells it.
type dtype struct {
	name   string
	size   int       // bytes per element
	weight gguf.Type // the tensor type that stores the same bytes, if isFloat
	float  bool
	torch  string // the storage class of torch files, "" if there is none
}

// dtypes are the element types that a container may hold. Only the float types
// can be weights; the others are there so that a file that also carries, say, a
// table of integers can still be opened.
var dtypes = []dtype{
	{"F32", 4, gguf.F32, true, "torch.FloatStorage"},
	{"F16", 2, gguf.F16, true, "torch.HalfStorage"},
	{"BF16", 2, gguf.BF16, true, "torch.BFloat16Storage"},
	{"F64", 8, gguf.F64, true, "torch.DoubleStorage"},
	{"I64", 8, 0, false, "torch.LongStorage"},
	{"I32", 4, 0, false, "torch.IntStorage"},
	{"I16", 2, 0, false, "torch.ShortStorage"},
	{"I8", 1, 0, false, "torch.CharStorage"},
	{"U8", 1, 0, false, "torch.ByteStorage"},
	{"BOOL", 1, 0, false, "torch.BoolStorage"},
	{"F8_E4M3", 1, 0, false, ""},
	{"F8_E5M2", 1, 0, false, ""},
}

func dtypeNamed(name string) (dtype, bool) {
	for _, d := range dtypes {
		if d.name == name {
			return d, true
		}
	}
	return dtype{}, false
}

// dtypeOfStorage returns the element type of a torch storage class. An untyped
// storage counts bytes.
func dtypeOfStorage(class symbol) (dtype, bool) {
	if class == "torch.storage.UntypedStorage" {
		return dtypeNamed("U8")
	}
	for _, d := range dtypes {
		if d.torch != "" && d.torch == string(class) {
			return d, true
		}
	}
	return dtype{}, false
}

// Type returns the GGUF type whose bytes are those of t: F32, F16, BF16 or F64.
// Any other element type cannot hold weights and is an error.
func (t *Tensor) Type() (gguf.Type, error) {
	if !t.dtype.float {
		return 0, fmt.Errorf("checkpoint: tensor %s: weights of type %s are not supported, only F32, F16, BF16 and F64: %w",
			t.Name, t.dtype.name, errors.ErrUnsupported)
	}
	return t.dtype.weight, nil
}
