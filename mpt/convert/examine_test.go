package convert

import (
	"path/filepath"
	"testing"
)

// TestFileBytes: the size that is foretold is that of the file.
func TestFileBytes(t *testing.T) {
	folder := caseDir("hf-tiny")
	f16 := filepath.Join(t.TempDir(), "f16.gguf")
	if _, err := Convert(t.Context(), folder, f16, Options{Type: "F16"}); err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{folder, f16} {
		s, err := Examine(src)
		if err != nil {
			t.Fatal(err)
		}
		for _, opt := range []Options{{Type: "Q8_0"}, {Type: "Q4_K_M"}, {Type: "Q4_0"}, {Type: "F32"}, {TargetBPW: 6}} {
			want, err := s.FileBytes(opt)
			if err != nil {
				t.Fatal(err)
			}
			sum, err := Convert(t.Context(), src, filepath.Join(t.TempDir(), "q.gguf"), opt)
			if err != nil {
				t.Fatal(err)
			}
			slack := int64(1 << 10) // keys and padding
			if opt.TargetBPW > 0 {
				slack += sum.Parameters / 8
			}
			if sum.Bytes-want > slack || want-sum.Bytes > slack {
				t.Errorf("%s to %s, %g bits: %d bytes foretold, %d written", filepath.Base(src), opt.Type, opt.TargetBPW, want, sum.Bytes)
			}
		}
	}
}
