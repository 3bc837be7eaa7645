//go:build !purego

#include "textflag.h"
#include "once_amd64.h"
#include "exp_avx2_amd64.h"

// The two products of attention, query times key and weight times value, are
// the same kernel: C += A·B, where A holds a row of numbers for each query and
// the rows of B are read side by side, eight columns to a register. Every
// element of C is one chain of fused multiply-adds that goes on from C.

// TILE_START loads the arguments of a tile and C.
//
//	Y0..Y11   C: row r in Y(2r), Y(2r+1)     DI  C   R8   bytes to its next row
//	Y12, Y13  a row of B                     DX  B   R9   bytes to its next row
//	Y14, Y15  an element of A, broadcast     SI  A   R10  bytes to its next row
//	CX  rows of B left                       R11, R12  3·R10, 5·R10
//	R13, R14  3·R8, 5·R8
#define TILE_START(shift) \
	MOVQ    c+0(FP), DI       \
	MOVQ    ldc+8(FP), R8     \
	MOVQ    a+16(FP), SI      \
	MOVQ    lda+24(FP), R10   \
	MOVQ    b+32(FP), DX      \
	MOVQ    ldb+40(FP), R9    \
	MOVQ    k+48(FP), CX      \
	SHLQ    $2, R8            \
	SHLQ    $2, R10           \
	SHLQ    $shift, R9        \
	LEAQ    (R10)(R10*2), R11 \
	LEAQ    (R10)(R10*4), R12 \
	LEAQ    (R8)(R8*2), R13   \
	LEAQ    (R8)(R8*4), R14   \
	VMOVUPS (DI), Y0          \
	VMOVUPS 32(DI), Y1        \
	VMOVUPS (DI)(R8*1), Y2    \
	VMOVUPS 32(DI)(R8*1), Y3  \
	VMOVUPS (DI)(R8*2), Y4    \
	VMOVUPS 32(DI)(R8*2), Y5  \
	VMOVUPS (DI)(R13*1), Y6   \
	VMOVUPS 32(DI)(R13*1), Y7 \
	VMOVUPS (DI)(R8*4), Y8    \
	VMOVUPS 32(DI)(R8*4), Y9  \
	VMOVUPS (DI)(R14*1), Y10  \
	VMOVUPS 32(DI)(R14*1), Y11

// TILE_STEP adds the products with the row of B in Y12 and Y13.
#define TILE_STEP \
	VBROADCASTSS (SI), Y14         \
	VBROADCASTSS (SI)(R10*1), Y15  \
	VFMADD231PS  Y12, Y14, Y0      \
	VFMADD231PS  Y13, Y14, Y1      \
	VBROADCASTSS (SI)(R10*2), Y14  \
	VFMADD231PS  Y12, Y15, Y2      \
	VFMADD231PS  Y13, Y15, Y3      \
	VBROADCASTSS (SI)(R11*1), Y15  \
	VFMADD231PS  Y12, Y14, Y4      \
	VFMADD231PS  Y13, Y14, Y5      \
	VBROADCASTSS (SI)(R10*4), Y14  \
	VFMADD231PS  Y12, Y15, Y6      \
	VFMADD231PS  Y13, Y15, Y7      \
	VBROADCASTSS (SI)(R12*1), Y15  \
	VFMADD231PS  Y12, Y14, Y8      \
	VFMADD231PS  Y13, Y14, Y9      \
	VFMADD231PS  Y12, Y15, Y10     \
	VFMADD231PS  Y13, Y15, Y11     \
	ADDQ         $4, SI            \
	ADDQ         R9, DX

#define TILE_END \
	VMOVUPS Y0, (DI)          \
	VMOVUPS Y1, 32(DI)        \
	VMOVUPS Y2, (DI)(R8*1)    \
	VMOVUPS Y3, 32(DI)(R8*1)  \
	VMOVUPS Y4, (DI)(R8*2)    \
	VMOVUPS Y5, 32(DI)(R8*2)  \
	VMOVUPS Y6, (DI)(R13*1)   \
	VMOVUPS Y7, 32(DI)(R13*1) \
	VMOVUPS Y8, (DI)(R8*4)    \
	VMOVUPS Y9, 32(DI)(R8*4)  \
	VMOVUPS Y10, (DI)(R14*1)  \
	VMOVUPS Y11, 32(DI)(R14*1) \
	VZEROUPPER

// EACH1 to EACH8 do an operation for the first registers of a row.
#define EACH1(OP) OP(0, Y0)
#define EACH2(OP) EACH1(OP); OP(1, Y1)
#define EACH3(OP) EACH2(OP); OP(2, Y2)
#define EACH4(OP) EACH3(OP); OP(3, Y3)
#define EACH5(OP) EACH4(OP); OP(4, Y4)
#define EACH6(OP) EACH5(OP); OP(5, Y5)
#define EACH7(OP) EACH6(OP); OP(6, Y6)
#define EACH8(OP) EACH7(OP); OP(7, Y7)

