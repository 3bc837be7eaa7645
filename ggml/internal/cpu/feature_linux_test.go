//go:build amd64 || arm64

package cpu

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"
)

// linuxNames are the features as Linux calls them.
var linuxNames = map[cpuid.FeatureID]string{
	cpuid.SSE4: "sse4_1", cpuid.AVX: "avx", cpuid.F16C: "f16c", cpuid.FMA3: "fma", cpuid.AVX2: "avx2", cpuid.AVXVNNI: "avx_vnni",
	cpuid.AVX512F: "avx512f", cpuid.AVX512DQ: "avx512dq", cpuid.AVX512BW: "avx512bw", cpuid.AVX512VL: "avx512vl",
	cpuid.AVX512VBMI: "avx512vbmi", cpuid.AVX512VNNI: "avx512_vnni", cpuid.AVX512BF16: "avx512_bf16",
	cpuid.AMXTILE: "amx_tile", cpuid.AMXINT8: "amx_int8", cpuid.AMXBF16: "amx_bf16",
	cpuid.ASIMD: "asimd", cpuid.ASIMDHP: "asimdhp", cpuid.ASIMDDP: "asimddp", cpuid.I8MM: "i8mm", cpuid.BF16: "bf16",
	cpuid.SVE: "sve", cpuid.SVE2: "sve2",
}

// TestFeaturesAreThoseOfLinux: the kernel of the operating system, which knows
// what it saves, lists the same features.
func TestFeaturesAreThoseOfLinux(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip(err)
	}
	info := map[string]string{} // of the first CPU
	for _, line := range strings.Split(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if _, ok := info[name]; !ok {
			info[name] = strings.TrimSpace(value)
		}
	}
	list, ok := info["Features"]
	if runtime.GOARCH == "amd64" {
		list, ok = info["flags"], info["model name"] == Name()
	}
	if !ok {
		t.Skip("/proc/cpuinfo is about another CPU: this one is emulated")
	}
	flags := strings.Fields(list)
	for _, f := range features {
		got, want := f.state(), slices.Contains(flags, linuxNames[f.id])
		if got.Unsaved && strings.HasPrefix(linuxNames[f.id], "amx") {
			continue // what it saves it may still refuse to this process
		}
		if got.Usable != want {
			t.Errorf("%s: %+v, Linux says %v", f.name, got, want)
		}
	}
}
