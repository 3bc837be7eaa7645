package checkpoint

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Limits of what the unpickler builds. The pickle of a model takes tens of
// kilobytes, with a few thousand values on the stack at most.
const (
	maxPickle = 16 << 20 // bytes of one pickle
	maxStack  = 1 << 20  // values
	maxMemo   = 1 << 20  // entries
	maxLine   = 256      // bytes of a module or class name
)

// The values of an unpickled object are nil, bool, int64, float64, string,
// []byte, and the types below. An integer wider than 64 bits is kept as bigInt.
type (
	symbol string // the dotted name of a Python function or class
	bigInt string // two's complement, little-endian
	tuple  []any
	list   struct{ items []any }
	dict   struct{ items []item }
	item   struct{ key, value any }
)

// get returns the last value stored under a string key.
func (d *dict) get(key string) any {
	for i := len(d.items) - 1; i >= 0; i-- {
		if d.items[i].key == key {
			return d.items[i].value
		}
	}
	return nil
}

// An unpickler interprets one pickle. It builds data and nothing else: a GLOBAL
// pushes a symbol, and the few symbols that REDUCE understands are rows of the
// tables rebuilders and reducers; what others stand for is skipped. The first
// thing that is wrong ends it and stays in err.
type unpickler struct {
	r     io.Reader
	pos   int64 // bytes read
	limit int64 // bytes that may be read
	word  [8]byte
	err   error

	stack   []any
	marks   []int // stack heights at the open MARKs
	memo    map[uint32]any
	copied  int                         // values of dictionaries that were made of others
	persist func(id tuple) (any, error) // resolves BINPERSID
}

// unpickle reads one pickle of at most limit bytes and returns its object and its
// length. It reads nothing beyond the end of the pickle.
func unpickle(r io.Reader, limit int64, persist func(tuple) (any, error)) (any, int64, error) {
	u := &unpickler{r: r, limit: min(limit, maxPickle), memo: map[uint32]any{}, persist: persist}
	v, err := u.run()
	if err != nil {
		err = fmt.Errorf("pickle: at byte %d: %w", u.pos, err)
	}
	return v, u.pos, err
}

func (u *unpickler) run() (any, error) {
	for u.err == nil {
		op := u.byte()
		if u.err != nil {
			break
		}
		if op == opStop {
			v := u.pop()
			return v, u.err
		}
		f := opcodes[op]
		if f == nil {
			u.fail("opcode %#02x is not one that a file of tensors needs", op)
			break
		}
		f(u)
	}
	return nil, u.err
}

func (u *unpickler) fail(format string, args ...any) {
	if u.err == nil {
		u.err = malformed(format, args...)
	}
}

// bytes reads n bytes. The count may come from the file: it is held against what
// is left before anything is allocated.
func (u *unpickler) bytes(n uint64) []byte {
	if n > uint64(u.limit-u.pos) {
		u.fail("truncated, or longer than %d bytes", u.limit)
	}
	if u.err != nil {
		return nil
	}
	b := make([]byte, n)
	u.read(b)
	return b
}

func (u *unpickler) read(b []byte) {
	if u.err != nil {
		return
	}
	n, err := io.ReadFull(u.r, b)
	u.pos += int64(n)
	if err != nil {
		u.fail("truncated: %v", err)
	}
}

// uint reads an unsigned little-endian number of n <= 8 bytes.
func (u *unpickler) uint(n int) uint64 {
	clear(u.word[:])
	u.read(u.word[:n])
	return binary.LittleEndian.Uint64(u.word[:])
}

func (u *unpickler) byte() byte { return byte(u.uint(1)) }

// line reads up to a newline, which it drops.
func (u *unpickler) line() string {
	var s []byte
	for u.err == nil {
		c := u.byte()
		if c == '\n' {
			break
		}
		if s = append(s, c); len(s) > maxLine {
			u.fail("a name is longer than %d bytes", maxLine)
		}
	}
	return string(s)
}

func (u *unpickler) push(v any) {
	if len(u.stack) >= maxStack {
		u.fail("more than %d values on the stack", maxStack)
		return
	}
	u.stack = append(u.stack, v)
}

// pop removes the value on top. Values below the last MARK are out of reach.
func (u *unpickler) pop() any {
	floor := 0
	if len(u.marks) > 0 {
		floor = u.marks[len(u.marks)-1]
	}
	if len(u.stack) <= floor {
		u.fail("the stack is empty")
		return nil
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v
}

// top returns the value that pop would remove.
func (u *unpickler) top() any {
	v := u.pop()
	if u.err == nil {
		u.stack = append(u.stack, v)
	}
	return v
}

// popMark removes the last MARK and returns a copy of the values above it.
func (u *unpickler) popMark() []any {
	if len(u.marks) == 0 {
		u.fail("no MARK is open")
		return nil
	}
	at := u.marks[len(u.marks)-1]
	u.marks = u.marks[:len(u.marks)-1]
	vs := append([]any(nil), u.stack[at:]...)
	u.stack = u.stack[:at]
	return vs
}

func (u *unpickler) memoize(i uint32) {
	v := u.top()
	if len(u.memo) >= maxMemo {
		u.fail("more than %d memo entries", maxMemo)
	}
	if u.err == nil {
		u.memo[i] = v
	}
}

func (u *unpickler) recall(i uint32) {
	v, ok := u.memo[i]
	if !ok {
		u.fail("memo entry %d does not exist", i)
	}
	u.push(v)
}

// integer pushes a two's complement number of any length.
func (u *unpickler) integer(b []byte) {
	if len(b) > 8 {
		u.push(bigInt(b))
		return
	}
	var v int64
	for i, c := range b {
		v |= int64(c) << (8 * i)
	}
	if n := len(b); n > 0 && n < 8 && b[n-1]&0x80 != 0 {
		v -= 1 << (8 * n)
	}
	u.push(v)
}

func (u *unpickler) float(b []byte) {
	if len(b) == 8 {
		u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	}
}
