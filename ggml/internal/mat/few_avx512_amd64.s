//go:build !purego

#include "textflag.h"

// Kernels for 2 to 16 rows of activations multiply sixteen rows of weights as they lie in the
// file: the codes of a block are transposed in registers, where all rows of activations meet them.
// A panel would have to be written and read again, which takes longer than so few products.
//
//	Z0..Z7    unsigned codes of a block, four columns of the sixteen rows each
//	Z8        the scales of the rows           Z9        temporary
//	Z10..Z13  sums, before that temporary      Z15       the minima of the rows
//	Z16..Z31  the results of each row of activations
//	SI, R10, R11, R13  rows 0, 4, 8, 12 of weights     R8, R9   1 and 3 times their distance
//	DX, DI, R14  rows 0, 7, 14 of activations          BX, R12, CX  1, 3, 5 times theirs
//	AX  temporary

// T0 to T15 address what the block of a row of activations has at an offset.
#define T0(o) o(DX)
#define T1(o) o(DX)(BX*1)
#define T2(o) o(DX)(BX*2)
#define T3(o) o(DX)(R12*1)
#define T4(o) o(DX)(BX*4)
#define T5(o) o(DX)(CX*1)
#define T6(o) o(DX)(R12*2)
#define T7(o) o(DI)
#define T8(o) o(DI)(BX*1)
#define T9(o) o(DI)(BX*2)
#define T10(o) o(DI)(R12*1)
#define T11(o) o(DI)(BX*4)
#define T12(o) o(DI)(CX*1)
#define T13(o) o(DI)(R12*2)
#define T14(o) o(R14)
#define T15(o) o(R14)(BX*1)

// The places in a block of activations, see act.Block.
#define ACT_D 32
#define ACT_S 36
#define ACT_HALF 44
#define ZERO8 40
#define ACT 48

// DOTS1 to DOTS4 set sums to the products of the codes with one to four rows of activations.
#define COLUMN1(o, C, A) VPDPBUSD.BCST A(o), C, Z10
#define COLUMN2(o, C, A, B) COLUMN1(o, C, A); VPDPBUSD.BCST B(o), C, Z11
#define COLUMN3(o, C, A, B, E) COLUMN2(o, C, A, B); VPDPBUSD.BCST E(o), C, Z12
#define COLUMN4(o, C, A, B, E, F) COLUMN3(o, C, A, B, E); VPDPBUSD.BCST F(o), C, Z13

#define DOTS2(A, B) \
	VPXORD Z10, Z10, Z10  \
	VPXORD Z11, Z11, Z11  \
	COLUMN2(0, Z0, A, B)  \
	COLUMN2(4, Z1, A, B)  \
	COLUMN2(8, Z2, A, B)  \
	COLUMN2(12, Z3, A, B) \
	COLUMN2(16, Z4, A, B) \
	COLUMN2(20, Z5, A, B) \
	COLUMN2(24, Z6, A, B) \
	COLUMN2(28, Z7, A, B)

#define DOTS3(A, B, E) \
	VPXORD Z10, Z10, Z10     \
	VPXORD Z11, Z11, Z11     \
	VPXORD Z12, Z12, Z12     \
	COLUMN3(0, Z0, A, B, E)  \
	COLUMN3(4, Z1, A, B, E)  \
	COLUMN3(8, Z2, A, B, E)  \
	COLUMN3(12, Z3, A, B, E) \
	COLUMN3(16, Z4, A, B, E) \
	COLUMN3(20, Z5, A, B, E) \
	COLUMN3(24, Z6, A, B, E) \
	COLUMN3(28, Z7, A, B, E)

#define DOTS4(A, B, E, F) \
	VPXORD Z10, Z10, Z10        \
	VPXORD Z11, Z11, Z11        \
	VPXORD Z12, Z12, Z12        \
	VPXORD Z13, Z13, Z13        \
	COLUMN4(0, Z0, A, B, E, F)  \
	COLUMN4(4, Z1, A, B, E, F)  \
	COLUMN4(8, Z2, A, B, E, F)  \
	COLUMN4(12, Z3, A, B, E, F) \
	COLUMN4(16, Z4, A, B, E, F) \
	COLUMN4(20, Z5, A, B, E, F) \
	COLUMN4(24, Z6, A, B, E, F) \
	COLUMN4(28, Z7, A, B, E, F)

// A macro ADD adds the sums of a row of activations, in SUM, to its results: for codes with zero
// point 8 or 128, or with minima.
#define ADD_ZERO8(T, SUM, Y) \
	VCVTDQ2PS        SUM, SUM             \
	VSUBPS.BCST      T(ZERO8), SUM, SUM   \
	VMULPS.BCST      T(ACT_D), Z8, Z9         \
	VFMADD231PS      SUM, Z9, Y

#define ADD_ZERO128(T, SUM, Y) \
	VCVTDQ2PS         SUM, SUM            \
	VFNMADD231PS.BCST T(ZERO8), Z15, SUM  \
	VMULPS.BCST       T(ACT_D), Z8, Z9        \
	VFMADD231PS       SUM, Z9, Y

