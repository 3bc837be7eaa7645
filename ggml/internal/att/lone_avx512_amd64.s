//go:build !purego

#include "textflag.h"
#include "once_amd64.h"

// The products of a lone query, four or two tiles of keys together: a chain of sums waits four
// cycles for every step, in which the others go on.
//
//	Z0..Z7  sums, two for each tile      R8..R11  tiles     AX, BX, DX, R12  what to fetch
//	SI  the query   CX  elements left    R13  where in the tiles

#define SCORE_START \
	MOVQ q+8(FP), SI     \
	MOVQ w+16(FP), DI    \
	MOVQ k+32(FP), CX    \
	MOVQ (DI), R8        \
	MOVQ 8(DI), R9       \
	MOVQ 16(DI), R10     \
	MOVQ 24(DI), R11     \
	MOVQ 32(DI), AX      \
	MOVQ 40(DI), BX      \
	MOVQ 48(DI), DX      \
	MOVQ 56(DI), R12     \
	MOVQ s+0(FP), DI     \
	XORL R13, R13        \
	VPXORD Z0, Z0, Z0    \
	VPXORD Z1, Z1, Z1    \
	VPXORD Z2, Z2, Z2    \
	VPXORD Z3, Z3, Z3    \
	VPXORD Z4, Z4, Z4    \
	VPXORD Z5, Z5, Z5    \
	VPXORD Z6, Z6, Z6    \
	VPXORD Z7, Z7, Z7

#define SCORE(tile, S0, S1) \
	VCVTPH2PS   (tile)(R13*1), Z9     \
	VCVTPH2PS   32(tile)(R13*1), Z10  \
	VFMADD231PS Z9, Z8, S0            \
	VFMADD231PS Z10, Z8, S1

#define SCORE_NEXT(loop) \
	ADDQ $4, SI   \
	ADDQ $64, R13 \
	DECQ CX       \
	JNE  loop

#define WEIGH(o, S) \
	VCVTPH2PS   (32*o)(DX), Z9 \
	VFMADD231PS Z9, Z8, S

// func scoresF16AVX512(s, q *float32, w *keyWalk, tiles, k int)
TEXT ·scoresF16AVX512(SB), NOSPLIT, $0-40
	SCORE_START
	CMPQ tiles+24(FP), $4
	JEQ  four

two:
	VBROADCASTSS (SI), Z8
	ONCE2((AX)(R13*1), (BX)(R13*1))
	SCORE(R8, Z0, Z1)
	SCORE(R9, Z2, Z3)
	SCORE_NEXT(two)
	JMP  store

four:
	VBROADCASTSS (SI), Z8
	ONCE4((AX)(R13*1), (BX)(R13*1), (DX)(R13*1), (R12)(R13*1))
	SCORE(R8, Z0, Z1)
	SCORE(R9, Z2, Z3)
	SCORE(R10, Z4, Z5)
	SCORE(R11, Z6, Z7)
	SCORE_NEXT(four)
	VMOVUPS Z4, 256(DI)
	VMOVUPS Z5, 320(DI)
	VMOVUPS Z6, 384(DI)
	VMOVUPS Z7, 448(DI)

store:
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	VZEROUPPER
	RET

// func weighF16AVX512(o, weights *float32, values *byte, row, n int, ahead uintptr, step int)
TEXT ·weighF16AVX512(SB), NOSPLIT, $0-56
	MOVQ    o+0(FP), DI
	MOVQ    weights+8(FP), SI
	MOVQ    values+16(FP), DX
	MOVQ    row+24(FP), R9
	MOVQ    n+32(FP), CX
	MOVQ    ahead+40(FP), R11
	MOVQ    step+48(FP), R12
	VMOVUPS (DI), Z0
	VMOVUPS 64(DI), Z1
	VMOVUPS 128(DI), Z2
	VMOVUPS 192(DI), Z3
	VMOVUPS 256(DI), Z4
	VMOVUPS 320(DI), Z5
	VMOVUPS 384(DI), Z6
	VMOVUPS 448(DI), Z7

weigh:
	ONCE4((R11), 64(R11), 128(R11), 192(R11))
	VBROADCASTSS (SI), Z8
	WEIGH(0, Z0)
	WEIGH(1, Z1)
	WEIGH(2, Z2)
	WEIGH(3, Z3)
	WEIGH(4, Z4)
	WEIGH(5, Z5)
	WEIGH(6, Z6)
	WEIGH(7, Z7)
	ADDQ         R12, R11
	ADDQ         R9, DX
	ADDQ         $4, SI
	DECQ         CX
	JNE          weigh
	VMOVUPS      Z0, (DI)
	VMOVUPS      Z1, 64(DI)
	VMOVUPS      Z2, 128(DI)
	VMOVUPS      Z3, 192(DI)
	VMOVUPS      Z4, 256(DI)
	VMOVUPS      Z5, 320(DI)
	VMOVUPS      Z6, 384(DI)
	VMOVUPS      Z7, 448(DI)
	VZEROUPPER
	RET
