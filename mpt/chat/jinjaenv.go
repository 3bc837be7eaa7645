package chat

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/builtins/methods"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// What templates may use of the engine: functions of their arguments whose results
// are not much larger than these. Those that change their argument, or that are
// random, are not among them.
var (
	allowedFilters = []string{
		"abs", "attr", "batch", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "last",
		"length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "round", "safe", "select", "selectattr", "slice",
		"sort", "string", "sum", "title", "trim", "unique", "upper", "wordcount",
	}
	allowedStrings = []string{
		"capitalize", "endswith", "find", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle",
		"isupper", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rfind", "rpartition", "rsplit", "rstrip", "split",
		"splitlines", "startswith", "strip", "swapcase", "title", "upper",
	}
	allowedDicts = []string{"get", "items", "keys", "values"}
)

// environment returns what templates find. A message's name for now is that of the
// clock it is given.
func environment(now func() time.Time) *exec.Environment {
	filters := map[string]exec.FilterFunction{"tojson": filterJSON, "replace": filterReplace, "join": filterJoin, "format": filterFormat, "reverse": filterReverse}
	for _, name := range allowedFilters {
		f, ok := builtins.Filters.Get(name)
		if !ok {
			panic("chat: the engine has no filter " + name)
		}
		filters[name] = f
	}
	strs := map[string]exec.Method[string]{"replace": replaceMethod, "join": joinMethod}
	take(strs, methods.All.Str, allowedStrings)
	dicts := map[string]exec.Method[map[string]any]{}
	take(dicts, methods.All.Dict, allowedDicts)
	namespace, _ := builtins.GlobalFunctions.Get("namespace")
	dict, _ := builtins.GlobalFunctions.Get("dict")
	return &exec.Environment{
		Context: exec.NewContext(map[string]any{
			"namespace": namespace, "dict": dict, "range": rangeOf,
			"raise_exception": func(message string) (string, error) { return "", errors.New(message) },
			"strftime_now":    func(format string) string { return strftime(now(), format) },
		}),
		Filters:           exec.NewFilterSet(filters),
		Tests:             builtins.Tests,
		ControlStructures: structures(),
		Methods: exec.Methods{
			Bool: exec.NewMethodSet(map[string]exec.Method[bool]{}), Int: exec.NewMethodSet(map[string]exec.Method[int]{}),
			Float: exec.NewMethodSet(map[string]exec.Method[float64]{}), List: exec.NewMethodSet(map[string]exec.Method[[]any]{}),
			Str: exec.NewMethodSet(strs), Dict: exec.NewMethodSet(dicts),
		},
	}
}

func take[T any](into map[string]exec.Method[T], from *exec.MethodSet[T], names []string) {
	for _, name := range names {
		m, ok := from.Get(name)
		if !ok {
			panic("chat: the engine has no method " + name)
		}
		into[name] = m
	}
}

// rangeOf returns the numbers that Python's range yields, at most maxSteps.
func rangeOf(_ *exec.Evaluator, args *exec.VarArgs) ([]int, error) {
	start, stop, step := 0, 0, 1
	var n []int
	for _, a := range args.Args {
		if !a.IsInteger() {
			return nil, errors.New("range: an argument is no integer")
		}
		n = append(n, a.Integer())
	}
	switch len(n) {
	case 1:
		stop = n[0]
	case 2:
		start, stop = n[0], n[1]
	case 3:
		start, stop, step = n[0], n[1], n[2]
	}
	if len(n) < 1 || len(n) > 3 || step == 0 {
		return nil, errors.New("range: wrong arguments")
	}
	list := []int{}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if list = append(list, i); len(list) > maxSteps {
			return nil, errSteps
		}
	}
	return list, nil
}

// maxText bounds what replace and join make of a text. The guard bounds it further
// where it is kept.
const maxText = 64 << 20

func replaced(s string, args *exec.VarArgs) (string, error) {
	if len(args.Args) < 2 || len(args.Args) > 3 || len(args.KwArgs) > 0 {
		return "", errors.New("replace: wrong arguments")
	}
	old, with, most := args.Args[0].String(), args.Args[1].String(), -1
	if len(args.Args) == 3 {
		most = args.Args[2].Integer()
	}
	n := strings.Count(s, old)
	if most >= 0 {
		n = min(n, most)
	}
	if len(s)+n*len(with) > maxText {
		return "", errRoom
	}
	return strings.Replace(s, old, with, most), nil
}

func joined(separator string, list *exec.Value) (string, error) {
	var b strings.Builder
	full := false
	list.Iterate(func(i, _ int, item, _ *exec.Value) bool {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(item.String())
		full = b.Len() > maxText
		return !full
	}, func() {})
	if full {
		return "", errRoom
	}
	return b.String(), nil
}

func replaceMethod(self string, _ *exec.Value, args *exec.VarArgs) (any, error) {
	return replaced(self, args)
}

func joinMethod(self string, _ *exec.Value, args *exec.VarArgs) (any, error) {
	if len(args.Args) != 1 {
		return nil, errors.New("join: wrong arguments")
	}
	return joined(self, args.Args[0])
}

// result is what a filter returns.
func result(v any, err error) *exec.Value {
	if err != nil {
		return exec.AsValue(err)
	}
	return exec.AsValue(v)
}

func filterReplace(_ *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	return result(replaced(in.String(), args))
}

