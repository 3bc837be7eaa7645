package pyrandom

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mptgo/internal/check"
)

type vectors struct {
	Random []struct {
		Seed   uint64
		Bits   []uint32 `json:"getrandbits32"`
		Below_ [][2]int `json:"below"`
	}
}

// folders returns where vectors are: the reference data, and what the environment names.
func folders(t *testing.T) []string {
	list := []string{check.Shared(t, "testdata", "eval")}
	if dir := os.Getenv("MPT_EVAL_VECTORS"); dir != "" {
		list = append(list, dir)
	}
	return list
}

func TestVectors(t *testing.T) {
	for _, dir := range folders(t) {
		b, err := os.ReadFile(filepath.Join(dir, "fewshot.json"))
		if err != nil {
			t.Fatal(err)
		}
		var v vectors
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		if len(v.Random) == 0 {
			t.Fatalf("%s: no vectors", dir)
		}
		for _, c := range v.Random {
			r := New(c.Seed)
			for i, want := range c.Bits {
				if got := r.Uint32(); got != want {
					t.Errorf("seed %d, output %d: %d, want %d", c.Seed, i, got, want)
				}
			}
			// The numbers below a bound go on where the words before end, or begin anew.
			fresh, on := New(c.Seed), true
			for _, b := range c.Below_ {
				on = on && fresh.Below(b[0]) == b[1]
			}
			if on {
				continue
			}
			for _, b := range c.Below_ {
				if got := r.Below(b[0]); got != b[1] {
					t.Errorf("seed %d, below %d: %d, want %d", c.Seed, b[0], got, b[1])
				}
			}
		}
	}
}

// A seed above 32 bits has two words. From CPython 3.11.
func TestLargeSeed(t *testing.T) {
	r := New(1<<40 + 7)
	for _, want := range []uint32{2635837658, 3209733218, 3500038837, 4028389051} {
		if got := r.Uint32(); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
}

// What CPython 3.11 makes of the same steps.
func TestSetOrder(t *testing.T) {
	for _, c := range []struct {
		add, remove, again []int
		want               []int
	}{
		{[]int{4, 5, 2}, []int{2, 4, 5}, []int{3, 0, 2, 1}, []int{0, 1, 2, 3}},
		{[]int{5, 3, 1, 6, 0}, []int{0, 3, 5}, []int{3, 6, 4, 2}, []int{1, 2, 3, 4, 6}},
		{[]int{24, 10, 4, 8, 28, 36, 34, 0, 32, 6}, []int{8, 4, 32}, []int{18, 20, 12, 34}, []int{0, 34, 36, 6, 10, 12, 18, 20, 24, 28}},
		{[]int{86, 80, 26, 23, 88, 25, 49, 38, 2, 46, 53, 21, 18, 33, 8, 42, 92, 77, 75, 0, 76, 43, 85, 39}, []int{21, 46, 42}, []int{89, 40, 23, 61}, []int{0, 2, 8, 18, 23, 25, 26, 33, 38, 39, 40, 43, 49, 53, 61, 75, 76, 77, 80, 85, 86, 88, 89, 92}},
		{[]int{483, 721, 180, 58, 262, 998, 961, 23, 972, 767, 366, 865, 413, 18, 562, 806, 428, 374, 385, 592, 861, 9, 463, 47, 724, 185, 638, 978, 977, 201}, []int{58, 724, 23}, []int{951, 839, 964, 473}, []int{385, 262, 9, 18, 413, 806, 428, 47, 562, 180, 951, 185, 961, 964, 839, 201, 972, 463, 592, 721, 978, 977, 473, 861, 865, 483, 998, 366, 374, 638, 767}},
		{[]int{45138, 67173, 46503, 68773, 32885, 60666, 14162, 48142, 38779, 4801, 56751, 11951, 27326, 44661, 67224, 47530, 19424, 44559, 36133, 12068}, []int{4801, 56751, 12068}, []int{23262, 10249, 19512, 40541}, []int{10249, 48142, 44559, 67224, 68773, 36133, 46503, 47530, 11951, 19512, 27326, 45138, 14162, 40541, 23262, 19424, 67173, 32885, 44661, 60666, 38779}},
		{[]int{61, 10, 46, 3, 5, 38, 34, 25, 2, 15, 47, 58, 22, 16, 29, 41, 26, 9, 60}, []int{10, 41, 47}, []int{26, 16, 16, 52}, []int{2, 3, 5, 9, 15, 16, 22, 25, 26, 29, 34, 38, 46, 52, 58, 60, 61}},
		{[]int{3, 5, 6, 15}, []int{5, 3, 15}, []int{9, 4, 14, 5}, []int{4, 5, 6, 9, 14}},
	} {
		s := NewSet(c.add...)
		for _, v := range c.remove {
			s.Remove(v)
		}
		for _, v := range c.again {
			s.Add(v)
		}
		if got := s.Items(); !slices.Equal(got, c.want) || s.Len() != len(c.want) {
			t.Errorf("%v - %v + %v: %v, want %v", c.add, c.remove, c.again, got, c.want)
		}
		for _, v := range c.want {
			if !s.Has(v) {
				t.Errorf("%v is not in the set", v)
			}
		}
	}
}
