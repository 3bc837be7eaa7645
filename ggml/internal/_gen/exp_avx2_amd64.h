// Macros for e^x on eight lanes, as the functions Exp and expReduced define it.
// EXP_CONSTANTS loads the registers that the others keep:
//
//	Y15 log2E   Y14 roundBias   Y13 ln2Hi   Y12 ln2Lo
//	Y11..Y7     expPoly[6] down to expPoly[2]
//	Y6          expPoly[1] = expPoly[0] = 1

#define EXP_CONSTANTS \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·mathTable+0(SB), Y15  \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·mathTable+4(SB), Y14  \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·mathTable+8(SB), Y13  \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·mathTable+12(SB), Y12 \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·expPoly+24(SB), Y11   \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·expPoly+20(SB), Y10   \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·expPoly+16(SB), Y9    \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·expPoly+12(SB), Y8    \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·expPoly+8(SB), Y7     \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·expPoly+4(SB), Y6

// EXP_REDUCED sets y to 2^n·e^r; biased is roundBias+n and is clobbered.
#define EXP_REDUCED(biased, r, y) \
	VMOVAPS     Y11, y             \
	VFMADD213PS Y10, r, y          \
	VFMADD213PS Y9, r, y           \
	VFMADD213PS Y8, r, y           \
	VFMADD213PS Y7, r, y           \
	VFMADD213PS Y6, r, y           \
	VFMADD213PS Y6, r, y           \
	VPSLLD      $23, biased, biased \
	VPADDD      biased, y, y

// EXP sets y to e^x and clobbers x, r and biased. The comparisons are x < expLow
// and not x <= expHigh, which is true of a NaN.
#define EXP(x, y, r, biased) \
	VMOVAPS       x, biased                  \
	VFMADD213PS   Y14, Y15, biased           \
	VSUBPS        Y14, biased, y             \
	VMOVAPS       x, r                       \
	VFNMADD231PS  Y13, y, r                  \
	VFNMADD231PS  Y12, y, r                  \
	EXP_REDUCED(biased, r, y)                \
	VBROADCASTSS  mptgo∕ggml∕internal∕scalar·mathTable+16(SB), r       \
	VCMPPS        $0x11, r, x, r             \
	VANDNPS       y, r, y                    \
	VBROADCASTSS  mptgo∕ggml∕internal∕scalar·mathTable+20(SB), r       \
	VCMPPS        $0x16, r, x, r             \
	VBROADCASTSS  mptgo∕ggml∕internal∕scalar·mathTable+24(SB), biased  \
	VMULPS        biased, x, x               \
	VBLENDVPS     r, x, y, y
