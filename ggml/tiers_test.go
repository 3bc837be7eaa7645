package ggml

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// TestCompileUsesTheTier: graphs run on the kernels that were asked for.
func TestCompileUsesTheTier(t *testing.T) {
	check.Tier(t, Tiers())
	pool := NewPool(1)
	defer pool.Close()
	for _, name := range append(Tiers(), "") {
		e, err := Compile(newGraph(), pool, 1, Options{Tier: name})
		if err != nil {
			t.Fatal(err)
		}
		want := name
		if name == "" {
			want = Tiers()[len(Tiers())-1]
		}
		if got := e.Tier(); got != want {
			t.Errorf("asked for %q, got %s, want %s", name, got, want)
		}
	}
}

// TestTierErrors: who asks for kernels that there are not is told why, and what
// there is.
func TestTierErrors(t *testing.T) {
	for _, k := range append(ThisCPU().Tiers, Tier{Name: "mmx"}, Tier{Name: "AVX2"}) {
		name, err := TierName(k.Name)
		if k.Usable {
			if err != nil || name != k.Name {
				t.Errorf("%s: %q, %v", k.Name, name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s passed", k.Name)
			continue
		}
		for _, want := range append(Tiers(), `ggml: kernels "`+k.Name+`": `, k.WhyNot()) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
}

func TestWhyNot(t *testing.T) {
	k := Tier{Missing: []Feature{{Name: "A"}, {Name: "B", Unsaved: true}, {Name: "C"}}}
	want := "this CPU lacks A, C; the operating system does not save the registers of B"
	if got := k.WhyNot(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestThisCPU: what is told agrees with what is done.
func TestThisCPU(t *testing.T) {
	c := ThisCPU()
	if c.Threads < 1 || c.Cores < 0 || c.L1 < 0 || c.L2 < 0 || c.L3 < 0 {
		t.Errorf("%+v", c)
	}
	var usable []string
	for _, k := range c.Tiers {
		if k.Usable {
			usable = append(usable, k.Name)
		}
		if k.Usable != (len(k.Missing) == 0) || c.PureGo && k.Name != "generic" {
			t.Errorf("%+v", k)
		}
	}
	if !slices.Equal(usable, Tiers()) {
		t.Errorf("usable kernels are %v, want %v", usable, Tiers())
	}
	b, err := json.Marshal(c)
	if err != nil || strings.Contains(string(b), "null") {
		t.Errorf("JSON: %s, %v", b, err)
	}
}
