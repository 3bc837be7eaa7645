//go:build !purego

#include "textflag.h"
#include "nearest_amd64.h"

DATA unsigned<>+0(SB)/4, $0x7fffffff
GLOBL unsigned<>(SB), RODATA|NOPTR, $4

// func correlatex24(sx, s2 *[Tries]float32, x, w *float32, n int, inv *[Tries]float32, lo, hi int32)
//
// Y0..Y2  sx   Y3..Y5  s2   Y6 x   Y7  w   Y8  w·x   Y9  q   Y10  products
// Y11  shift   Y12  low   Y13  zero   Y14, Y15  lo and hi, as they become
#define TRY(offset, sx, s2) \
	VMULPS    offset(R8), Y6, Y9             \
	NEAREST(Y9, Y11, Y12, Y14, Y15) \
	VPSUBD    Y13, Y9, Y9                    \
	VCVTDQ2PS Y9, Y9                         \
	VMULPS    Y9, Y8, Y10                    \
	VADDPS    Y10, sx, sx                    \
	VMULPS    Y9, Y7, Y10                    \
	VMULPS    Y9, Y10, Y10                   \
	VADDPS    Y10, s2, s2

TEXT ·correlatex24(SB), NOSPLIT, $0-56
	MOVQ         x+16(FP), SI
	MOVQ         w+24(FP), DX
	MOVQ         n+32(FP), CX
	MOVQ         inv+40(FP), R8
	VBROADCASTSS shift<>(SB), Y11
	VPBROADCASTD low<>(SB), Y12
	VPBROADCASTD zero<>(SB), Y13
	MOVL         lo+48(FP), AX
	VMOVD        AX, X14
	VPBROADCASTD X14, Y14
	MOVL         hi+52(FP), AX
	VMOVD        AX, X15
	VPBROADCASTD X15, Y15
	VPADDD       Y13, Y14, Y14
	VPADDD       Y13, Y15, Y15
	VXORPS       Y0, Y0, Y0
	VXORPS       Y1, Y1, Y1
	VXORPS       Y2, Y2, Y2
	VXORPS       Y3, Y3, Y3
	VXORPS       Y4, Y4, Y4
	VXORPS       Y5, Y5, Y5

next:
	VBROADCASTSS (SI), Y6
	VBROADCASTSS (DX), Y7
	VMULPS       Y6, Y7, Y8
	TRY(0, Y0, Y3)
	TRY(32, Y1, Y4)
	TRY(64, Y2, Y5)
	ADDQ         $4, SI
	ADDQ         $4, DX
	DECQ         CX
	JNE          next

	MOVQ    sx+0(FP), DI
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	MOVQ    s2+8(FP), DI
	VMOVUPS Y3, (DI)
	VMOVUPS Y4, 32(DI)
	VMOVUPS Y5, 64(DI)
	VZEROUPPER
	RET

// CODE makes Y2 the codes of the values Y1.
//
// Y8  inv   Y9  lo   Y11  shift   Y12  low   Y13  zero   Y15  top, as it becomes
#define CODE \
	VSUBPS    Y9, Y1, Y2            \
	VMULPS    Y8, Y2, Y2            \
	NEAREST(Y2, Y11, Y12, Y13, Y15) \
	VPSUBD    Y13, Y2, Y2           \
	VCVTDQ2PS Y2, Y2

// func groupSumsx8(sl, sl2, slx *PerGroup, x, w *float32, n int, inv, lo *PerGroup, top int32)
//
// Y1  x   Y2  q   Y3  w·q   Y4  products   Y5..Y7  sl, sl2, slx
TEXT ·groupSumsx8(SB), NOSPLIT, $0-68
	MOVQ         x+24(FP), SI
	MOVQ         w+32(FP), DX
	MOVQ         n+40(FP), CX
	MOVQ         inv+48(FP), R8
	MOVQ         lo+56(FP), R9
	VMOVUPS      (R8), Y8
	VMOVUPS      (R9), Y9
	VBROADCASTSS shift<>(SB), Y11
	VPBROADCASTD low<>(SB), Y12
	VPBROADCASTD zero<>(SB), Y13
	MOVL         top+64(FP), AX
	VMOVD        AX, X15
	VPBROADCASTD X15, Y15
	VPADDD       Y13, Y15, Y15
	VXORPS       Y5, Y5, Y5
	VXORPS       Y6, Y6, Y6
	VXORPS       Y7, Y7, Y7

next:
	VMOVUPS (SI), Y1
	CODE
	VMULPS  (DX), Y2, Y3
	VADDPS  Y3, Y5, Y5
	VMULPS  Y2, Y3, Y4
	VADDPS  Y4, Y6, Y6
	VMULPS  Y1, Y3, Y4
	VADDPS  Y4, Y7, Y7
	ADDQ    $32, SI
	ADDQ    $32, DX
	DECQ    CX
	JNE     next

	MOVQ    sl+0(FP), DI
	VMOVUPS Y5, (DI)
	MOVQ    sl2+8(FP), DI
	VMOVUPS Y6, (DI)
	MOVQ    slx+16(FP), DI
	VMOVUPS Y7, (DI)
	VZEROUPPER
	RET

