package checkpoint

import "math"

// A reducer computes what calling a symbol with these arguments stands for.
type reducer func(u *unpickler, args tuple) any

// reducers are the symbols that may be called. None of them does more than
// describe a tensor or make an empty container.
var reducers = map[symbol]reducer{
	"collections.OrderedDict":         emptyDict,
	"torch._utils._rebuild_tensor_v2": rebuildTensor,
	"torch._utils._rebuild_parameter": firstArgument,
	"torch.Size":                      firstArgument,
	"torch.device":                    func(*unpickler, tuple) any { return symbol("torch.device") },
}

// names are the symbols that may be mentioned besides reducers and the storage
// classes of dtypes: element types, which appear as plain values.
var names = map[symbol]bool{
	"torch.storage.UntypedStorage": true,
	"torch.float32":                true, "torch.float": true, "torch.float64": true, "torch.double": true,
	"torch.float16": true, "torch.half": true, "torch.bfloat16": true,
	"torch.int64": true, "torch.long": true, "torch.int32": true, "torch.int": true,
	"torch.int16": true, "torch.short": true, "torch.int8": true, "torch.uint8": true, "torch.bool": true,
}

// global pushes the symbol of a function or class, if it is a known one.
func (u *unpickler) global(module, name string) {
	s := symbol(module + "." + name)
	_, callable := reducers[s]
	_, storage := dtypeOfStorage(s)
	if !callable && !storage && !names[s] {
		u.fail("it names %q, which a file of tensors does not need; refused, nothing was executed", string(s))
		return
	}
	u.push(s)
}

func (u *unpickler) reduce() {
	args, ok1 := u.pop().(tuple)
	callee, ok2 := u.pop().(symbol)
	if u.err != nil {
		return
	}
	f := reducers[callee]
	if !ok1 || !ok2 || f == nil {
		u.fail("call of something that is not a known function: %q", string(callee))
		return
	}
	u.push(f(u, args))
}

func emptyDict(u *unpickler, args tuple) any {
	if len(args) != 0 {
		u.fail("OrderedDict with arguments")
	}
	return &dict{}
}

func firstArgument(u *unpickler, args tuple) any {
	if len(args) == 0 {
		u.fail("a call without arguments")
		return nil
	}
	return args[0]
}

// A view is a range of a storage, in elements.
type view struct {
	of           *storage
	start, count int
}

// A tensorRef is a tensor as a pickle describes it: shape and strides over a view
// that is somewhere else in the file.
type tensorRef struct {
	view
	shape, strides []int
}

// rebuildTensor reads the arguments (storage, offset, size, stride, requires_grad,
// hooks), where offset and stride count elements, and checks that the tensor lies
// inside the storage.
func rebuildTensor(u *unpickler, args tuple) any {
	if len(args) < 4 {
		u.fail("a tensor with %d arguments", len(args))
		return nil
	}
	v, ok := args[0].(view)
	offset, okOffset := args[1].(int64)
	shape, okShape := dimensions(args[2])
	strides, okStrides := dimensions(args[3])
	if !ok || !okOffset || !okShape || !okStrides || len(shape) != len(strides) {
		u.fail("a tensor whose storage, offset, size or stride is not what torch writes")
		return nil
	}
	if last, ok := lastElement(shape, strides); !ok || offset < 0 || offset > int64(v.count-last) {
		u.fail("a tensor of size %v, stride %v, offset %d reaches outside its storage of %d elements", shape, strides, offset, v.count)
		return nil
	}
	v.start += int(offset)
	return &tensorRef{v, shape, strides}
}

// dimensions reads a tuple of non-negative integers.
func dimensions(v any) ([]int, bool) {
	t, ok := v.(tuple)
	if !ok || len(t) > 8 {
		return nil, false
	}
	d := make([]int, len(t))
	for i, v := range t {
		n, ok := v.(int64)
		if !ok || n < 0 || n > math.MaxInt {
			return nil, false
		}
		d[i] = int(n)
	}
	return d, true
}

// lastElement returns the number of storage elements that a tensor spans; ok is
// false if that does not fit in an int.
func lastElement(shape, strides []int) (n int, ok bool) {
	if count, ok := elements(shape); !ok || count == 0 {
		return 0, ok
	}
	n = 1
	for i, d := range shape {
		step, ok := product(d-1, strides[i])
		if !ok || n > math.MaxInt-step {
			return 0, false
		}
		n += step
	}
	return n, true
}
