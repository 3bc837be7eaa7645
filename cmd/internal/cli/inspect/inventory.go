package inspect

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"mptgo/cmd/internal/cli/console"
	"mptgo/gguf"
)

// inventory is what a file or folder holds.
type inventory struct {
	File    string
	Format  string
	Bytes   int64
	Meta    []gguf.KV
	Tensors []tensorRow

	Unsupported []string // features that cannot be converted
	Notes       []string // what it does, in words
}

// tensorRow is one tensor. The order of the dimensions is that of the format:
// in GGUF the length of a row comes first, in checkpoints last.
type tensorRow struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Shape  []int  `json:"shape"`
	Values int64  `json:"values"`
	Bytes  int64  `json:"bytes"`
}

// typeRow is the sum over all tensors of a type.
type typeRow struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Values  int64  `json:"values"`
	Bytes   int64  `json:"bytes"`
}

// inspectParts selects parts of an inventory; none set means all.
type inspectParts struct{ meta, tensors bool }

func (inv *inventory) add(name, typ string, shape []int, size int64) {
	values := int64(1)
	for _, n := range shape {
		values *= int64(n)
	}
	inv.Tensors = append(inv.Tensors, tensorRow{name, typ, shape, values, size})
}

// types adds up the tensors by type, the type with the most bytes first.
func (inv *inventory) types() []typeRow {
	sums := map[string]*typeRow{}
	var rows []*typeRow
	for _, t := range inv.Tensors {
		r := sums[t.Type]
		if r == nil {
			r = &typeRow{Type: t.Type}
			sums[t.Type], rows = r, append(rows, r)
		}
		r.Tensors++
		r.Values += t.Values
		r.Bytes += t.Bytes
	}
	slices.SortStableFunc(rows, func(a, b *typeRow) int { return int(min(max(b.Bytes-a.Bytes, -1), 1)) })
	out := make([]typeRow, len(rows))
	for i, r := range rows {
		out[i] = *r
	}
	return out
}

func (inv *inventory) values() (n int64) {
	for _, t := range inv.Tensors {
		n += t.Values
	}
	return n
}

// print prints the selected parts for people.
func (inv *inventory) print(w io.Writer, only inspectParts) error {
	all := only == inspectParts{}
	out := bufio.NewWriter(w)
	if all {
		fmt.Fprintf(out, "%s: %s, %s, %s parameters in %s\n",
			console.OneLine(inv.File), inv.Format, console.ByteSize(inv.Bytes), console.Count(inv.values()), console.Plural(len(inv.Tensors), "tensor", "tensors"))
		for _, text := range inv.Notes {
			fmt.Fprintf(out, "%s\n", console.OneLine(text))
		}
		for _, feature := range inv.Unsupported {
			fmt.Fprintf(out, "not supported: %s\n", console.OneLine(feature))
		}
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if (all || only.meta) && len(inv.Meta) > 0 {
		heading(t, all, "metadata")
		for _, kv := range inv.Meta {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", console.OneLine(kv.Key), typeName(kv.Value), abbreviate(kv.Value))
		}
		t.Flush()
	}
	if all || only.tensors {
		heading(t, all, "tensors")
		for _, row := range inv.Tensors {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", console.OneLine(row.Name), console.OneLine(row.Type),
				shapeText(row.Shape), console.ByteSize(row.Bytes))
		}
		t.Flush()
	}
	if all {
		heading(t, all, "types")
		for _, r := range inv.types() {
			fmt.Fprintf(t, "  %s\t%s\t%s parameters\t%s\t%.2f bits each\n",
				console.OneLine(r.Type), console.Plural(r.Tensors, "tensor", "tensors"), console.Count(r.Values), console.ByteSize(r.Bytes), 8*float64(r.Bytes)/float64(max(r.Values, 1)))
		}
		t.Flush()
	}
	return out.Flush()
}

// heading begins a part, if there is more than one.
func heading(w io.Writer, all bool, title string) {
	if all {
		fmt.Fprintf(w, "\n%s\n", title)
	}
}

// forJSON returns the selected parts in the form that is printed as JSON.
func (inv *inventory) forJSON(only inspectParts) map[string]any {
	all := only == inspectParts{}
	out := map[string]any{"file": inv.File, "format": inv.Format, "bytes": inv.Bytes, "parameters": inv.values()}
	if all || only.meta {
		meta := make(map[string]any, len(inv.Meta))
		for _, kv := range inv.Meta {
			meta[kv.Key] = jsonValue(kv.Value)
		}
		out["metadata"] = meta
	}
	if all || only.tensors {
		out["tensors"] = inv.Tensors
	}
	if all {
		out["types"] = inv.types()
	}
	if len(inv.Notes) > 0 {
		out["notes"] = inv.Notes
	}
	if len(inv.Unsupported) > 0 {
		out["unsupported"] = inv.Unsupported
	}
	return out
}

// jsonValue returns v in a form that JSON can hold: it has no infinities and no
// NaN, and encoding/json would print bytes as base64.
func jsonValue(v any) any {
	r := reflect.ValueOf(v)
	switch {
	case r.Kind() == reflect.Slice:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = jsonValue(r.Index(i).Interface())
		}
		return list
	case r.CanFloat() && (math.IsNaN(r.Float()) || math.IsInf(r.Float(), 0)):
		return fmt.Sprint(v)
	}
	return v
}

// typeName returns the type of a value, with the length if it is a list.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case json.Number:
		return "number"
	case []any:
		return fmt.Sprintf("[%d]any", len(v))
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice {
		return fmt.Sprintf("[%d]%s", r.Len(), r.Type().Elem())
	}
	return fmt.Sprintf("%T", v)
}

// What is printed of a value at the most.
const (
	maxItems = 6
	maxText  = 80
)

// abbreviate returns v in one line: the first elements of a list, the beginning
// of a text.
func abbreviate(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return quote(v)
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return fmt.Sprint(v)
	}
	var items []string
	for i := range min(r.Len(), maxItems) {
		items = append(items, abbreviate(r.Index(i).Interface()))
	}
	if r.Len() > maxItems {
		items = append(items, "...")
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func quote(s string) string {
	if runes := []rune(s); len(runes) > maxText {
		return strconv.Quote(string(runes[:maxText])) + "..."
	}
	return strconv.Quote(s)
}

// shapeText returns a shape such as "4096 x 50432".
func shapeText(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	var s []string
	for _, n := range shape {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, " x ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
