// Package cpu knows the CPU that the program runs on: what it is called, which features it
// has and which of them kernels need, how large its caches are, and how fast it could be.
package cpu

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Name returns what the CPU calls itself or, where it does not, who made it
// and by which number; "" if that is unknown.
func Name() string {
	if name := strings.TrimSpace(cpuid.CPU.BrandName); name != "" {
		return name
	}
	vendor := cpuid.CPU.VendorString
	if vendor == "" {
		return ""
	}
	part := cpuid.CPU.Model >> 4 & 0xfff // of arm64's register MIDR_EL1
	if name, ok := armParts[part]; ok && cpuid.CPU.VendorID == cpuid.ARM {
		return name
	}
	return fmt.Sprintf("%s, part 0x%03x", vendor, part)
}

// armParts are the cores of Arm Limited that machines for this program have, by
// part number.
var armParts = map[int]string{
	0xd03: "Cortex-A53",
	0xd05: "Cortex-A55",
	0xd07: "Cortex-A57",
	0xd08: "Cortex-A72",
	0xd0b: "Cortex-A76",
	0xd0c: "Neoverse N1",
	0xd40: "Neoverse V1",
	0xd41: "Cortex-A78",
	0xd44: "Cortex-X1",
	0xd49: "Neoverse N2",
	0xd4f: "Neoverse V2",
}

// Cores returns the number of cores, of which each may run several threads, or 0
// if it is unknown.
func Cores() int { return max(cpuid.CPU.PhysicalCores, 0) }

// Cache returns the bytes of a first-level data cache, a second-level and a
// third-level cache; 0 if there is none or its size is unknown.
func Cache() (sizes [3]int) {
	c := cpuid.CPU.Cache
	sizes = [...]int{max(c.L1D, 0), max(c.L2, 0), max(c.L3, 0)}
	if sizes != [...]int{0, 0, 0} {
		return sizes
	}
	return linuxCache("/sys/devices/system/cpu/cpu0/cache")
}

// linuxCache returns what Linux tells about the caches of a CPU in a folder, and
// zeros elsewhere.
func linuxCache(dir string) (sizes [3]int) {
	caches, _ := filepath.Glob(filepath.Join(dir, "index*")) // the pattern is right
	for _, cache := range caches {
		read := func(name string) string {
			text, _ := os.ReadFile(filepath.Join(cache, name)) // unknown if it is not there
			return strings.TrimSpace(string(text))
		}
		level, err := strconv.Atoi(read("level"))
		kib, sizeErr := strconv.Atoi(strings.TrimSuffix(read("size"), "K"))
		if err != nil || sizeErr != nil || level < 1 || level > len(sizes) || read("type") == "Instruction" {
			continue
		}
		sizes[level-1] = kib << 10
	}
	return sizes
}

// LastLevelCache returns the bytes of the largest cache, or 0 if unknown.
func LastLevelCache() int {
	sizes := Cache()
	return max(sizes[0], sizes[1], sizes[2])
}