// func groupErrorsx8(e *PerGroup, x, w *float32, n int, inv, lo *PerGroup, top int32, scale, least *PerGroup, absolute bool)
//
// Y1  x   Y2  q, then the difference   Y3  its magnitude or square   Y5  sums   Y6  scale
// Y7  least   Y10  unsigned
TEXT ·groupErrorsx8(SB), NOSPLIT, $0-73
	MOVQ         x+8(FP), SI
	MOVQ         w+16(FP), DX
	MOVQ         n+24(FP), CX
	MOVQ         inv+32(FP), R8
	MOVQ         lo+40(FP), R9
	MOVQ         scale+56(FP), R10
	MOVQ         least+64(FP), R11
	VMOVUPS      (R8), Y8
	VMOVUPS      (R9), Y9
	VMOVUPS      (R10), Y6
	VMOVUPS      (R11), Y7
	VPBROADCASTD unsigned<>(SB), Y10
	VBROADCASTSS shift<>(SB), Y11
	VPBROADCASTD low<>(SB), Y12
	VPBROADCASTD zero<>(SB), Y13
	MOVL         top+48(FP), AX
	VMOVD        AX, X15
	VPBROADCASTD X15, Y15
	VPADDD       Y13, Y15, Y15
	VXORPS       Y5, Y5, Y5
	CMPB         absolute+72(FP), $0
	JNE          magnitude

square:
	VMOVUPS (SI), Y1
	CODE
	VMULPS  Y6, Y2, Y2
	VADDPS  Y7, Y2, Y2
	VSUBPS  Y1, Y2, Y2
	VMULPS  Y2, Y2, Y3
	VMULPS  (DX), Y3, Y3
	VADDPS  Y3, Y5, Y5
	ADDQ    $32, SI
	ADDQ    $32, DX
	DECQ    CX
	JNE     square
	JMP     done

magnitude:
	VMOVUPS (SI), Y1
	CODE
	VMULPS  Y6, Y2, Y2
	VADDPS  Y7, Y2, Y2
	VSUBPS  Y1, Y2, Y2
	VANDPS  Y10, Y2, Y3
	VMULPS  (DX), Y3, Y3
	VADDPS  Y3, Y5, Y5
	ADDQ    $32, SI
	ADDQ    $32, DX
	DECQ    CX
	JNE     magnitude

done:
	MOVQ    e+0(FP), DI
	VMOVUPS Y5, (DI)
	VZEROUPPER
	RET

DATA beyond<>+0(SB)/4, $0x43800000 // 256, more than any of the table
GLOBL beyond<>(SB), RODATA|NOPTR, $4
DATA first<>+0(SB)/4, $254 // what the table begins before 0 with
GLOBL first<>(SB), RODATA|NOPTR, $4
DATA last<>+0(SB)/4, $480
GLOBL last<>(SB), RODATA|NOPTR, $4

// LOOK adds what the values get with some of the inverse scales. A NaN stays one in the minimum,
// and becomes the least integer.
#define LOOK(inv, a, b) \
	VMULPS     Y6, inv, Y9         \
	VADDPS     Y9, Y9, Y9          \
	VMINPS     Y9, Y11, Y9         \
	VROUNDPS   $1, Y9, Y9          \
	VCVTTPS2DQ Y9, Y9              \
	VPADDD     Y12, Y9, Y9         \
	VPMAXSD    Y14, Y9, Y9         \
	VPMINSD    Y13, Y9, Y9         \
	VPCMPEQD   Y15, Y15, Y15       \
	VGATHERDPS Y15, (R9)(Y9*4), Y8 \
	VMULPS     Y8, Y7, Y10         \
	VMULPS     Y6, Y10, Y9         \
	VADDPS     Y9, a, a            \
	VMULPS     Y8, Y10, Y10        \
	VADDPS     Y10, b, b

// func correlateTablex16(a, b *[TableTries]float32, x, w *float32, n int, inv *[TableTries]float32, table *Halves)
//
// Y0, Y1  a   Y2, Y3  b   Y4, Y5  inv   Y6  x   Y7  w   Y8  q   Y9  indices, products
// Y10  w·q   Y11  beyond   Y12  first   Y13  last   Y14  0   Y15  all
TEXT ·correlateTablex16(SB), NOSPLIT, $0-56
	MOVQ         x+16(FP), SI
	MOVQ         w+24(FP), DX
	MOVQ         n+32(FP), CX
	MOVQ         inv+40(FP), R8
	MOVQ         table+48(FP), R9
	VMOVUPS      (R8), Y4
	VMOVUPS      32(R8), Y5
	VBROADCASTSS beyond<>(SB), Y11
	VPBROADCASTD first<>(SB), Y12
	VPBROADCASTD last<>(SB), Y13
	VPXOR        Y14, Y14, Y14
	VXORPS       Y0, Y0, Y0
	VXORPS       Y1, Y1, Y1
	VXORPS       Y2, Y2, Y2
	VXORPS       Y3, Y3, Y3

next:
	VBROADCASTSS (SI), Y6
	VBROADCASTSS (DX), Y7
	LOOK(Y4, Y0, Y2)
	LOOK(Y5, Y1, Y3)
	ADDQ         $4, SI
	ADDQ         $4, DX
	DECQ         CX
	JNE          next

	MOVQ    a+0(FP), DI
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	MOVQ    b+8(FP), DI
	VMOVUPS Y2, (DI)
	VMOVUPS Y3, 32(DI)
	VZEROUPPER
	RET
