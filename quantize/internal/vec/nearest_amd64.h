// How num.Nearest rounds: at this size a float32 has no room for a fraction.
DATA shift<>+0(SB)/4, $0x4b400000 // 3 << 22 as float32
GLOBL shift<>(SB), RODATA|NOPTR, $4
DATA low<>+0(SB)/4, $0x007fffff
GLOBL low<>(SB), RODATA|NOPTR, $4
DATA zero<>+0(SB)/4, $0x00400000 // what 0 becomes
GLOBL zero<>(SB), RODATA|NOPTR, $4

// NEAREST turns floats to integers, with what 0 becomes added to them, and limits them.
#define NEAREST(t, shift, low, least, most) \
	VADDPS  shift, t, t \
	VPAND   low, t, t   \
	VPMAXSD least, t, t \
	VPMINSD most, t, t