func filterJoin(e *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	separator := ""
	if len(args.Args) > 0 {
		separator = args.Args[0].String()
	}
	if name, ok := args.KwArgs["attribute"]; ok {
		pick, _ := builtins.Filters.Get("map")
		in = pick(e, in, &exec.VarArgs{KwArgs: map[string]*exec.Value{"attribute": name}})
	}
	return result(joined(separator, in))
}

// filterReverse turns a list or a text around.
func filterReverse(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	if in.IsString() {
		r := []rune(in.String())
		slices.Reverse(r)
		return exec.AsValue(string(r))
	}
	list := []any{}
	in.Iterate(func(_, _ int, item, _ *exec.Value) bool {
		list = append(list, item.Interface())
		return true
	}, func() {})
	slices.Reverse(list)
	return exec.AsValue(list)
}

// filterFormat fills the places %s and %d of a text.
func filterFormat(_ *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	parts := strings.Split(strings.ReplaceAll(in.String(), "%%", "\x00"), "%")
	out := parts[0]
	for i, p := range parts[1:] {
		if p == "" || p[0] != 's' && p[0] != 'd' || i >= len(args.Args) {
			return exec.AsValue(fmt.Errorf("format: only %%s and %%d are supported, one for each argument"))
		}
		out += args.Args[i].String() + p[1:]
	}
	return exec.AsValue(strings.ReplaceAll(out, "\x00", "%"))
}

// filterJSON writes JSON as Python does without ensure_ascii: that is what
// transformers puts in the place of Jinja's filter.
func filterJSON(_ *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	if in.IsError() {
		return in
	}
	w := jsonWriter{left: maxText}
	if indent, ok := args.KwArgs["indent"]; ok && indent.IsInteger() {
		w.indent = strings.Repeat(" ", max(0, min(indent.Integer(), 16)))
		w.lines = true
	}
	w.value(reflect.ValueOf(in.Interface()), "\n")
	if w.left < 0 {
		return exec.AsValue(errRoom)
	}
	return exec.AsSafeValue(w.b.String())
}

// jsonWriter writes values as JSON; lines says that each element has its own.
type jsonWriter struct {
	b      strings.Builder
	left   int
	lines  bool
	indent string
}

func (w *jsonWriter) put(s string) {
	if w.left -= len(s); w.left >= 0 {
		w.b.WriteString(s)
	}
}

// value writes v; nl is what stands between its lines.
func (w *jsonWriter) value(v reflect.Value, nl string) {
	if x, ok := asValue(v); ok {
		v = x
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			w.value(v.Elem(), nl)
			return
		}
		w.put("null")
	case reflect.String:
		w.put(jsonString(v.String()))
	case reflect.Bool:
		w.put(strconv.FormatBool(v.Bool()))
	case reflect.Float64, reflect.Float32:
		s := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		w.put(s)
	case reflect.Slice, reflect.Array:
		w.elements("[", "]", v.Len(), nl, func(i int, nl string) { w.value(v.Index(i), nl) })
	case reflect.Map, reflect.Struct:
		w.object(v, nl)
	case reflect.Invalid:
		w.put("null")
	default:
		w.put(fmt.Sprint(v.Interface()))
	}
}

// elements writes n of them between brackets.
func (w *jsonWriter) elements(open, end string, n int, nl string, one func(i int, nl string)) {
	w.put(open)
	for i := 0; i < n && w.left >= 0; i++ {
		switch {
		case i > 0 && w.lines:
			w.put(",")
		case i > 0:
			w.put(", ")
		}
		if w.lines {
			w.put(nl + w.indent)
		}
		one(i, nl+w.indent)
	}
	if w.lines && n > 0 {
		w.put(nl)
	}
	w.put(end)
}

// object writes a map: that of a message begins with its role, as in the reference,
// others are in the order of their keys.
func (w *jsonWriter) object(v reflect.Value, nl string) {
	fields := map[string]reflect.Value{}
	var keys []string
	if d, ok := v.Interface().(exec.Dict); ok {
		for _, p := range d.Pairs {
			keys = append(keys, p.Key.String())
			fields[p.Key.String()] = reflect.ValueOf(p.Value)
		}
	} else if v.Kind() == reflect.Map {
		for it := v.MapRange(); it.Next(); {
			fields[fmt.Sprint(it.Key().Interface())] = it.Value()
		}
		keys = slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
			if (a == "role") != (b == "role") {
				return map[bool]int{true: -1, false: 1}[a == "role"]
			}
			return strings.Compare(a, b)
		})
	}
	w.elements("{", "}", len(keys), nl, func(i int, nl string) {
		w.put(jsonString(keys[i]) + ": ")
		w.value(fields[keys[i]], nl)
	})
}

// jsonString quotes s, leaving all characters that need no escape.
func jsonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case strings.ContainsRune("\n\r\t\b\f", r):
			b.WriteString(map[rune]string{'\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}[r])
		case r < 0x20:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// strftime writes a time as C's function of that name does in English, for the
// conversions that templates use.
func strftime(t time.Time, format string) string {
	layouts := map[byte]string{
		'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'j': "002", 'm': "01",
		'M': "04", 'p': "PM", 'S': "05", 'y': "06", 'Y': "2006", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'Z': "MST", 'z': "-0700",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch layout, ok := layouts[format[i]]; {
		case ok:
			b.WriteString(t.Format(layout))
		case format[i] == '%':
			b.WriteByte('%')
		default:
			b.WriteString(format[i-1 : i+1])
		}
	}
	return b.String()
}