#define ADD_MIN(T, SUM, Y) \
	VCVTDQ2PS        SUM, SUM             \
	VMULPS.BCST      T(ACT_D), Z8, Z9         \
	VFMADD231PS      SUM, Z9, Y           \
	VFMADD231PS.BCST T(ACT_S), Z15, Y

#define GROUP2(ADD, A, YA, B, YB) DOTS2(A, B); ADD(A, Z10, YA); ADD(B, Z11, YB)
#define GROUP3(ADD, A, YA, B, YB, E, YE) DOTS3(A, B, E); ADD(A, Z10, YA); ADD(B, Z11, YB); ADD(E, Z12, YE)
#define GROUP4(ADD, A, YA, B, YB, E, YE, F, YF) \
	DOTS4(A, B, E, F); ADD(A, Z10, YA); ADD(B, Z11, YB); ADD(E, Z12, YE); ADD(F, Z13, YF)

// ROWS2 to ROWS16 add the products of a block with so many rows of activations.
#define FIRST2(ADD) GROUP2(ADD, T0, Z16, T1, Z17)
#define FIRST3(ADD) GROUP3(ADD, T0, Z16, T1, Z17, T2, Z18)
#define FIRST4(ADD) GROUP4(ADD, T0, Z16, T1, Z17, T2, Z18, T3, Z19)
#define FIRST6(ADD) FIRST3(ADD); GROUP3(ADD, T3, Z19, T4, Z20, T5, Z21)
#define FIRST8(ADD) FIRST4(ADD); GROUP4(ADD, T4, Z20, T5, Z21, T6, Z22, T7, Z23)
#define FIRST12(ADD) FIRST8(ADD); GROUP4(ADD, T8, Z24, T9, Z25, T10, Z26, T11, Z27)
#define ROWS2(ADD) FIRST2(ADD)
#define ROWS3(ADD) FIRST3(ADD)
#define ROWS4(ADD) FIRST4(ADD)
#define ROWS5(ADD) FIRST3(ADD); GROUP2(ADD, T3, Z19, T4, Z20)
#define ROWS6(ADD) FIRST6(ADD)
#define ROWS7(ADD) FIRST4(ADD); GROUP3(ADD, T4, Z20, T5, Z21, T6, Z22)
#define ROWS8(ADD) FIRST8(ADD)
#define ROWS9(ADD) FIRST6(ADD); GROUP3(ADD, T6, Z22, T7, Z23, T8, Z24)
#define ROWS10(ADD) FIRST8(ADD); GROUP2(ADD, T8, Z24, T9, Z25)
#define ROWS11(ADD) FIRST8(ADD); GROUP3(ADD, T8, Z24, T9, Z25, T10, Z26)
#define ROWS12(ADD) FIRST12(ADD)
#define ROWS14(ADD) FIRST12(ADD); GROUP2(ADD, T12, Z28, T13, Z29)
#define ROWS13(ADD) FIRST8(ADD); GROUP3(ADD, T8, Z24, T9, Z25, T10, Z26); GROUP2(ADD, T11, Z27, T12, Z28)
#define ROWS15(ADD) FIRST12(ADD); GROUP3(ADD, T12, Z28, T13, Z29, T14, Z30)
#define ROWS16(ADD) FIRST12(ADD); GROUP4(ADD, T12, Z28, T13, Z29, T14, Z30, T15, Z31)

// START loads the parameters and clears the results.
#define START \
	MOVQ   w+16(FP), SI       \
	MOVQ   stride+24(FP), R8  \
	LEAQ   (R8)(R8*2), R9     \
	LEAQ   (SI)(R8*4), R10    \
	LEAQ   (SI)(R8*8), R11    \
	LEAQ   (R10)(R8*8), R13   \
	MOVQ   a+40(FP), DX       \
	MOVQ   lda+48(FP), BX     \
	LEAQ   (BX)(BX*2), R12    \
	LEAQ   (BX)(BX*4), CX     \
	LEAQ   (DX)(BX*8), DI     \
	SUBQ   BX, DI             \
	LEAQ   (DI)(BX*8), R14    \
	SUBQ   BX, R14            \
	VPXORD Z16, Z16, Z16      \
	VPXORD Z17, Z17, Z17      \
	VPXORD Z18, Z18, Z18      \
	VPXORD Z19, Z19, Z19      \
	VPXORD Z20, Z20, Z20      \
	VPXORD Z21, Z21, Z21      \
	VPXORD Z22, Z22, Z22      \
	VPXORD Z23, Z23, Z23      \
	VPXORD Z24, Z24, Z24      \
	VPXORD Z25, Z25, Z25      \
	VPXORD Z26, Z26, Z26      \
	VPXORD Z27, Z27, Z27      \
	VPXORD Z28, Z28, Z28      \
	VPXORD Z29, Z29, Z29      \
	VPXORD Z30, Z30, Z30      \
	VPXORD Z31, Z31, Z31

