package measure

import (
	"strings"
	"testing"

	"mptgo/mpt"
)

// columns of models: width, layers.
func columnsOf(d, layers int) (cols []int) {
	for range layers {
		cols = append(cols, d, d, d, 4*d)
	}
	return cols
}

func TestLongestRun(t *testing.T) {
	for _, c := range []struct{ d, layers, want int }{
		{64, 2, 256}, {512, 8, 2048}, {2048, 24, 512}, {4096, 32, 256}, {7168, 48, 256},
	} {
		cols := columnsOf(c.d, c.layers)
		got := longestRun(cols, mostProducts)
		if got != c.want {
			t.Errorf("width %d, %d layers: groups of %d, want %d", c.d, c.layers, got, c.want)
		}
		if n := productBytes(cols, got); got > shortestRun && n > mostProducts {
			t.Errorf("width %d, %d layers: %d bytes", c.d, c.layers, n)
		}
	}
}

func TestCheckProducts(t *testing.T) {
	cols := columnsOf(512, 1) // 3·512·256·4 + 2048·256·4 bytes
	need := int64(3*(3*512+2048)*256*4 + 1000)
	if err := checkProducts(cols, 256, 1000, mpt.MemoryLimit{Bytes: need}); err != nil {
		t.Error(err)
	}
	err := checkProducts(cols, 256, 1000, mpt.MemoryLimit{Bytes: need - 1, Source: "left"})
	if err == nil || !strings.Contains(err.Error(), "groups of 256 columns need 0.01 GB of memory with the weights, and 0.01 GB are left") {
		t.Error(err)
	}
}
