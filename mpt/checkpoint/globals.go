package checkpoint

import (
	"slices"
	"strings"
)

// A reducer computes what calling a symbol with these arguments stands for.
type reducer func(u *unpickler, args tuple) any

// An object is a value of a class or function that is not known. Nothing of it is built,
// and nothing is called: its name is kept, and what would be put into it is dropped.
// Trainers save such things beside the weights.
type object struct{ name symbol }

// rebuilders are the functions that make tensors of storages.
var rebuilders = map[symbol]reducer{
	"torch._utils._rebuild_tensor":    rebuildTensor,
	"torch._utils._rebuild_tensor_v2": rebuildTensor,
	"torch._utils._rebuild_tensor_v3": rebuildTyped,
}

// reducers are the other symbols that are understood when they are called. None of them
// does more than describe a tensor or make a container.
var reducers = map[symbol]reducer{
	"collections.OrderedDict":                             newDict,
	"collections.Counter":                                 newDict,
	"collections.defaultdict":                             func(*unpickler, tuple) any { return &dict{} },
	"torch._utils._rebuild_parameter":                     firstArgument,
	"torch._utils._rebuild_parameter_with_state":          firstArgument,
	"torch._utils._rebuild_device_tensor_from_cpu_tensor": rebuildMoved,
	"torch._tensor._rebuild_from_type_v2":                 rebuildSubclass,
	"torch.nn.parameter.Parameter":                        rebuildParameter,
	"torch.Tensor":                                        func(*unpickler, tuple) any { return &tensorRef{} },
	"torch.Size":                                          firstArgument,
	"torch.device":                                        func(*unpickler, tuple) any { return symbol("torch.device") },
}

// hostile are the modules, and functions of Python itself, that no file of weights names
// but one that is made to harm those who unpickle it. It would do nothing here; whoever
// has such a file should know.
var (
	hostile = []string{
		"bdb", "code", "codeop", "commands", "ctypes", "importlib", "nt", "os", "pdb", "pip", "popen2", "posix", "pty", "runpy",
		"shutil", "socket", "subprocess", "sys", "timeit", "webbrowser",
	}
	hostileFunctions = []string{"__import__", "apply", "breakpoint", "compile", "eval", "exec", "execfile", "file",
		"globals", "input", "open", "reload"}
)

func isHostile(module, name string) bool {
	top, _, _ := strings.Cut(module, ".")
	if top == "builtins" || top == "__builtin__" {
		return slices.Contains(hostileFunctions, name)
	}
	return slices.Contains(hostile, top)
}

// global pushes the symbol of a function or class.
func (u *unpickler) global(module, name string) {
	if isHostile(module, name) {
		u.fail("it names %q, which a file of tensors does not need; refused, nothing was executed", module+"."+name)
		return
	}
	u.push(symbol(module + "." + name))
}

// reduce replaces a symbol and its arguments by what they stand for.
func (u *unpickler) reduce() {
	args, ok := u.pop().(tuple)
	callee := u.pop()
	if u.err != nil {
		return
	}
	name, isSymbol := callee.(symbol)
	if _, storage := dtypeOfStorage(name); !ok || storage {
		isSymbol = false
	}
	known, isObject := callee.(*object)
	f := rebuilders[name]
	if f == nil {
		f = reducers[name]
	}
	switch {
	case isSymbol && f != nil:
		u.push(f(u, args))
	case isSymbol:
		u.push(&object{name})
	case isObject && ok:
		u.push(&object{known.name})
	default:
		u.fail("call of something that is not a known function: %q", string(name))
	}
}

// newDict makes a dictionary, which may be given its pairs at once.
func newDict(u *unpickler, args tuple) any {
	d := &dict{}
	if len(args) == 0 {
		return d
	}
	switch from := args[0].(type) {
	case *dict:
		if u.copies(len(from.items)) {
			d.items = slices.Clone(from.items)
		}
	case *list:
		if u.copies(len(from.items)) {
			d.items = pairs(from.items)
		}
	}
	return d
}

// copies reports whether n more values may be copied. What is in a pickle once could be
// copied with every few bytes of it.
func (u *unpickler) copies(n int) bool {
	if u.copied += n; u.copied > maxStack {
		u.fail("more than %d values are copied", maxStack)
	}
	return u.err == nil
}

// pairs returns the items of a dictionary from a list of them, which are tuples or, in
// files of Python 2, lists.
func pairs(values []any) (items []item) {
	for _, x := range values {
		if l, ok := x.(*list); ok {
			x = tuple(l.items)
		}
		if pair, ok := x.(tuple); ok && len(pair) == 2 {
			items = append(items, item{pair[0], pair[1]})
		}
	}
	return items
}

func firstArgument(u *unpickler, args tuple) any {
	if len(args) == 0 {
		u.fail("a call without arguments")
		return nil
	}
	return args[0]
}