// START_FRAME aligns the frame.
#define START_FRAME \
	LEAQ         127(SP), AX         \
	ANDQ         $~127, AX           \
	MOVQ         AX, first-8(SP)     \
	VPBROADCASTD nibbles<>(SB), Z14

// CHOOSE goes to the code for the number of rows of activations.
#define CHOOSE \
	MOVQ tokens+56(FP), AX \
	CMPQ AX, $2            \
	JEQ  rows2             \
	CMPQ AX, $3            \
	JEQ  rows3             \
	CMPQ AX, $4            \
	JEQ  rows4             \
	CMPQ AX, $5            \
	JEQ  rows5             \
	CMPQ AX, $6            \
	JEQ  rows6             \
	CMPQ AX, $7            \
	JEQ  rows7             \
	CMPQ AX, $8            \
	JEQ  rows8             \
	CMPQ AX, $9            \
	JEQ  rows9             \
	CMPQ AX, $10           \
	JEQ  rows10            \
	CMPQ AX, $11           \
	JEQ  rows11            \
	CMPQ AX, $12           \
	JEQ  rows12            \
	CMPQ AX, $13           \
	JEQ  rows13            \
	CMPQ AX, $14           \
	JEQ  rows14            \
	CMPQ AX, $15           \
	JEQ  rows15            \
	JMP  rows16

#define KEEP(Y) \
	VMOVUPS Y, (DI)  \
	DECQ    CX       \
	JEQ     done     \
	ADDQ    SI, DI

// FINISH stores the results.
#define FINISH \
finish: \
	MOVQ   y+0(FP), DI       \
	MOVQ   ldy+8(FP), SI     \
	MOVQ   tokens+56(FP), CX \
	KEEP(Z16)                \
	KEEP(Z17)                \
	KEEP(Z18)                \
	KEEP(Z19)                \
	KEEP(Z20)                \
	KEEP(Z21)                \
	KEEP(Z22)                \
	KEEP(Z23)                \
	KEEP(Z24)                \
	KEEP(Z25)                \
	KEEP(Z26)                \
	KEEP(Z27)                \
	KEEP(Z28)                \
	KEEP(Z29)                \
	KEEP(Z30)                \
	VMOVUPS Z31, (DI)        \
done: \
	VZEROUPPER               \
	RET

// FETCH4 fetches four cache lines, from o on, at ahead.
#define FETCH4(o) \
	PREFETCHT1 (o)(AX)     \
	PREFETCHT1 (o+64)(AX)  \
	PREFETCHT1 (o+128)(AX) \
	PREFETCHT1 (o+192)(AX)

#define AHEAD \
	MOVQ ahead+64(FP), AX  \
	FETCH4(0)              \
	PREFETCHT1 256(AX)     \
	ADDQ step+72(FP), AX   \
	MOVQ AX, ahead+64(FP)

// NEXT_ACT goes on to the next block of the activations, NEXT by n bytes of the weights.
#define NEXT_ACT \
	ADDQ $ACT, DX \
	ADDQ $ACT, DI \
	ADDQ $ACT, R14

#define NEXT(n) \
	ADDQ $n, SI  \
	ADDQ $n, R10 \
	ADDQ $n, R11 \
	ADDQ $n, R13

// LOAD sets a register to 16 bytes of rows i, i+4, i+8 and i+12, I being how row i is reached.
#define LOAD0(o, X, Y, Z) \
	VMOVDQU       o(SI), X          \
	VINSERTI128   $1, o(R10), Y, Y  \
	VMOVDQU       o(R11), X9        \
	VINSERTI128   $1, o(R13), Y9, Y9 \
	VINSERTI64X4  $1, Y9, Z, Z

#define LOAD(o, I, X, Y, Z) \
	VMOVDQU       o(SI)I, X          \
	VINSERTI128   $1, o(R10)I, Y, Y  \
	VMOVDQU       o(R11)I, X9        \
	VINSERTI128   $1, o(R13)I, Y9, Y9 \
	VINSERTI64X4  $1, Y9, Z, Z

// TRANSPOSE makes of four registers with four dwords of four rows each, Z0 to Z3 or Z4 to Z7, such
// with one dword of all rows.
#define TRANSPOSE(A, B, E, F) \
	VPUNPCKLDQ  B, A, Z10     \
	VPUNPCKLDQ  F, E, Z11     \
	VPUNPCKHDQ  B, A, Z12     \
	VPUNPCKHDQ  F, E, Z13     \
	VPUNPCKLQDQ Z11, Z10, A   \
	VPUNPCKHQDQ Z11, Z10, B   \
	VPUNPCKLQDQ Z13, Z12, E   \
	VPUNPCKHQDQ Z13, Z12, F

#define COLUMNS0(o) \
	LOAD0(o, X0, Y0, Z0)           \
	LOAD(o, (R8*1), X1, Y1, Z1)    \
	LOAD(o, (R8*2), X2, Y2, Z2)    \
	LOAD(o, (R9*1), X3, Y3, Z3)    \
	TRANSPOSE(Z0, Z1, Z2, Z3)