#define ROW_LOAD(i, acc) VMOVUPS (32*i)(DI), acc
#define ROW_STORE(i, acc) VMOVUPS acc, (32*i)(DI)
#define ROW_F16(i, acc) VCVTPH2PS (16*i)(DX), Y8; VFMADD231PS Y8, Y9, acc
#define ROW_F32(i, acc) VFMADD231PS (32*i)(DX), Y9, acc

// ROW_START loads the arguments of a row and goes to the code of its width.
//
//	Y0..Y7  C                         DI  C
//	Y8      a part of a row of B      DX  B   R9  bytes to its next row
//	Y9      an element of A           SI  A
//	CX  rows of B left                R11 what to fetch   R12 bytes to the next
#define ROW_START(shift) \
	MOVQ c+0(FP), DI      \
	MOVQ a+8(FP), SI      \
	MOVQ b+16(FP), DX     \
	MOVQ ldb+24(FP), R9   \
	MOVQ k+32(FP), CX     \
	MOVQ width+40(FP), AX \
	MOVQ ahead+48(FP), R11 \
	MOVQ step+56(FP), R12 \
	SHLQ $shift, R9       \
	CMPQ AX, $8           \
	JEQ  row1             \
	CMPQ AX, $16          \
	JEQ  row2             \
	CMPQ AX, $24          \
	JEQ  row3             \
	CMPQ AX, $32          \
	JEQ  row4             \
	CMPQ AX, $40          \
	JEQ  row5             \
	CMPQ AX, $48          \
	JEQ  row6             \
	CMPQ AX, $56          \
	JEQ  row7             \
	JMP  row8

// FETCH_F16 and FETCH_F32 fetch what lies ahead: as much as a row of 64 columns has.
#define FETCH_F16 ONCE2((R11), 64(R11))
#define FETCH_F32 ONCE4((R11), 64(R11), 128(R11), 192(R11))

// ROW is the code of one width.
#define ROW(start, loop, EACH, STEP, FETCH) \
start: \
	EACH(ROW_LOAD)        \
loop: \
	FETCH                 \
	ADDQ         R12, R11 \
	VBROADCASTSS (SI), Y9 \
	EACH(STEP)            \
	ADDQ         $4, SI   \
	ADDQ         R9, DX   \
	DECQ         CX       \
	JNE          loop     \
	EACH(ROW_STORE)       \
	VZEROUPPER            \
	RET

// func tileF16(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)
TEXT ·tileF16(SB), NOSPLIT, $0-56
	TILE_START(1)

loop:
	VCVTPH2PS (DX), Y12
	VCVTPH2PS 16(DX), Y13
	TILE_STEP
	DECQ      CX
	JNE       loop
	TILE_END
	RET

// func tileF32(c *float32, ldc int, a *float32, lda int, b *byte, ldb, k int)
TEXT ·tileF32(SB), NOSPLIT, $0-56
	TILE_START(2)

loop:
	VMOVUPS (DX), Y12
	VMOVUPS 32(DX), Y13
	TILE_STEP
	DECQ    CX
	JNE     loop
	TILE_END
	RET

// func rowF16(c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int)
TEXT ·rowF16(SB), NOSPLIT, $0-64
	ROW_START(1)
	ROW(row1, loop1, EACH1, ROW_F16, FETCH_F16)
	ROW(row2, loop2, EACH2, ROW_F16, FETCH_F16)
	ROW(row3, loop3, EACH3, ROW_F16, FETCH_F16)
	ROW(row4, loop4, EACH4, ROW_F16, FETCH_F16)
	ROW(row5, loop5, EACH5, ROW_F16, FETCH_F16)
	ROW(row6, loop6, EACH6, ROW_F16, FETCH_F16)
	ROW(row7, loop7, EACH7, ROW_F16, FETCH_F16)
	ROW(row8, loop8, EACH8, ROW_F16, FETCH_F16)

// func rowF32(c, a *float32, b *byte, ldb, k, width int, ahead uintptr, step int)
TEXT ·rowF32(SB), NOSPLIT, $0-64
	ROW_START(2)
	ROW(row1, loop1, EACH1, ROW_F32, FETCH_F32)
	ROW(row2, loop2, EACH2, ROW_F32, FETCH_F32)
	ROW(row3, loop3, EACH3, ROW_F32, FETCH_F32)
	ROW(row4, loop4, EACH4, ROW_F32, FETCH_F32)
	ROW(row5, loop5, EACH5, ROW_F32, FETCH_F32)
	ROW(row6, loop6, EACH6, ROW_F32, FETCH_F32)
	ROW(row7, loop7, EACH7, ROW_F32, FETCH_F32)
	ROW(row8, loop8, EACH8, ROW_F32, FETCH_F32)

