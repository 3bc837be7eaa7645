package inspect

import (
	"bytes"
	"testing"
)

func TestAbbreviate(t *testing.T) {
	long := string(bytes.Repeat([]byte("é"), 100))
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"a\nb", `"a\nb"`},
		{long, `"` + long[:2*maxText] + `"...`},
		{[]int32{1, 2, 3, 4, 5, 6}, "[1, 2, 3, 4, 5, 6]"},
		{[]int32{1, 2, 3, 4, 5, 6, 7}, "[1, 2, 3, 4, 5, 6, ...]"},
		{[]string{"a"}, `["a"]`},
		{float32(0.1), "0.1"},
		{true, "true"},
		{nil, "null"},
	} {
		if got := abbreviate(tt.value); got != tt.want {
			t.Errorf("abbreviate(%v) = %s, want %s", tt.value, got, tt.want)
		}
	}
}