#define COLUMNS4(o) \
	LOAD0(o, X4, Y4, Z4)           \
	LOAD(o, (R8*1), X5, Y5, Z5)    \
	LOAD(o, (R8*2), X6, Y6, Z6)    \
	LOAD(o, (R9*1), X7, Y7, Z7)    \
	TRANSPOSE(Z4, Z5, Z6, Z7)

// HALVES4 sets AX to the binary16 numbers at the beginning of four rows, HALVES Z8 to those of
// all, widened.
#define HALVES4(B) \
	MOVWLZX (B)(R9*1), AX \
	SHLQ    $16, AX       \
	MOVW    (B)(R8*2), AX \
	SHLQ    $16, AX       \
	MOVW    (B)(R8*1), AX \
	SHLQ    $16, AX       \
	MOVW    (B), AX

#define HALVES \
	HALVES4(SI)                     \
	VMOVQ        AX, X10            \
	HALVES4(R10)                    \
	VPINSRQ      $1, AX, X10, X10   \
	HALVES4(R11)                    \
	VMOVQ        AX, X11            \
	HALVES4(R13)                    \
	VPINSRQ      $1, AX, X11, X11   \
	VINSERTI128  $1, X11, Y10, Y10  \
	VCVTPH2PS    Y10, Z8

#define NIBBLES(LOW, HIGH) \
	VPSRLW      $4, LOW, HIGH         \
	VPANDD Z14, LOW, LOW \
	VPANDD Z14, HIGH, HIGH

#define BLOCK_Q4_0 \
	AHEAD          \
	HALVES         \
	COLUMNS0(2)    \
	NIBBLES(Z0, Z4) \
	NIBBLES(Z1, Z5) \
	NIBBLES(Z2, Z6) \
	NIBBLES(Z3, Z7)

#define UNSIGNED(Z) VPXORD Z14, Z, Z

#define BLOCK_Q8_0 \
	AHEAD          \
	MOVQ ahead+64(FP), AX \
	FETCH4(320-544) \
	HALVES         \
	COLUMNS0(2)    \
	COLUMNS4(18)   \
	UNSIGNED(Z0)   \
	UNSIGNED(Z1)   \
	UNSIGNED(Z2)   \
	UNSIGNED(Z3)   \
	UNSIGNED(Z4)   \
	UNSIGNED(Z5)   \
	UNSIGNED(Z6)   \
	UNSIGNED(Z7)

#define LOOP(start, BLOCK, ROWS, ADD, SIZE) \
start: \
	BLOCK               \
	ROWS(ADD)           \
	NEXT_ACT            \
	NEXT(SIZE)          \
	DECQ n+32(FP)       \
	JNE  start          \
	JMP  finish

#define LOOPS(BLOCK, ADD, SIZE) \
	LOOP(rows2, BLOCK, ROWS2, ADD, SIZE) \
	LOOP(rows3, BLOCK, ROWS3, ADD, SIZE) \
	LOOP(rows4, BLOCK, ROWS4, ADD, SIZE) \
	LOOP(rows5, BLOCK, ROWS5, ADD, SIZE) \
	LOOP(rows6, BLOCK, ROWS6, ADD, SIZE) \
	LOOP(rows7, BLOCK, ROWS7, ADD, SIZE) \
	LOOP(rows8, BLOCK, ROWS8, ADD, SIZE) \
	LOOP(rows9, BLOCK, ROWS9, ADD, SIZE) \
	LOOP(rows10, BLOCK, ROWS10, ADD, SIZE) \
	LOOP(rows11, BLOCK, ROWS11, ADD, SIZE) \
	LOOP(rows12, BLOCK, ROWS12, ADD, SIZE) \
	LOOP(rows13, BLOCK, ROWS13, ADD, SIZE) \
	LOOP(rows14, BLOCK, ROWS14, ADD, SIZE) \
	LOOP(rows15, BLOCK, ROWS15, ADD, SIZE) \
	LOOP(rows16, BLOCK, ROWS16, ADD, SIZE)

// func fewQ4_0AVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)
TEXT ·fewQ4_0AVX512(SB), NOSPLIT, $0-80
	START
	VPBROADCASTD nibbles<>(SB), Z14
	CHOOSE
	LOOPS(BLOCK_Q4_0, ADD_ZERO8, 18)
	FINISH

// func fewQ8_0AVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)
TEXT ·fewQ8_0AVX512(SB), NOSPLIT, $0-80
	START
	VPBROADCASTD signs<>(SB), Z14
	VPBROADCASTD sixteen<>(SB), Z15
	CHOOSE
	LOOPS(BLOCK_Q8_0, ADD_ZERO128, 34)
	FINISH

#define POINTS(Z) VPSHUFB Z, Z9, Z