// func exponentialsAVX2(sum *[16]float32, s *float32, n int, slope float32, distance int) (max float32)
//
// First pass, sixteen scores a round:
//
//	Y0, Y1  scores   Y2, Y3  their index, int32   Y4, Y5  largest so far
//	Y6  n   Y7  -Inf   Y8  slope   Y9  distance   Y10  16   Y11, Y12  temporary
//
// The bias is added even if slope is 0: it can only change the sign of a zero,
// and that cannot be seen in the exponentials. Scores from n on become -Inf, so
// that their exponentials are 0.
TEXT ·exponentialsAVX2(SB), NOSPLIT, $0-44
	MOVQ         s+8(FP), SI
	MOVQ         n+16(FP), CX
	VPMOVZXBD    iota<>+0(SB), Y2
	VPMOVZXBD    iota<>+8(SB), Y3
	VPBROADCASTD n+16(FP), Y6
	VPBROADCASTD minusInf<>+0(SB), Y7
	VBROADCASTSS slope+24(FP), Y8
	VPBROADCASTD distance+32(FP), Y9
	VPBROADCASTD sixteen<>+0(SB), Y10
	VMOVAPS      Y7, Y4
	VMOVAPS      Y7, Y5

score:
	VMOVUPS     (SI), Y0
	VMOVUPS     32(SI), Y1
	VPADDD      Y9, Y2, Y11
	VPADDD      Y9, Y3, Y12
	VCVTDQ2PS   Y11, Y11
	VCVTDQ2PS   Y12, Y12
	VFMADD231PS Y11, Y8, Y0
	VFMADD231PS Y12, Y8, Y1
	VPCMPGTD    Y2, Y6, Y11
	VPCMPGTD    Y3, Y6, Y12
	VBLENDVPS   Y11, Y0, Y7, Y0
	VBLENDVPS   Y12, Y1, Y7, Y1
	VMAXPS      Y4, Y0, Y4
	VMAXPS      Y5, Y1, Y5
	VMOVUPS     Y0, (SI)
	VMOVUPS     Y1, 32(SI)
	VPADDD      Y10, Y2, Y2
	VPADDD      Y10, Y3, Y3
	ADDQ        $64, SI
	SUBQ        $16, CX
	JGT         score

	VMAXPS       Y4, Y5, Y4
	VEXTRACTF128 $1, Y4, X5
	VMAXPS       X4, X5, X4
	VPERMILPS    $0x4e, X4, X5
	VMAXPS       X4, X5, X4
	VPERMILPS    $0xb1, X4, X5
	VMAXPS       X4, X5, X4
	VMOVSS       X4, max+40(FP)

	// Second pass: Y0..Y3 see EXP, Y4, Y5 the lanes of the sum.
	MOVQ   s+8(FP), SI
	MOVQ   n+16(FP), CX
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	EXP_CONSTANTS

exponential:
	VMOVUPS      (SI), Y0
	VBROADCASTSS max+40(FP), Y1
	VSUBPS       Y1, Y0, Y0
	EXP(Y0, Y1, Y2, Y3)
	VMOVUPS      Y1, (SI)
	VADDPS       Y1, Y4, Y4
	VMOVUPS      32(SI), Y0
	VBROADCASTSS max+40(FP), Y1
	VSUBPS       Y1, Y0, Y0
	EXP(Y0, Y1, Y2, Y3)
	VMOVUPS      Y1, 32(SI)
	VADDPS       Y1, Y5, Y5
	ADDQ         $64, SI
	SUBQ         $16, CX
	JGT          exponential

	MOVQ    sum+0(FP), DI
	VMOVUPS Y4, (DI)
	VMOVUPS Y5, 32(DI)
	VZEROUPPER
	RET

DATA iota<>+0(SB)/8, $0x0706050403020100
DATA iota<>+8(SB)/8, $0x0f0e0d0c0b0a0908
GLOBL iota<>(SB), RODATA|NOPTR, $16

DATA minusInf<>+0(SB)/4, $0xff800000
GLOBL minusInf<>(SB), RODATA|NOPTR, $4

DATA sixteen<>+0(SB)/4, $16
GLOBL sixteen<>(SB), RODATA|NOPTR, $4

// func mergex8(output, partial *float32, n int, old, new float32)
TEXT ·mergex8(SB), NOSPLIT, $0-32
	MOVQ         output+0(FP), DI
	MOVQ         partial+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS old+24(FP), Y2
	VBROADCASTSS new+28(FP), Y3

loop:
	VMULPS      (SI), Y3, Y0
	VMOVUPS     (DI), Y1
	VFMADD213PS Y0, Y2, Y1
	VMOVUPS     Y1, (DI)
	ADDQ        $32, SI
	ADDQ        $32, DI
	SUBQ        $8, CX
	JNE         loop
	VZEROUPPER
	RET

// func storeColumnx8(dst *byte, src *float32, n int)
TEXT ·storeColumnx8(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

loop:
	VMOVUPS   (SI), Y0
	VCVTPS2PH $0, Y0, X0
	VPEXTRW   $0, X0, (DI)
	VPEXTRW   $1, X0, 64(DI)
	VPEXTRW   $2, X0, 128(DI)
	VPEXTRW   $3, X0, 192(DI)
	VPEXTRW   $4, X0, 256(DI)
	VPEXTRW   $5, X0, 320(DI)
	VPEXTRW   $6, X0, 384(DI)
	VPEXTRW   $7, X0, 448(DI)
	ADDQ      $32, SI
	ADDQ      $512, DI
	SUBQ      $8, CX
	JNE       loop
	VZEROUPPER
	RET
