//go:build !purego

#include "textflag.h"
#include "once_amd64.h"

// The kernels of lone_avx512_amd64.s for a cache of Q8_0. A number is code·scale, exactly.

// CODES makes numbers of the sixteen signed codes at p.
#define CODES(p, scale, x) \
	VPMOVSXBD p, x        \
	VCVTDQ2PS x, x        \
	VMULPS    scale, x, x

// KEY_SCALES loads the scales of a block of a tile of keys.
#define KEY_SCALES(tile, L0, L1) \
	VCVTPH2PS  (tile)(R13*1), L0   \
	VCVTPH2PS  32(tile)(R13*1), L1

// SCORE adds the products of one element of the query with 32 keys.
#define SCORE(tile, L0, L1, S0, S1) \
	CODES((tile)(R13*1), L0, Z9)          \
	CODES(16(tile)(R13*1), L1, Z10)       \
	VFMADD231PS Z9, Z8, S0                \
	VFMADD231PS Z10, Z8, S1

// BLOCK sets R15 to the rows of the next block and takes them from CX.
#define BLOCK \
	ADDQ    $64, R13 \
	MOVQ    $32, R15 \
	CMPQ    CX, R15  \
	CMOVQLT CX, R15  \
	SUBQ    R15, CX

#define NEXT_ROW(loop) \
	ADDQ $4, SI   \
	ADDQ $32, R13 \
	DECQ R15      \
	JNE  loop

// func scoresQ8AVX512(s, q *float32, w *keyWalk, tiles, k int)
//
//	Z0..Z7    sums, two for each tile      R8..R11  tiles     AX, BX, DX, R12  what to fetch
//	Z16..Z23  scales, two for each tile    R13  where in the tiles
//	SI  the query   CX  elements left      R15  of them in the block
TEXT ·scoresQ8AVX512(SB), NOSPLIT, $0-40
	MOVQ   q+8(FP), SI
	MOVQ   w+16(FP), DI
	MOVQ   k+32(FP), CX
	MOVQ   (DI), R8
	MOVQ   8(DI), R9
	MOVQ   16(DI), R10
	MOVQ   24(DI), R11
	MOVQ   32(DI), AX
	MOVQ   40(DI), BX
	MOVQ   48(DI), DX
	MOVQ   56(DI), R12
	MOVQ   s+0(FP), DI
	XORL   R13, R13
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	CMPQ   tiles+24(FP), $4
	JEQ    four

two:
	ONCE2((AX)(R13*1), (BX)(R13*1))
	KEY_SCALES(R8, Z16, Z17)
	KEY_SCALES(R9, Z18, Z19)
	BLOCK

row2:
	VBROADCASTSS (SI), Z8
	ONCE2((AX)(R13*1), (BX)(R13*1))
	SCORE(R8, Z16, Z17, Z0, Z1)
	SCORE(R9, Z18, Z19, Z2, Z3)
	NEXT_ROW(row2)
	TESTQ        CX, CX
	JNE          two
	JMP          store

four:
	ONCE4((AX)(R13*1), (BX)(R13*1), (DX)(R13*1), (R12)(R13*1))
	KEY_SCALES(R8, Z16, Z17)
	KEY_SCALES(R9, Z18, Z19)
	KEY_SCALES(R10, Z20, Z21)
	KEY_SCALES(R11, Z22, Z23)
	BLOCK

row4:
	VBROADCASTSS (SI), Z8
	ONCE4((AX)(R13*1), (BX)(R13*1), (DX)(R13*1), (R12)(R13*1))
	SCORE(R8, Z16, Z17, Z0, Z1)
	SCORE(R9, Z18, Z19, Z2, Z3)
	SCORE(R10, Z20, Z21, Z4, Z5)
	SCORE(R11, Z22, Z23, Z6, Z7)
	NEXT_ROW(row4)
	TESTQ        CX, CX
	JNE          four
	VMOVUPS      Z4, 256(DI)
	VMOVUPS      Z5, 320(DI)
	VMOVUPS      Z6, 384(DI)
	VMOVUPS      Z7, 448(DI)