#define BLOCK_IQ4_NL \
	BLOCK_Q4_0                      \
	VBROADCASTI32X4 points<>(SB), Z9 \
	POINTS(Z0)                      \
	POINTS(Z1)                      \
	POINTS(Z2)                      \
	POINTS(Z3)                      \
	POINTS(Z4)                      \
	POINTS(Z5)                      \
	POINTS(Z6)                      \
	POINTS(Z7)

// func fewIQ4_NLAVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)
TEXT ·fewIQ4_NLAVX512(SB), NOSPLIT, $0-80
	START
	VPBROADCASTD nibbles<>(SB), Z14
	VPBROADCASTD sixteen<>(SB), Z15
	CHOOSE
	LOOPS(BLOCK_IQ4_NL, ADD_ZERO128, 18)
	FINISH

// The frame of the kernel of Q4_K, from an address on that is a multiple of 128: the scales and
// the minima of eight blocks of 32, then two of them, packed.
#define MINIMA 512
#define PACKED 1024

// SIX_BITS stores what byte 0, 1, 2 or 3 of the dwords of Z is times F at o(AX).
#define SIX_BITS(Z, F, o) \
	VPANDD.BCST bytes<>(SB), Z, Z10  \
	VPSRLD      $8, Z, Z             \
	VCVTDQ2PS   Z10, Z10             \
	VMULPS      F, Z10, Z10          \
	VMOVUPS     Z10, o(AX)

#define SIX_BITS4(Z, F, o) \
	SIX_BITS(Z, F, o)     \
	SIX_BITS(Z, F, o+64)  \
	SIX_BITS(Z, F, o+128) \
	SIX_BITS(Z, F, o+192)

// SCALES_K computes the scales and minima of a block of Q4_K, which go to AX.
#define SCALES_K \
	COLUMNS0(0)                             \
	VPMOVDW     Z0, Y8                      \
	VCVTPH2PS   Y8, Z8                      \
	VPSRLD      $16, Z0, Z0                 \
	VPMOVDW     Z0, Y15                     \
	VCVTPH2PS   Y15, Z15                    \
	VPXORD.BCST sign<>(SB), Z15, Z15        \
	VPANDD.BCST six<>(SB), Z1, Z4           \
	VPANDD.BCST six<>(SB), Z2, Z5           \
	VPSRLD      $2, Z1, Z1                  \
	VPANDD.BCST upper<>(SB), Z1, Z1         \
	VPANDD.BCST nibbles<>(SB), Z3, Z6       \
	VPORD       Z1, Z6, Z6                  \
	VPSRLD      $2, Z2, Z2                  \
	VPANDD.BCST upper<>(SB), Z2, Z2         \
	VPSRLD      $4, Z3, Z7                  \
	VPANDD.BCST nibbles<>(SB), Z7, Z7       \
	VPORD       Z2, Z7, Z7                  \
	SIX_BITS4(Z4, Z8, 0)                    \
	SIX_BITS4(Z6, Z8, 256)                  \
	SIX_BITS4(Z5, Z15, MINIMA)              \
	SIX_BITS4(Z7, Z15, MINIMA+256)

#define LOW_K(o, Z) \
	VMOVDQU64   Z, o(AX)           \
	VPANDD      Z14, Z, Z

#define HIGH_K(o, Z) \
	VPSRLW      $4, o(AX), Z       \
	VPANDD      Z14, Z, Z

// LOOP_K does the same as LOOP: AX steps through scales, of which the kernel keeps the place of
// the first and of the one in use.
#define LOOP_K(start, block, odd, products, ROWS, BEGIN, FIFTHS, o, REST) \
start: \
	MOVQ first-8(SP), AX             \
	SCALES_K                         \
	BEGIN                            \
	MOVQ AX, scale-16(SP)            \
block: \
	AHEAD                            \
	MOVQ    scale-16(SP), AX         \
	VMOVUPS (AX), Z8                 \
	VMOVUPS MINIMA(AX), Z15          \
	TESTQ   $64, AX                  \
	JNE     odd                      \
	MOVQ    first-8(SP), AX          \
	COLUMNS0(o)                      \
	COLUMNS4(o+16)                   \
	LOW_K(PACKED, Z0)                \
	LOW_K(PACKED+64, Z1)             \
	LOW_K(PACKED+128, Z2)            \
	LOW_K(PACKED+192, Z3)            \
	LOW_K(PACKED+256, Z4)            \
	LOW_K(PACKED+320, Z5)            \
	LOW_K(PACKED+384, Z6)            \
	LOW_K(PACKED+448, Z7)            \
	NEXT(32)                         \
	JMP     products                 \
odd: \
	MOVQ    first-8(SP), AX          \
	HIGH_K(PACKED, Z0)               \
	HIGH_K(PACKED+64, Z1)            \
	HIGH_K(PACKED+128, Z2)           \
	HIGH_K(PACKED+192, Z3)           \
	HIGH_K(PACKED+256, Z4)           \
	HIGH_K(PACKED+320, Z5)           \
	HIGH_K(PACKED+384, Z6)           \
	HIGH_K(PACKED+448, Z7)           \
