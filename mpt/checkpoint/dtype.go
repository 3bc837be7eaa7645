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
	scalar string // the name of the element type in torch files, "" if none is written
}

// dtypes are the element types that a container may hold. Only the float types
// can be weights; the others are there so that a file that also carries, say, a
// table of integers can still be opened.
var dtypes = []dtype{
	{"F32", 4, gguf.F32, true, "torch.FloatStorage", "torch.float32"},
	{"F16", 2, gguf.F16, true, "torch.HalfStorage", "torch.float16"},
	{"BF16", 2, gguf.BF16, true, "torch.BFloat16Storage", "torch.bfloat16"},
	{"F64", 8, gguf.F64, true, "torch.DoubleStorage", "torch.float64"},
	{"I64", 8, 0, false, "torch.LongStorage", "torch.int64"},
	{"I32", 4, 0, false, "torch.IntStorage", "torch.int32"},
	{"I16", 2, 0, false, "torch.ShortStorage", "torch.int16"},
	{"I8", 1, 0, false, "torch.CharStorage", "torch.int8"},
	{"U64", 8, 0, false, "", "torch.uint64"},
	{"U32", 4, 0, false, "", "torch.uint32"},
	{"U16", 2, 0, false, "", "torch.uint16"},
	{"U8", 1, 0, false, "torch.ByteStorage", "torch.uint8"},
	{"BOOL", 1, 0, false, "torch.BoolStorage", "torch.bool"},
	{"F8_E4M3", 1, 0, false, "", "torch.float8_e4m3fn"},
	{"F8_E5M2", 1, 0, false, "", "torch.float8_e5m2"},
	{"F8_E4M3FNUZ", 1, 0, false, "", "torch.float8_e4m3fnuz"},
	{"F8_E5M2FNUZ", 1, 0, false, "", "torch.float8_e5m2fnuz"},
	{"F8_E8M0", 1, 0, false, "", "torch.float8_e8m0fnu"},
	{"C64", 8, 0, false, "torch.ComplexFloatStorage", "torch.complex64"},
	{"C128", 16, 0, false, "torch.ComplexDoubleStorage", "torch.complex128"},
	{"QI32", 4, 0, false, "torch.QInt32Storage", "torch.qint32"},
	{"QI8", 1, 0, false, "torch.QInt8Storage", "torch.qint8"},
	{"QU8", 1, 0, false, "torch.QUInt8Storage", "torch.quint8"},
	{"QU4X2", 1, 0, false, "torch.QUInt4x2Storage", "torch.quint4x2"},
	{"QU2X4", 1, 0, false, "torch.QUInt2x4Storage", "torch.quint2x4"},
}

// aliases are the other names of element types in torch files.
var aliases = map[symbol]symbol{
	"torch.float": "torch.float32", "torch.double": "torch.float64", "torch.half": "torch.float16", "torch.long": "torch.int64",
	"torch.int": "torch.int32", "torch.short": "torch.int16", "torch.cfloat": "torch.complex64", "torch.cdouble": "torch.complex128",
}

// opaque is an element type of which only the name is known, or whose elements are
// smaller than a byte. What has it is not read, but does not keep others from being so.
func opaque(name string) dtype { return dtype{name: name} }

// isOpaque reports whether nothing is known of the type but its name.
func (d dtype) isOpaque() bool { return d.size == 0 }

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

// dtypeOfScalar returns the element type that a torch file names as a value.
func dtypeOfScalar(name symbol) (dtype, bool) {
	if full, ok := aliases[name]; ok {
		name = full
	}
	for _, d := range dtypes {
		if d.scalar != "" && d.scalar == string(name) {
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
