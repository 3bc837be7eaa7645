package checkpoint

const opStop = '.'

// opcodes is indexed by instruction. It holds what torch.save uses from protocol 2 to
// protocol 5; a nil entry is refused.
var opcodes = [256]func(*unpickler){
	0x80: func(u *unpickler) { u.protocol(u.byte()) }, // PROTO
	0x95: func(u *unpickler) { u.uint(8) },            // FRAME: its length is of no use here

	'N':  func(u *unpickler) { u.push(nil) },                   // NONE
	0x88: func(u *unpickler) { u.push(true) },                  // NEWTRUE
	0x89: func(u *unpickler) { u.push(false) },                 // NEWFALSE
	'K':  func(u *unpickler) { u.push(int64(u.byte())) },       // BININT1
	'M':  func(u *unpickler) { u.push(int64(u.uint(2))) },      // BININT2
	'J':  func(u *unpickler) { u.integer(u.bytes(4)) },         // BININT
	0x8a: func(u *unpickler) { u.integer(u.bytes(u.uint(1))) }, // LONG1
	0x8b: func(u *unpickler) { u.integer(u.bytes(u.uint(4))) }, // LONG4
	'G':  func(u *unpickler) { u.float(u.bytes(8)) },           // BINFLOAT

	'X':  func(u *unpickler) { u.push(string(u.bytes(u.uint(4)))) }, // BINUNICODE
	0x8c: func(u *unpickler) { u.push(string(u.bytes(u.uint(1)))) }, // SHORT_BINUNICODE
	0x8d: func(u *unpickler) { u.push(string(u.bytes(u.uint(8)))) }, // BINUNICODE8
	'U':  func(u *unpickler) { u.push(string(u.bytes(u.uint(1)))) }, // SHORT_BINSTRING
	'T':  func(u *unpickler) { u.push(string(u.bytes(u.uint(4)))) }, // BINSTRING
	'B':  func(u *unpickler) { u.push(u.bytes(u.uint(4))) },         // BINBYTES
	'C':  func(u *unpickler) { u.push(u.bytes(u.uint(1))) },         // SHORT_BINBYTES
	0x8e: func(u *unpickler) { u.push(u.bytes(u.uint(8))) },         // BINBYTES8
	0x96: func(u *unpickler) { u.push(u.bytes(u.uint(8))) },         // BYTEARRAY8

	'(':  func(u *unpickler) { u.mark() },                               // MARK
	')':  func(u *unpickler) { u.push(tuple{}) },                        // EMPTY_TUPLE
	't':  func(u *unpickler) { u.push(tuple(u.popMark())) },             // TUPLE
	0x85: func(u *unpickler) { u.tuple(1) },                             // TUPLE1
	0x86: func(u *unpickler) { u.tuple(2) },                             // TUPLE2
	0x87: func(u *unpickler) { u.tuple(3) },                             // TUPLE3
	']':  func(u *unpickler) { u.push(&list{}) },                        // EMPTY_LIST
	0x8f: func(u *unpickler) { u.push(&list{}) },                        // EMPTY_SET
	0x90: func(u *unpickler) { u.append(u.popMark()) },                  // ADDITEMS
	0x91: func(u *unpickler) { u.push(&list{items: u.popMark()}) },      // FROZENSET
	'a':  func(u *unpickler) { u.append([]any{u.pop()}) },               // APPEND
	'e':  func(u *unpickler) { u.append(u.popMark()) },                  // APPENDS
	'}':  func(u *unpickler) { u.push(&dict{}) },                        // EMPTY_DICT
	's':  func(u *unpickler) { v := u.pop(); u.set([]any{u.pop(), v}) }, // SETITEM
	'u':  func(u *unpickler) { u.set(u.popMark()) },                     // SETITEMS

	'0': func(u *unpickler) { u.drop() },    // POP
	'1': func(u *unpickler) { u.popMark() }, // POP_MARK

	'q':  func(u *unpickler) { u.memoize(uint32(u.byte())) },    // BINPUT
	'r':  func(u *unpickler) { u.memoize(uint32(u.uint(4))) },   // LONG_BINPUT
	0x94: func(u *unpickler) { u.memoize(uint32(len(u.memo))) }, // MEMOIZE
	'h':  func(u *unpickler) { u.recall(uint32(u.byte())) },     // BINGET
	'j':  func(u *unpickler) { u.recall(uint32(u.uint(4))) },    // LONG_BINGET

	'c':  func(u *unpickler) { m := u.line(); u.global(m, u.line()) }, // GLOBAL
	0x93: func(u *unpickler) { u.stackGlobal() },                      // STACK_GLOBAL
	'Q':  func(u *unpickler) { u.persistentLoad() },                   // BINPERSID
	'R':  func(u *unpickler) { u.reduce() },                           // REDUCE
	0x81: func(u *unpickler) { u.reduce() },                           // NEWOBJ
	0x92: func(u *unpickler) { u.pop(); u.reduce() },                  // NEWOBJ_EX, without its keyword arguments
	'b':  func(u *unpickler) { u.build() },                            // BUILD
}

