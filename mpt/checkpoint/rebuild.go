package checkpoint

import "math"

// A view is a range of a storage, in elements.
type view struct {
	of           *storage
	start, count int
}

// A tensorRef is a tensor as a pickle describes it: shape and strides, in elements, over a
// storage that is somewhere else in the file.
type tensorRef struct {
	of             *storage // nil until BUILD sets it, as very old files do
	offset         int64    // of the first element in the storage, in bytes
	dtype          dtype
	shape, strides []int
}

// rebuildTensor reads the arguments (storage, offset, size, stride, requires_grad,
// hooks), where offset and stride count elements, and checks that the tensor lies
// inside the storage.
func rebuildTensor(u *unpickler, args tuple) any {
	if len(args) > 0 {
		if v, ok := args[0].(view); ok {
			return u.tensorOf(v.of.dtype, args)
		}
	}
	return u.tensorOf(dtype{}, args)
}

// rebuildTyped is rebuildTensor for a storage of bytes; the seventh argument is the
// element type.
func rebuildTyped(u *unpickler, args tuple) any {
	if len(args) < 7 {
		u.fail("a tensor with %d arguments", len(args))
		return nil
	}
	name, _ := args[6].(symbol)
	dt, ok := dtypeOfScalar(name)
	if !ok {
		return &object{"a tensor of " + name}
	}
	return u.tensorOf(dt, args)
}

// tensorOf returns the tensor that arguments describe. One over something that is not
// read itself is not read either.
func (u *unpickler) tensorOf(dt dtype, args tuple) any {
	if len(args) < 4 {
		u.fail("a tensor with %d arguments", len(args))
		return nil
	}
	if o, ok := args[0].(*object); ok {
		return o
	}
	v, ok := args[0].(view)
	offset, okOffset := args[1].(int64)
	shape, okShape := dimensions(args[2])
	strides, okStrides := dimensions(args[3])
	if !ok || !okOffset || !okShape || !okStrides || len(shape) != len(strides) {
		u.fail("a tensor whose storage, offset, size or stride is not what torch writes")
		return nil
	}
	count := int(int64(v.count) * int64(v.of.dtype.size) / int64(dt.size))
	if last, ok := lastElement(shape, strides); !ok || offset < 0 || offset > int64(count-last) {
		u.fail("a tensor of size %v, stride %v, offset %d reaches outside its storage of %d elements",
			shape, strides, offset, count)
		return nil
	}
	from := int64(v.start)*int64(v.of.dtype.size) + offset*int64(dt.size)
	return &tensorRef{v.of, from, dt, shape, strides}
}

// rebuildSubclass reads the arguments (function, class, its arguments, attributes) of a
// tensor of a class of its own. Those that only add a name are tensors like others.
func rebuildSubclass(u *unpickler, args tuple) any {
	if len(args) < 3 {
		u.fail("a tensor of a class with %d arguments", len(args))
		return nil
	}
	function, _ := args[0].(symbol)
	class, ok1 := args[1].(symbol)
	inner, ok2 := args[2].(tuple)
	if !ok1 || !ok2 {
		u.fail("a tensor of a class that is not what torch writes")
		return nil
	}
	if f := rebuilders[function]; f != nil && plainClasses[class] {
		return f(u, inner)
	}
	return &object{class}
}

// plainClasses are the classes whose tensors hold their elements as torch.Tensor does.
var plainClasses = map[symbol]bool{
	"torch.Tensor": true, "torch._tensor.Tensor": true, "torch.nn.parameter.Parameter": true, "torch.nn.parameter.Buffer": true,
}

// rebuildParameter returns the tensor that a parameter is made of, or an empty one.
func rebuildParameter(u *unpickler, args tuple) any {
	if len(args) == 0 {
		return &tensorRef{}
	}
	return args[0]
}

// rebuildMoved reads the arguments (tensor, element type, device, requires_grad) of a
// tensor that lay on a device without storages.
func rebuildMoved(u *unpickler, args tuple) any {
	if len(args) >= 2 {
		t, ok := args[0].(*tensorRef)
		name, _ := args[1].(symbol)
		if dt, known := dtypeOfScalar(name); ok && known && dt == t.dtype {
			return t
		}
	}
	return &object{"a tensor whose type was changed"}
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