store:
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	VZEROUPPER
	RET

// WEIGH adds sixteen elements of a value.
#define WEIGH(i, scale, S) \
	CODES((16*i)(DX), scale, Z9) \
	VFMADD231PS Z9, Z8, S

#define WEIGH_4 \
	WEIGH(0, Z12, Z0) \
	WEIGH(1, Z12, Z1) \
	WEIGH(2, Z13, Z2) \
	WEIGH(3, Z13, Z3)

#define WEIGH_7 \
	WEIGH_4           \
	WEIGH(4, Z14, Z4) \
	WEIGH(5, Z14, Z5) \
	WEIGH(6, Z15, Z6)

#define WEIGH_8 \
	WEIGH_7           \
	WEIGH(7, Z15, Z7)

#define SUMS_4(OP) OP(0, Z0); OP(1, Z1); OP(2, Z2); OP(3, Z3)
#define SUMS_7(OP) SUMS_4(OP); OP(4, Z4); OP(5, Z5); OP(6, Z6)
#define SUMS_8(OP) SUMS_7(OP); OP(7, Z7)
#define LOAD(i, S) VMOVUPS (64*i)(DI), S
#define STORE(i, S) VMOVUPS S, (64*i)(DI)

// SCALES_2 and SCALES_4 load the scales of 64 and of up to 128 elements.
#define SCALES_2 \
	VMOVD        (BX), X10     \
	VCVTPH2PS    X10, X10      \
	VBROADCASTSS X10, Z12      \
	VPERMPS      Z10, Z29, Z13

#define SCALES_4 \
	VMOVQ        (BX), X10     \
	VCVTPH2PS    X10, X10      \
	VBROADCASTSS X10, Z12      \
	VPERMPS      Z10, Z29, Z13 \
	VPERMPS      Z10, Z30, Z14 \
	VPERMPS      Z10, Z31, Z15

#define WEIGH_LOOP(loop, SUMS, FETCH, SCALES, STEP) \
	SUMS(LOAD)            \
loop: \
	FETCH                 \
	ADDQ         R12, R11 \
	VBROADCASTSS (SI), Z8 \
	SCALES                \
	STEP                  \
	ADDQ         $4, SI   \
	ADDQ         R9, DX   \
	ADDQ         R9, BX   \
	DECQ         CX       \
	JNE          loop     \
	SUMS(STORE)           \
	VZEROUPPER            \
	RET


// func weighQ8AVX512(o, weights *float32, codes, scales *byte, row, n, width int, ahead uintptr, step int)
//
//	Z0..Z7  sums   Z12..Z15  scales   DI  o       SI  weights                 R11  what to fetch
//	DX  codes      BX  their scales   CX  values  R9  bytes to the next ones  R12  bytes to the next
TEXT ·weighQ8AVX512(SB), NOSPLIT, $0-72
	MOVQ         o+0(FP), DI
	MOVQ         weights+8(FP), SI
	MOVQ         codes+16(FP), DX
	MOVQ         scales+24(FP), BX
	MOVQ         row+32(FP), R9
	MOVQ         n+40(FP), CX
	MOVQ         width+48(FP), AX
	MOVQ         ahead+56(FP), R11
	MOVQ         step+64(FP), R12
	VPBROADCASTD one<>(SB), Z29
	VPADDD       Z29, Z29, Z30
	VPADDD       Z30, Z29, Z31
	CMPQ         AX, $112
	JEQ          wide7
	CMPQ         AX, $128
	JEQ          wide8
	WEIGH_LOOP(loop4, SUMS_4, ONCE1((R11)), SCALES_2, WEIGH_4)

wide7:
	WEIGH_LOOP(loop7, SUMS_7, ONCE2((R11), 64(R11)), SCALES_4, WEIGH_7)

wide8:
	WEIGH_LOOP(loop8, SUMS_8, ONCE2((R11), 64(R11)), SCALES_4, WEIGH_8)

DATA one<>+0(SB)/4, $1
GLOBL one<>(SB), RODATA|NOPTR, $4