products: \
	FIFTHS                           \
	ROWS(ADD_MIN)                    \
	NEXT_ACT                         \
	MOVQ    scale-16(SP), AX         \
	ADDQ    $64, AX                  \
	MOVQ    AX, scale-16(SP)         \
	SUBQ    first-8(SP), AX          \
	CMPQ    AX, $MINIMA              \
	JNE     block                    \
	NEXT(REST)                       \
	SUBQ    $8, n+32(FP)             \
	JNE     start                    \
	JMP     finish

#define LOOPS_K(BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows2, block2, odd2, products2, ROWS2, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows3, block3, odd3, products3, ROWS3, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows4, block4, odd4, products4, ROWS4, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows5, block5, odd5, products5, ROWS5, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows6, block6, odd6, products6, ROWS6, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows7, block7, odd7, products7, ROWS7, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows8, block8, odd8, products8, ROWS8, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows9, block9, odd9, products9, ROWS9, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows10, block10, odd10, products10, ROWS10, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows11, block11, odd11, products11, ROWS11, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows12, block12, odd12, products12, ROWS12, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows13, block13, odd13, products13, ROWS13, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows14, block14, odd14, products14, ROWS14, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows15, block15, odd15, products15, ROWS15, BEGIN, FIFTHS, o, REST) \
	LOOP_K(rows16, block16, odd16, products16, ROWS16, BEGIN, FIFTHS, o, REST)

#define NOTHING

// func fewQ4_KAVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)
TEXT ·fewQ4_KAVX512(SB), 0, $2304-80
	START
	START_FRAME
	CHOOSE
	LOOPS_K(NOTHING, NOTHING, 16, 16)
	FINISH

#define STORE4(o) \
	VMOVDQU64 Z0, o(AX)       \
	VMOVDQU64 Z1, (o+64)(AX)  \
	VMOVDQU64 Z2, (o+128)(AX) \
	VMOVDQU64 Z3, (o+192)(AX)

// The fifth bits of Q5_K: bit b of a byte of FIFTH belongs to block b.
#define FIFTH 1536
#define BEGIN_Q5_K \
	COLUMNS0(16)     \
	STORE4(FIFTH)    \
	COLUMNS0(32)     \
	STORE4(FIFTH+256)

// BITS adds to Z the bits of a mask, Z12, of what is at o(AX), rotated by Z9.
#define BITS(o, Z) \
	VMOVDQU64  o(AX), Z10       \
	VPRORVD    Z9, Z10, Z10     \
	VPTERNLOGD $0xf8, Z12, Z10, Z

#define BITS8(o) \
	BITS(o, Z0)     \
	BITS(o+64, Z1)  \
	BITS(o+128, Z2) \
	BITS(o+192, Z3) \
	BITS(o+256, Z4) \
	BITS(o+320, Z5) \
	BITS(o+384, Z6) \
	BITS(o+448, Z7)

#define FIFTHS_Q5_K \
	MOVQ         scale-16(SP), AX  \
	SUBQ         first-8(SP), AX   \
	SHRQ         $6, AX            \
	SUBQ         $4, AX            \
	VPBROADCASTD AX, Z9            \
	VPBROADCASTD fifth<>(SB), Z12  \
	MOVQ         first-8(SP), AX   \
	BITS8(FIFTH)

// func fewQ5_KAVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)
TEXT ·fewQ5_KAVX512(SB), 0, $2304-80
	START
	START_FRAME
	CHOOSE
	LOOPS_K(BEGIN_Q5_K, FIFTHS_Q5_K, 48, 48)
	FINISH

// The frame of the kernel of Q6_K: for each of eight blocks the scales of its halves, as float32,
// and -32 times both as int16; the low and the high bits of codes, packed.
#define SUB 192
#define LOW 1536
#define HIGH 3584

// SUBSCALES stores what bytes 2i and 2i+1 of the scales of a row are, UP being 24-16i.
#define SUBSCALES(Z, UP, o) \
	VPSLLD    $UP, Z, Z8              \
	VPSRAD    $24, Z8, Z8             \
	VPSLLD    $(UP-8), Z, Z9          \
	VPSRAD    $24, Z9, Z9             \
	VPSLLD    $16, Z9, Z10            \
	VPANDD.BCST lower<>(SB), Z8, Z11  \
	VPORD     Z11, Z10, Z10           \
	VPSLLW    $5, Z10, Z10            \
	VPXORD    Z11, Z11, Z11           \
	VPSUBW    Z10, Z11, Z10           \
	VCVTDQ2PS Z8, Z8                  \
	VCVTDQ2PS Z9, Z9                  \
	VMOVUPS   Z8, o(AX)               \
	VMOVUPS   Z9, (o+64)(AX)          \
	VMOVDQU64 Z10, (o+128)(AX)

