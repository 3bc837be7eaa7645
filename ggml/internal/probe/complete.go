package probe

import (
	"reflect"
	"testing"
)

// AllSet fails for every field of a struct that is zero: where a kernel is missing the
// definition runs in its place, and passes every other test.
func AllSet(t *testing.T, what string, kernels any) {
	t.Helper()
	v := reflect.ValueOf(kernels)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s.%s is missing", what, v.Type().Field(i).Name)
		}
	}
}
