//go:build !purego

#include "textflag.h"

// The tile of att_avx2_amd64.s, thirty-two columns wide.

// WIDE_START loads the arguments of a tile and C.
//
//	Z0..Z11   C: row r in Z(2r), Z(2r+1)       DI  C   R8   bytes to its next row
//	Z12, Z13  a row of B                       DX  B   R9   bytes to its next row
//	Z14..Z19  an element of A each, broadcast  SI  A   R10  bytes to its next row
//	CX  rows of B left                         R11, R12  3·R10, 5·R10
//	R13, R14  3·R8, 5·R8
#define WIDE_START(shift) \
	MOVQ    c+0(FP), DI        \
	MOVQ    ldc+8(FP), R8      \
	MOVQ    a+16(FP), SI       \
	MOVQ    lda+24(FP), R10    \
	MOVQ    b+32(FP), DX       \
	MOVQ    ldb+40(FP), R9     \
	MOVQ    k+48(FP), CX       \
	SHLQ    $2, R8             \
	SHLQ    $2, R10            \
	SHLQ    $shift, R9         \
	LEAQ    (R10)(R10*2), R11  \
	LEAQ    (R10)(R10*4), R12  \
	LEAQ    (R8)(R8*2), R13    \
	LEAQ    (R8)(R8*4), R14    \
	VMOVUPS (DI), Z0           \
	VMOVUPS 64(DI), Z1         \
	VMOVUPS (DI)(R8*1), Z2     \
	VMOVUPS 64(DI)(R8*1), Z3   \
	VMOVUPS (DI)(R8*2), Z4     \
	VMOVUPS 64(DI)(R8*2), Z5   \
	VMOVUPS (DI)(R13*1), Z6    \
	VMOVUPS 64(DI)(R13*1), Z7  \
	VMOVUPS (DI)(R8*4), Z8     \
	VMOVUPS 64(DI)(R8*4), Z9   \
	VMOVUPS (DI)(R14*1), Z10   \
	VMOVUPS 64(DI)(R14*1), Z11

// WIDE_STEP adds the products with the row of B in Z12 and Z13.
#define WIDE_STEP \
	VBROADCASTSS (SI), Z14        \
	VBROADCASTSS (SI)(R10*1), Z15 \
	VBROADCASTSS (SI)(R10*2), Z16 \
	VBROADCASTSS (SI)(R11*1), Z17 \
	VBROADCASTSS (SI)(R10*4), Z18 \
	VBROADCASTSS (SI)(R12*1), Z19 \
	VFMADD231PS  Z12, Z14, Z0     \
	VFMADD231PS  Z13, Z14, Z1     \
	VFMADD231PS  Z12, Z15, Z2     \
	VFMADD231PS  Z13, Z15, Z3     \
	VFMADD231PS  Z12, Z16, Z4     \
	VFMADD231PS  Z13, Z16, Z5     \
	VFMADD231PS  Z12, Z17, Z6     \
	VFMADD231PS  Z13, Z17, Z7     \
	VFMADD231PS  Z12, Z18, Z8     \
	VFMADD231PS  Z13, Z18, Z9     \
	VFMADD231PS  Z12, Z19, Z10    \
	VFMADD231PS  Z13, Z19, Z11    \
	ADDQ         $4, SI           \
	ADDQ         R9, DX

#define WIDE_END \
	VMOVUPS Z0, (DI)           \
	VMOVUPS Z1, 64(DI)         \
	VMOVUPS Z2, (DI)(R8*1)     \
	VMOVUPS Z3, 64(DI)(R8*1)   \
	VMOVUPS Z4, (DI)(R8*2)     \
	VMOVUPS Z5, 64(DI)(R8*2)   \
	VMOVUPS Z6, (DI)(R13*1)    \
	VMOVUPS Z7, 64(DI)(R13*1)  \
	VMOVUPS Z8, (DI)(R8*4)     \
	VMOVUPS Z9, 64(DI)(R8*4)   \
	VMOVUPS Z10, (DI)(R14*1)   \
	VMOVUPS Z11, 64(DI)(R14*1) \
	VZEROUPPER

// func wideF16AVX512(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)
TEXT ·wideF16AVX512(SB), NOSPLIT, $0-56
	WIDE_START(1)

loop:
	VCVTPH2PS (DX), Z12
	VCVTPH2PS 32(DX), Z13
	WIDE_STEP
	DECQ      CX
	JNE       loop
	WIDE_END
	RET

// func wideF32AVX512(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)
TEXT ·wideF32AVX512(SB), NOSPLIT, $0-56
	WIDE_START(2)

loop:
	VMOVUPS (DX), Z12
	VMOVUPS 64(DX), Z13
	WIDE_STEP
	DECQ    CX
	JNE     loop
	WIDE_END
	RET
