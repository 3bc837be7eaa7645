package kinds

import "testing"

// TestTypes checks that what the table says of a type lies within its blocks.
func TestTypes(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range Types {
		if seen[x.Name] {
			t.Errorf("%s is there twice", x.Name)
		}
		seen[x.Name] = true
		if x.Values != 32 && x.Values != 256 {
			t.Errorf("%s: blocks of %d values", x.Name, x.Values)
		}
		for _, at := range append([]int{x.Codes, x.High, x.Signs}, x.Halves...) {
			if at < 0 || at+2 > x.Size {
				t.Errorf("%s: %d is outside of %d bytes", x.Name, at, x.Size)
			}
		}
		if x.Small.From > x.Small.To || x.Small.To > x.Size {
			t.Errorf("%s: scales from %d to %d of %d bytes", x.Name, x.Small.From, x.Small.To, x.Size)
		}
	}
}