#define LOW_Q6_K(o, p) COLUMNS0(o); STORE4(p)

#define BEGIN_Q6_K \
	MOVQ first-8(SP), AX       \
	LOW_Q6_K(0, LOW)           \
	LOW_Q6_K(16, LOW+256)      \
	LOW_Q6_K(32, LOW+512)      \
	LOW_Q6_K(48, LOW+768)      \
	LOW_Q6_K(64, LOW+1024)     \
	LOW_Q6_K(80, LOW+1280)     \
	LOW_Q6_K(96, LOW+1536)     \
	LOW_Q6_K(112, LOW+1792)    \
	LOW_Q6_K(128, HIGH)        \
	LOW_Q6_K(144, HIGH+256)    \
	LOW_Q6_K(160, HIGH+512)    \
	LOW_Q6_K(176, HIGH+768)    \
	COLUMNS0(192)              \
	SUBSCALES(Z0, 24, 0)       \
	SUBSCALES(Z0, 8, SUB)      \
	SUBSCALES(Z1, 24, 2*SUB)   \
	SUBSCALES(Z1, 8, 3*SUB)    \
	SUBSCALES(Z2, 24, 4*SUB)   \
	SUBSCALES(Z2, 8, 5*SUB)    \
	SUBSCALES(Z3, 24, 6*SUB)   \
	SUBSCALES(Z3, 8, 7*SUB)    \
	NEXT(208)                  \
	HALVES                     \
	VMOVAPS Z8, Z15            \
	NEXT(2)                    \
	MOVQ $0, block-16(SP)

#define NIBBLES_Q6_K(o, Z) \
	VMOVDQU64 o(AX), Z      \
	VPSRLW    X8, Z, Z      \
	VPANDD    Z14, Z, Z

// CODES_Q6_K makes the codes of block b: nibbles from LOW+1024·(b/4)+512·(b%2), shifted by
// 4·(b%4/2), and bits from HIGH+512·(b/4), rotated by 2·(b%4)-4. AX is the place of its scales then.
#define CODES_Q6_K \
	MOVQ         block-16(SP), AX     \
	ANDQ         $2, AX               \
	SHLQ         $1, AX               \
	VMOVQ        AX, X8               \
	MOVQ         block-16(SP), AX     \
	ANDQ         $3, AX               \
	LEAQ         -4(AX)(AX*1), AX     \
	VPBROADCASTD AX, Z9               \
	VPBROADCASTD upper<>(SB), Z12     \
	MOVQ         block-16(SP), AX     \
	ANDQ         $1, AX               \
	SHLQ         $9, AX               \
	ADDQ         first-8(SP), AX      \
	MOVQ         AX, place-24(SP)     \
	MOVQ         block-16(SP), AX     \
	ANDQ         $4, AX               \
	SHLQ         $8, AX               \
	ADDQ         place-24(SP), AX     \
	NIBBLES_Q6_K(LOW, Z0)             \
	NIBBLES_Q6_K(LOW+64, Z1)          \
	NIBBLES_Q6_K(LOW+128, Z2)         \
	NIBBLES_Q6_K(LOW+192, Z3)         \
	NIBBLES_Q6_K(LOW+256, Z4)         \
	NIBBLES_Q6_K(LOW+320, Z5)         \
	NIBBLES_Q6_K(LOW+384, Z6)         \
	NIBBLES_Q6_K(LOW+448, Z7)         \
	MOVQ         block-16(SP), AX     \
	ANDQ         $4, AX               \
	SHLQ         $7, AX               \
	ADDQ         first-8(SP), AX      \
	BITS8(HIGH)                       \
	MOVQ         block-16(SP), AX     \
	IMULQ        $SUB, AX             \
	ADDQ         first-8(SP), AX      \
	VMOVDQU64    128(AX), Z8

// HALF1 and HALF2 add the products of a half of the codes with one or two rows of activations,
// times the scale at s(AX), to Z12 and Z13.
#define HALF1(o, s, C0, C1, C2, C3, A) \
	VPXORD      Z10, Z10, Z10       \
	COLUMN1(o, C0, A)               \
	COLUMN1(o+4, C1, A)             \
	COLUMN1(o+8, C2, A)             \
	COLUMN1(o+12, C3, A)            \
	VCVTDQ2PS   Z10, Z10            \
	VFMADD231PS s(AX), Z10, Z12

#define HALF2(o, s, C0, C1, C2, C3, A, B) \
	VPXORD      Z10, Z10, Z10       \
	VPXORD      Z11, Z11, Z11       \
	COLUMN2(o, C0, A, B)            \
	COLUMN2(o+4, C1, A, B)          \
	COLUMN2(o+8, C2, A, B)          \
	COLUMN2(o+12, C3, A, B)         \
	VCVTDQ2PS   Z10, Z10            \
	VCVTDQ2PS   Z11, Z11            \
	VFMADD231PS s(AX), Z10, Z12     \
	VFMADD231PS s(AX), Z11, Z13

