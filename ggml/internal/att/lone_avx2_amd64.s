//go:build !purego

#include "textflag.h"
#include "once_amd64.h"

// The kernel of lone_avx512_amd64.s for two tiles of keys.
//
//	Y0..Y7  sums, four for each tile     R8, R9  tiles     AX, BX  what to fetch
//	SI  the query   CX  elements left    R13  where in the tiles

#define SCORE(tile, S0, S1, S2, S3) \
	VCVTPH2PS   (tile)(R13*1), Y9     \
	VCVTPH2PS   16(tile)(R13*1), Y10  \
	VCVTPH2PS   32(tile)(R13*1), Y11  \
	VCVTPH2PS   48(tile)(R13*1), Y12  \
	VFMADD231PS Y9, Y8, S0            \
	VFMADD231PS Y10, Y8, S1           \
	VFMADD231PS Y11, Y8, S2           \
	VFMADD231PS Y12, Y8, S3

// func scoresF16AVX2(s, q *float32, w *keyWalk, tiles, k int)
TEXT ·scoresF16AVX2(SB), NOSPLIT, $0-40
	MOVQ   s+0(FP), DI
	MOVQ   q+8(FP), SI
	MOVQ   w+16(FP), DX
	MOVQ   k+32(FP), CX
	MOVQ   (DX), R8
	MOVQ   8(DX), R9
	MOVQ   32(DX), AX
	MOVQ   40(DX), BX
	XORL   R13, R13
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7

loop:
	VBROADCASTSS (SI), Y8
	ONCE2((AX)(R13*1), (BX)(R13*1))
	SCORE(R8, Y0, Y1, Y2, Y3)
	SCORE(R9, Y4, Y5, Y6, Y7)
	ADDQ         $4, SI
	ADDQ         $64, R13
	DECQ         CX
	JNE          loop
	VMOVUPS      Y0, (DI)
	VMOVUPS      Y1, 32(DI)
	VMOVUPS      Y2, 64(DI)
	VMOVUPS      Y3, 96(DI)
	VMOVUPS      Y4, 128(DI)
	VMOVUPS      Y5, 160(DI)
	VMOVUPS      Y6, 192(DI)
	VMOVUPS      Y7, 224(DI)
	VZEROUPPER
	RET
