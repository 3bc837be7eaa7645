package lora

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// fields are the fields of a JSON object, with the first error in reading them.
type fields struct {
	raw  map[string]json.RawMessage
	used map[string]bool
	err  error
}

// off are the values by which a field says that its feature is not used.
var off = []string{"null", "false", "0", "0.0", `""`, "{}", "[]"}

// isSet reports whether a field is there and not off.
func (f *fields) isSet(key string) bool {
	raw, ok := f.raw[key]
	return ok && !slices.Contains(off, string(raw))
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// read decodes a field into v, which keeps its value if the field is missing or null.
func read[T any](f *fields, key, want string, absent T) T {
	f.used[key] = true
	raw, ok := f.raw[key]
	if !ok || string(raw) == "null" {
		return absent
	}
	v := absent
	if err := json.Unmarshal(raw, &v); err != nil {
		f.fail("%w", malformed("%s: %.40s where %s is expected", key, raw, want))
		return absent
	}
	return v
}

// refuseNull refuses fields that are there without a value. For most that means the
// default; without its rank or alpha an adapter has no scale, and PEFT fails, too.
func (f *fields) refuseNull(keys ...string) {
	for _, key := range keys {
		if string(f.raw[key]) == "null" {
			f.fail("%w", malformed("%s is null where a number is expected: give the one it was trained with", key))
		}
	}
}

// number is a number that may be written as a text, as some training scripts do it.
type number float64

// UnmarshalJSON accepts both.
func (n *number) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		b = []byte(strings.TrimSpace(text))
	}
	v, err := strconv.ParseFloat(string(b), 64)
	*n = number(v)
	return err
}

// toggle is true or false in the ways in which these are written.
type toggle bool

// UnmarshalJSON accepts the names of JSON and of Python, as a text or not, 0 and 1.
func (t *toggle) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b)
	}
	switch strings.ToLower(text) {
	case "true", "1", "1.0", "yes":
		*t = true
	case "false", "0", "0.0", "no", "none", "null", "":
		*t = false
	default:
		return fmt.Errorf("%q is neither true nor false", text)
	}
	return nil
}

// names is a list of names, or one.
type names []string

// UnmarshalJSON accepts both.
func (n *names) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(n))
}

// maxRank bounds what is believed of a rank.
const maxRank = 1 << 16

// check checks the numbers.
func (c *config) check() error {
	ranks, alphas := []pattern{{nil, c.r}}, []pattern{{nil, c.loraAlpha}}
	for _, p := range append(ranks, c.ranks...) {
		if p.value != float64(int(p.value)) || p.value < 1 || p.value > maxRank {
			return malformed("a rank (r, rank_pattern) of %v", p.value)
		}
	}
	for _, p := range append(alphas, c.alphas...) {
		if !finite(p.value) || p.value == 0 {
			return malformed("an alpha (lora_alpha, alpha_pattern) of %v: such an adapter does nothing", p.value)
		}
	}
	return nil
}