#define ZERO(T, TOTAL) \
	VPXORD        TOTAL, TOTAL, TOTAL    \
	VPDPWSSD.BCST T(ACT_HALF), Z8, TOTAL \
	VCVTDQ2PS     TOTAL, TOTAL

#define ADD_HALVES(T, TOTAL, Y) \
	VMULPS.BCST T(ACT_D), Z15, Z9  \
	VFMADD231PS TOTAL, Z9, Y

#define LONE(A, YA) \
	ZERO(A, Z12)                         \
	HALF1(0, 0, Z0, Z1, Z2, Z3, A)       \
	HALF1(16, 64, Z4, Z5, Z6, Z7, A)     \
	ADD_HALVES(A, Z12, YA)

#define PAIR(A, YA, B, YB) \
	ZERO(A, Z12)                         \
	ZERO(B, Z13)                         \
	HALF2(0, 0, Z0, Z1, Z2, Z3, A, B)    \
	HALF2(16, 64, Z4, Z5, Z6, Z7, A, B)  \
	ADD_HALVES(A, Z12, YA)               \
	ADD_HALVES(B, Z13, YB)

#define PAIRS2 PAIR(T0, Z16, T1, Z17)
#define PAIRS4 PAIRS2; PAIR(T2, Z18, T3, Z19)
#define PAIRS6 PAIRS4; PAIR(T4, Z20, T5, Z21)
#define PAIRS8 PAIRS6; PAIR(T6, Z22, T7, Z23)
#define PAIRS10 PAIRS8; PAIR(T8, Z24, T9, Z25)
#define PAIRS12 PAIRS10; PAIR(T10, Z26, T11, Z27)
#define PAIRS14 PAIRS12; PAIR(T12, Z28, T13, Z29)
#define PAIRS16 PAIRS14; PAIR(T14, Z30, T15, Z31)
#define PAIRS3 PAIRS2; LONE(T2, Z18)
#define PAIRS5 PAIRS4; LONE(T4, Z20)
#define PAIRS7 PAIRS6; LONE(T6, Z22)
#define PAIRS9 PAIRS8; LONE(T8, Z24)
#define PAIRS11 PAIRS10; LONE(T10, Z26)
#define PAIRS13 PAIRS12; LONE(T12, Z28)
#define PAIRS15 PAIRS14; LONE(T14, Z30)

#define LOOP_Q6_K(start, block, PAIRS) \
start: \
	BEGIN_Q6_K             \
block: \
	AHEAD                  \
	CODES_Q6_K             \
	PAIRS                  \
	NEXT_ACT               \
	MOVQ block-16(SP), AX  \
	INCQ AX                \
	MOVQ AX, block-16(SP)  \
	CMPQ AX, $8            \
	JNE  block             \
	SUBQ $8, n+32(FP)      \
	JNE  start             \
	JMP  finish

// func fewQ6_KAVX512(y *float32, ldy int, w *byte, stride, n int, a *byte, lda, tokens int, ahead uintptr, step int)
TEXT ·fewQ6_KAVX512(SB), 0, $4864-80
	START
	START_FRAME
	CHOOSE
	LOOP_Q6_K(rows2, block2, PAIRS2)
	LOOP_Q6_K(rows3, block3, PAIRS3)
	LOOP_Q6_K(rows4, block4, PAIRS4)
	LOOP_Q6_K(rows5, block5, PAIRS5)
	LOOP_Q6_K(rows6, block6, PAIRS6)
	LOOP_Q6_K(rows7, block7, PAIRS7)
	LOOP_Q6_K(rows8, block8, PAIRS8)
	LOOP_Q6_K(rows9, block9, PAIRS9)
	LOOP_Q6_K(rows10, block10, PAIRS10)
	LOOP_Q6_K(rows11, block11, PAIRS11)
	LOOP_Q6_K(rows12, block12, PAIRS12)
	LOOP_Q6_K(rows13, block13, PAIRS13)
	LOOP_Q6_K(rows14, block14, PAIRS14)
	LOOP_Q6_K(rows15, block15, PAIRS15)
	LOOP_Q6_K(rows16, block16, PAIRS16)
	FINISH

#define CONSTANT(name, value) \
DATA name<>+0(SB)/4, $value   \
GLOBL name<>(SB), RODATA|NOPTR, $4

CONSTANT(nibbles, 0x0f0f0f0f)
CONSTANT(signs, 0x80808080)
CONSTANT(sixteen, 0x41800000)
CONSTANT(bytes, 0x000000ff)
CONSTANT(six, 0x3f3f3f3f)
CONSTANT(upper, 0x30303030)
CONSTANT(sign, 0x80000000)
CONSTANT(fifth, 0x10101010)
CONSTANT(lower, 0x0000ffff)

// The points of IQ4_NL, plus 128.
DATA points<>+0(SB)/8, $0x766a5d4f3f2d1801
DATA points<>+8(SB)/8, $0xf1d9c5b5a6998d81
GLOBL points<>(SB), RODATA|NOPTR, $16
