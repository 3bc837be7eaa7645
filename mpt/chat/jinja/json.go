package jinja

import (
	"fmt"
	"strconv"
	"strings"
)

// filterJSON writes JSON as Python does without ensure_ascii: that is what
// transformers puts in the place of Jinja's filter.
func filterJSON(s *state, v any, a *args) any {
	w := jsonWriter{s: s, ascii: truth(a.or("ensure_ascii", false)), comma: ", ", colon: ": "}
	switch x := a.or("indent", nil).(type) {
	case nil:
	case int64:
		w.indent, w.lines, w.comma = s.padding(" ", int(min(x, 100)), ""), true, ","
	case string:
		w.indent, w.lines, w.comma = x, true, ","
	default:
		fail("tojson: the indent is %s", typeName(x))
	}
	if x := a.or("separators", nil); x != nil {
		parts := s.each(x)
		if len(parts) != 2 {
			fail("tojson: %d separators", len(parts))
		}
		w.comma, w.colon = s.str(parts[0]), s.str(parts[1])
	}
	w.sort = truth(a.or("sort_keys", false))
	w.value(v, "\n", 0)
	s.made(w.b.Len())
	return w.b.String()
}

// jsonWriter writes values as JSON; lines says that each element has its own.
type jsonWriter struct {
	s                    *state
	b                    strings.Builder
	lines, ascii, sort   bool
	indent, comma, colon string
}

// value writes v; nl is what stands between its lines.
func (w *jsonWriter) value(v any, nl string, depth int) {
	if w.s.spend(1); depth > maxDepth {
		fail("tojson: a value is nested deeper than %d", maxDepth)
	}
	switch x := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(x))
	case int64:
		w.b.WriteString(strconv.FormatInt(x, 10))
	case float64:
		t := floatText(x)
		w.b.WriteString(map[string]string{"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[t])
		if strings.ContainsAny(t, "0123456789") {
			w.b.WriteString(t)
		}
	case string:
		w.text(x)
	case markup:
		w.text(string(x))
	case *list:
		w.items(x.items, nl, depth)
	case *tuple:
		w.items(x.items, nl, depth)
	case *dict:
		w.object(x, nl, depth)
	default:
		fail("tojson: %s cannot be written", typeName(v))
	}
}

func (w *jsonWriter) items(items []any, nl string, depth int) {
	w.elements("[", "]", len(items), nl, func(i int, nl string) { w.value(items[i], nl, depth+1) })
}

func (w *jsonWriter) object(d *dict, nl string, depth int) {
	keys := d.keys
	if w.sort {
		keys = w.s.sorted(keys, false, func(k any) any { return k })
	}
	w.elements("{", "}", len(keys), nl, func(i int, nl string) {
		w.key(keys[i])
		w.b.WriteString(w.colon)
		v, _ := d.get(w.s, keys[i])
		w.value(v, nl, depth+1)
	})
}

// key writes a key, which becomes a text.
func (w *jsonWriter) key(k any) {
	if t, ok := k.(string); ok {
		w.text(t)
		return
	}
	if _, ok := k.(*tuple); ok {
		fail("tojson: a tuple cannot be a key")
	}
	w.b.WriteByte('"')
	w.value(k, "", 0)
	w.b.WriteByte('"')
}

// elements writes n of them between brackets.
func (w *jsonWriter) elements(open, end string, n int, nl string, one func(i int, nl string)) {
	w.b.WriteString(open)
	for i := range n {
		if i > 0 {
			w.b.WriteString(w.comma)
		}
		if w.lines {
			w.b.WriteString(nl + w.indent)
			w.s.made(len(nl) + len(w.indent))
		}
		one(i, nl+w.indent)
	}
	if w.lines && n > 0 {
		w.b.WriteString(nl)
	}
	w.b.WriteString(end)
}

// text quotes t, leaving all characters that need no escape.
func (w *jsonWriter) text(t string) {
	w.s.made(len(t))
	w.b.WriteByte('"')
	for _, r := range t {
		switch i := strings.IndexRune("\"\\\n\r\t\b\f", r); {
		case i >= 0:
			w.b.WriteByte('\\')
			w.b.WriteByte("\"\\nrtbf"[i])
		case r < 0x20 || w.ascii && r >= 0x7f && r < 0x10000 && r != 0x7f:
			fmt.Fprintf(&w.b, `\u%04x`, r)
		case w.ascii && r >= 0x10000:
			fmt.Fprintf(&w.b, `\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}
