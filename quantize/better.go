package quantize

import (
	"fmt"
)

// Search says how encoding looks for codes and scales. What it finds has the
// same format, so any reader can read it.
type Search uint8

const (
	SearchAuto      Search = iota // what a recipe prefers; SearchReference where there is none
	SearchReference               // the bytes of ggml's reference code
	SearchBetter                  // a smaller error, for the types that have such a search
)

var searchNames = [...]string{SearchAuto: "auto", SearchReference: "reference", SearchBetter: "better"}

func (s Search) String() string { return searchNames[s] }

// ParseSearch returns the search with the given name.
func ParseSearch(name string) (Search, error) {
	for s, n := range searchNames {
		if n == name {
			return Search(s), nil
		}
	}
	return 0, fmt.Errorf("quantize: unknown search %q: choose one of auto, reference, better", name)
}

// encodeRow encodes a row as f.
func (s Search) encodeRow(f *Format, dst []byte, src, weights []float32) {
	if s == SearchBetter && f.better != nil {
		f.better(dst, src, weights)
		keepReference(f, dst, src, weights)
		return
	}
	f.Encode(dst, src, weights)
}
