package jinja

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// filterJSON writes JSON as Python does without ensure_ascii: that is what
// transformers puts in the place of Jinja's filter.
func filterJSON(s *state, v any, a *args) any {
	w := jsonWriter{s: s, ascii: truth(a.or("ensure_ascii", false)), comma: plain(", "), colon: plain(": ")}
	switch x := a.or("indent", nil).(type) {
	case nil:
	case int64, bool:
		w.indent, w.lines, w.comma = s.padding(plain(" "), min(sized(x, "the indent"), 100), text{}), true, plain(",")
	case text:
		w.indent, w.lines, w.comma = x, true, plain(",")
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
	w.value(v, plain("\n"), 0)
	s.made(w.b.len())
	return w.b.text()
}

// jsonWriter writes values as JSON; lines says that each element has its own.
type jsonWriter struct {
	s                    *state
	b                    builder
	lines, ascii, sort   bool
	indent, comma, colon text
}

// value writes v; nl is what stands between its lines.
func (w *jsonWriter) value(v any, nl text, depth int) {
	if w.s.spend(1); depth > maxDepth {
		fail("tojson: a value is nested deeper than %d", maxDepth)
	}
	switch x := v.(type) {
	case nil:
		w.b.str("null")
	case bool:
		w.b.str(strconv.FormatBool(x))
	case int64, *big.Int:
		w.b.str(intText(x))
	case float64:
		t := floatText(x)
		w.b.str(map[string]string{"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[t])
		if strings.ContainsAny(t, "0123456789") {
			w.b.str(t)
		}
	case text:
		w.text(x)
	case markup:
		w.text(x.t)
	case *list:
		w.items(x.items, nl, depth)
	case *tuple, *group:
		w.items(tupleItems(x), nl, depth)
	case *dict:
		w.object(x, nl, depth)
	default:
		fail("tojson: %s cannot be written", typeName(v))
	}
}

func (w *jsonWriter) items(items []any, nl text, depth int) {
	w.elements("[", "]", len(items), nl, func(i int, nl text) { w.value(items[i], nl, depth+1) })
}

func (w *jsonWriter) object(d *dict, nl text, depth int) {
	keys := d.keys
	if w.sort {
		keys = w.s.sorted(keys, false, func(k any) any { return k })
	}
	w.elements("{", "}", len(keys), nl, func(i int, nl text) {
		w.key(keys[i])
		w.b.add(w.colon)
		v, _ := d.get(w.s, keys[i])
		w.value(v, nl, depth+1)
	})
}

// key writes a key, which becomes a text.
func (w *jsonWriter) key(k any) {
	if t, ok := k.(text); ok {
		w.text(t)
		return
	}
	if _, ok := numeric(k); !ok && k != nil {
		fail("tojson: %s cannot be a key", typeName(k))
	}
	w.b.str(`"`)
	w.value(k, text{}, 0)
	w.b.str(`"`)
}

// elements writes n of them between brackets.
func (w *jsonWriter) elements(open, end string, n int, nl text, one func(i int, nl text)) {
	w.b.str(open)
	deeper := joined(nl, w.indent)
	for i := range n {
		if i > 0 {
			w.b.add(w.comma)
		}
		if w.lines {
			w.b.add(deeper)
			w.s.made(len(deeper.s))
		}
		one(i, deeper)
	}
	if w.lines && n > 0 {
		w.b.add(nl)
	}
	w.b.str(end)
}

// text quotes t, leaving all characters that need no escape.
func (w *jsonWriter) text(t text) {
	w.s.made(len(t.s))
	w.b.str(`"`)
	w.b.escaped(t, w.escape)
	w.b.str(`"`)
}

// escape returns what stands for a character, or "" if it stands for itself.
func (w *jsonWriter) escape(r rune) string {
	if r >= ' ' && r < 0x7f && r != '"' && r != '\\' {
		return ""
	}
	switch i := strings.IndexRune("\"\\\n\r\t\b\f", r); {
	case i >= 0:
		return `\` + "\"\\nrtbf"[i:i+1]
	case r < 0x20 || w.ascii && r >= 0x7f && r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	case w.ascii && r >= 0x10000:
		return fmt.Sprintf(`\u%04x\u%04x`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
	}
	return ""
}
