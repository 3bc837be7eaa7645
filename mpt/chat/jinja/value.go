package jinja

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The values that are not Go's own. None of them changes once it is made, but a
// namespace.
type (
	list      struct{ items []any }
	tuple     struct{ items []any }
	undefined struct{ what string } // what is missing, for errors
	markup    string                // a text that was called safe: it may be printed, and nothing else
	namespace struct{ vars map[string]any }
	group     struct{ key, items any } // of the filter groupby: a tuple with names
	method    struct {
		self any
		name string
	}
)

// Func is a function that templates may call. It panics by no other means than fail.
type Func func(s *state, a *args) any

// GoFunc returns a function of one text.
func GoFunc(f func(text string) (string, error)) Func {
	return func(s *state, a *args) any {
		out, err := f(s.str(a.take("text")))
		a.done()
		if err != nil {
			panic(failure{err})
		}
		return out
	}
}

// dict is a dict of Python, in the order in which its keys came.
type dict struct {
	keys   []any
	values []any
	at     map[any]int // by what hash makes of a key
}

func newDict() *dict { return &dict{at: map[any]int{}} }

// set gives key a value, while the dict is made.
func (d *dict) set(s *state, key, value any) {
	h := s.hash(key, 0)
	if i, ok := d.at[h]; ok {
		d.values[i] = value
		return
	}
	d.at[h] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

func (d *dict) get(s *state, key any) (any, bool) {
	i, ok := d.at[s.hash(key, 0)]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// hash returns what is equal for keys that are equal: 1, 1.0 and true are.
func (s *state) hash(key any, depth int) any {
	if s.spend(1); depth > maxDepth {
		fail("a value is nested deeper than %d", maxDepth)
	}
	switch k := key.(type) {
	case bool:
		return float64(asInt(k))
	case int64:
		if int64(float64(k)) == k {
			return float64(k)
		}
	case *tuple:
		var b strings.Builder
		for _, x := range k.items {
			h := fmt.Sprintf("%T %[1]v", s.hash(x, depth+1))
			fmt.Fprintf(&b, "%d %s,", len(h), h)
			s.made(2 * len(h))
		}
		return [1]string{b.String()}
	case string:
		s.spend(len(k) / 64)
	case nil, float64, *undefined:
	default:
		fail("%s cannot be the key of a dict", typeName(key))
	}
	return key
}

// hashable reports whether a value can be a key.
func (s *state) hashable(v any, depth int) bool {
	s.spend(1)
	switch x := v.(type) {
	case *tuple:
		return depth <= maxDepth && !slices.ContainsFunc(x.items, func(v any) bool { return !s.hashable(v, depth+1) })
	case nil, bool, int64, float64, string, *undefined:
		return true
	}
	return false
}

// fromGo returns what stands for a value of Go.
func (s *state) fromGo(v any) any {
	switch x := v.(type) {
	case int:
		return int64(x)
	case []any:
		l := &list{make([]any, len(x))}
		for i, v := range x {
			l.items[i] = s.fromGo(v)
		}
		return l
	case [][2]any:
		d := newDict()
		for _, kv := range x {
			d.set(s, kv[0], s.fromGo(kv[1]))
		}
		return d
	case map[string]any:
		d := newDict()
		for _, k := range slices.Sorted(maps.Keys(x)) {
			d.set(s, k, s.fromGo(x[k]))
		}
		return d
	}
	return v
}

// typeName is what Python calls the type of a value, for errors.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "none"
	case bool:
		return "a bool"
	case int64:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a text"
	case *list:
		return "a list"
	case *tuple, *group:
		return "a tuple"
	case *dict:
		return "a dict"
	case *undefined:
		return v.(*undefined).what + ", which is undefined,"
	case markup:
		return "a text that was called safe"
	case *namespace:
		return "a namespace"
	case *loop:
		return "a loop"
	}
	return "a function"
}

// truth is what an "if" makes of a value.
func truth(v any) bool {
	switch x := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case string:
		return x != ""
	case markup:
		return x != ""
	case *list:
		return len(x.items) > 0
	case *tuple:
		return len(x.items) > 0
	case *dict:
		return len(x.keys) > 0
	}
	return true
}

func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// str returns a value as it is printed.
func (s *state) str(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case markup:
		return string(x)
	case *undefined:
		s.defined(v)
		return ""
	}
	var b strings.Builder
	s.repr(&b, v, 0)
	s.made(b.Len())
	return b.String()
}

// repr writes a value as Python's repr does.
func (s *state) repr(b *strings.Builder, v any, depth int) {
	if s.spend(1 + b.Len()>>20); depth > maxDepth {
		fail("a value is nested deeper than %d", maxDepth)
	}
	switch x := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[x])
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case float64:
		b.WriteString(floatText(x))
	case string:
		s.room -= len(x)
		s.made(0)
		quote(b, x)
	case *undefined:
		b.WriteString("Undefined")
	case *list:
		s.reprItems(b, "[", x.items, "]", depth)
	case *tuple:
		end := ")"
		if len(x.items) == 1 {
			end = ",)"
		}
		s.reprItems(b, "(", x.items, end, depth)
	case *group:
		s.reprItems(b, "(", []any{x.key, x.items}, ")", depth)
	case *dict:
		b.WriteByte('{')
		for i, k := range x.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			s.repr(b, k, depth+1)
			b.WriteString(": ")
			s.repr(b, x.values[i], depth+1)
		}
		b.WriteByte('}')
	default:
		fail("%s cannot be printed", typeName(v))
	}
}

func (s *state) reprItems(b *strings.Builder, open string, items []any, end string, depth int) {
	b.WriteString(open)
	for i, x := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		s.repr(b, x, depth+1)
	}
	b.WriteString(end)
}

// floatText writes a float as Python does: the shortest digits that are that number.
func floatText(x float64) string {
	switch {
	case math.IsInf(x, 0):
		return map[bool]string{true: "inf", false: "-inf"}[x > 0]
	case math.IsNaN(x):
		return "nan"
	}
	if a := math.Abs(x); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	t := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(t, ".") {
		t += ".0"
	}
	return t
}

// quote writes a text in quotes as Python's repr does.
func quote(b *strings.Builder, t string) {
	q := '\''
	if strings.Contains(t, "'") && !strings.Contains(t, `"`) {
		q = '"'
	}
	b.WriteRune(q)
	for _, r := range t {
		switch {
		case r == q || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
	}
	b.WriteRune(q)
}

// each returns the items that a loop over v visits.
func (s *state) each(v any) []any {
	switch x := v.(type) {
	case *list:
		return x.items
	case *tuple:
		return x.items
	case *group:
		return []any{x.key, x.items}
	case *dict:
		return x.keys
	case *undefined:
		s.defined(v)
		return nil
	case string:
		s.made(16 * len(x))
		items := make([]any, 0, len(x))
		for _, r := range x {
			items = append(items, string(r))
		}
		return items
	}
	fail("%s has no items", typeName(v))
	return nil
}

// newList returns a list, whose size counts.
func (s *state) newList(items []any) *list {
	s.made(16 * len(items))
	return &list{items}
}