func (u *unpickler) protocol(n byte) {
	if n < 2 || n > 5 {
		u.fail("pickle protocol %d is not supported", n)
	}
}

func (u *unpickler) mark() {
	if len(u.marks) >= maxStack {
		u.fail("more than %d MARKs are open", maxStack)
		return
	}
	u.marks = append(u.marks, len(u.stack))
}

// tuple replaces the n values on top by one tuple of them.
func (u *unpickler) tuple(n int) {
	t := make(tuple, n)
	for i := n - 1; i >= 0; i-- {
		t[i] = u.pop()
	}
	u.push(t)
}

// drop removes the value on top, or the last MARK if there is none above it.
func (u *unpickler) drop() {
	if n := len(u.marks); n > 0 && u.marks[n-1] == len(u.stack) {
		u.marks = u.marks[:n-1]
		return
	}
	u.pop()
}

func (u *unpickler) append(vs []any) {
	switch l := u.top().(type) {
	case *list:
		l.items = append(l.items, vs...)
	case *object:
	default:
		u.fail("append to something that is not a list")
	}
}

// set stores pairs in the dictionary on top.
func (u *unpickler) set(pairs []any) {
	top := u.top()
	if _, ok := top.(*object); ok {
		return
	}
	d, ok := top.(*dict)
	if !ok || len(pairs)%2 != 0 {
		u.fail("items for something that is not a dictionary, or an odd number of them")
		return
	}
	for i := 0; i < len(pairs); i += 2 {
		d.items = append(d.items, item{pairs[i], pairs[i+1]})
	}
}

func (u *unpickler) stackGlobal() {
	name, ok1 := u.pop().(string)
	module, ok2 := u.pop().(string)
	if !ok1 || !ok2 {
		u.fail("STACK_GLOBAL without two strings")
		return
	}
	u.global(module, name)
}

func (u *unpickler) persistentLoad() {
	id, ok := u.pop().(tuple)
	if !ok || u.persist == nil {
		u.fail("a persistent id that does not name a storage")
	}
	if u.err != nil {
		return
	}
	v, err := u.persist(id)
	if err != nil {
		u.err = err
		return
	}
	u.push(v)
}

// build drops the attributes that BUILD would set: those of dictionaries, such as
// _metadata, which torch uses for version numbers of modules, and of all that is skipped.
// Only the oldest tensors are nothing without them.
func (u *unpickler) build() {
	state := u.pop()
	switch x := u.top().(type) {
	case *dict, *list, *object:
	case *tensorRef:
		args, ok := state.(tuple)
		if x.of != nil || !ok {
			break
		}
		if t, ok := rebuildTensor(u, args).(*tensorRef); ok {
			*x = *t
		}
	default:
		u.fail("BUILD of something that is not a dictionary")
	}
}
