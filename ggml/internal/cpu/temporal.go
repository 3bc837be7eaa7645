package cpu

import "github.com/klauspost/cpuid/v2"

// NonTemporal says how kernels fetch weights, keys and values that they go over once: past the last-level cache
// (PREFETCHNTA) or into it. What leaves the second-level cache of a Zen 5 goes into the last one, which
// costs time and keeps what will not be read again in time; fetched past it, memory is read up to a fifth faster.
// Lines fetched so lie in the second-level cache there. On other CPUs they may lie in the first one alone, which
// is smaller than what is on its way, so these fetch as usual.
var NonTemporal = cpuid.CPU.VendorID == cpuid.AMD && cpuid.CPU.Family >= zen5

// zen5 is the family of Zen 5.
const zen5 = 0x1a
