package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// fields is a JSON object that is read field by field. Absent and null mean the
// same, as in the Python that writes these files; a field of the wrong type is an
// error, never a default. The first error stays in err, which nested objects share.
type fields struct {
	where string // "attn_config." for a nested object
	raw   map[string]json.RawMessage
	used  map[string]bool
	err   *error
}

func parseFields(b []byte) (*fields, error) {
	f := &fields{used: map[string]bool{}, err: new(error)}
	if err := json.Unmarshal(b, &f.raw); err != nil {
		return nil, malformed("not a JSON object: %v", err)
	}
	return f, nil
}

// take returns the text of a field; ok is false if it is absent or null.
func (f *fields) take(key string) (raw json.RawMessage, ok bool) {
	f.used[key] = true
	raw, ok = f.raw[key]
	return raw, ok && string(raw) != "null"
}

func (f *fields) fail(key, format string, args ...any) {
	if *f.err == nil {
		*f.err = malformed("%s%s: %s", f.where, key, fmt.Sprintf(format, args...)) // a key of the file may look like a format
	}
}

func (f *fields) has(key string) bool {
	_, ok := f.take(key)
	return ok
}

// read decodes a field into v; ok is false if it is absent.
func (f *fields) read(key, want string, v any) (ok bool) {
	raw, ok := f.take(key)
	if !ok {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		f.fail(key, "%s where %s is expected", clip(raw), want)
		return false
	}
	return true
}

func (f *fields) string(key, absent string) string {
	v := absent
	f.read(key, "a string", &v)
	return v
}

func (f *fields) bool(key string, absent bool) bool {
	v := absent
	f.read(key, "true or false", &v)
	return v
}

// float returns a number that float32, which GGUF stores, can hold.
func (f *fields) float(key string, absent float64) float64 {
	v := absent
	if f.read(key, "a number", &v) && math.Abs(v) > math.MaxFloat32 {
		f.fail(key, "%v is too large", v)
	}
	return v
}

// optional returns a number that false, too, switches off.
func (f *fields) optional(key string) float64 {
	if raw, _ := f.take(key); string(raw) == "false" {
		return 0
	}
	return f.float(key, 0)
}

// int accepts a number with a fraction of zero, which some writers produce.
func (f *fields) int(key string, absent int) int {
	v := float64(absent)
	f.read(key, "an integer", &v)
	if v != float64(int(v)) || v > 1<<31 || v < -1<<31 {
		f.fail(key, "%v where an integer of 32 bits is expected", v)
		return absent
	}
	return int(v)
}

// object returns a nested object; an absent one is empty.
func (f *fields) object(key string) *fields {
	o := &fields{where: f.where + key + ".", used: map[string]bool{}, err: f.err}
	f.read(key, "an object", &o.raw)
	return o
}

// off are the values by which a field says that its feature is not used.
var off = []string{"null", "false", "0", "0.0", `""`, "{}", "[]"}

// unknown returns the fields that are set and that nobody asked for.
func (f *fields) unknown() []string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(f.raw)) {
		if !f.used[key] && !slices.Contains(off, string(f.raw[key])) {
			names = append(names, f.where+key)
		}
	}
	return names
}

// refuseUnknown makes an unknown field an error.
func (f *fields) refuseUnknown(why string) {
	for _, name := range f.unknown() {
		f.fail(strings.TrimPrefix(name, f.where), "%s", why)
	}
}

// clip quotes the beginning of a value for an error.
func clip(raw []byte) string {
	const most = 40
	raw = bytes.TrimSpace(raw)
	if len(raw) > most {
		return strconv.Quote(string(raw[:most])) + "..."
	}
	return string(raw)
}
