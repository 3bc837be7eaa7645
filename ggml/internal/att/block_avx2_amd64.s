//go:build !purego

#include "textflag.h"

// Codes of a cache become numbers in registers: of Q8_0 code·scale, of Q4_0
// fma(scale, code, -8·scale). All of these are exact.

// BYTES makes numbers of the eight signed codes at p.
#define BYTES(p, scale, x) \
	VPMOVSXBD p, x        \
	VCVTDQ2PS x, x        \
	VMULPS    scale, x, x

// NIBBLES makes numbers of the eight codes in the low halves of the bytes at p, and of
// those in the other halves.
#define NIBBLES(p, mask, scale, minus, lo, hi) \
	VPMOVZXBD   p, lo            \
	VPSRLD      $4, lo, hi       \
	VPAND       mask, lo, lo     \
	VCVTDQ2PS   lo, lo           \
	VCVTDQ2PS   hi, hi           \
	VFMADD213PS minus, scale, lo \
	VFMADD213PS minus, scale, hi

// COLUMN_SCALES loads the scales of 32 positions.
#define COLUMN_SCALES(p) \
	VCVTPH2PS (p), Y4   \
	VCVTPH2PS 16(p), Y5 \
	VCVTPH2PS 32(p), Y6 \
	VCVTPH2PS 48(p), Y7 \
	ADDQ      $64, p

// MINUS sets x to -8 times y, minus8 being -8.
#define MINUS(minus8, y, x) VMULPS minus8, y, x

// COLUMN_SCALES4 loads the scales, Y4..Y7, -8 times those, Y8..Y11, and a mask, Y12.
#define COLUMN_SCALES4(p) \
	COLUMN_SCALES(p)            \
	VBROADCASTSS minus8<>(SB), Y12 \
	MINUS(Y12, Y4, Y8)          \
	MINUS(Y12, Y5, Y9)          \
	MINUS(Y12, Y6, Y10)         \
	MINUS(Y12, Y7, Y11)         \
	VPBROADCASTD fifteen<>(SB), Y12

// SCORE_START loads the arguments of a score.
//
//	Y0..Y3  C               DI  C    DX  keys, a block after the other
//	Y4..Y7  scales          SI  A
//	CX  elements left       R11 what to fetch   R12 bytes to the next
#define SCORE_START \
	MOVQ    c+0(FP), DI      \
	MOVQ    a+8(FP), SI      \
	MOVQ    tile+16(FP), DX  \
	MOVQ    dim+24(FP), CX   \
	MOVQ    ahead+32(FP), R11 \
	MOVQ    step+40(FP), R12 \
	VMOVUPS (DI), Y0         \
	VMOVUPS 32(DI), Y1       \
	VMOVUPS 64(DI), Y2       \
	VMOVUPS 96(DI), Y3

#define SCORE_END \
	VMOVUPS Y0, (DI)   \
	VMOVUPS Y1, 32(DI) \
	VMOVUPS Y2, 64(DI) \
	VMOVUPS Y3, 96(DI) \
	VZEROUPPER         \
	RET

// NIBBLE_STEP adds the products of eight positions with two elements.
#define NIBBLE_STEP(p, scale, minus, acc) \
	VPMOVZXBD    p, Y13            \
	VPSRLD       $4, Y13, Y14      \
	VPAND        Y12, Y13, Y13     \
	VCVTDQ2PS    Y13, Y13          \
	VCVTDQ2PS    Y14, Y14          \
	VFMADD213PS  minus, scale, Y13 \
	VFMADD213PS  minus, scale, Y14 \
	VBROADCASTSS (SI), Y15         \
	VFMADD231PS  Y13, Y15, acc     \
	VBROADCASTSS 4(SI), Y15        \
	VFMADD231PS  Y14, Y15, acc

// WEIGH_START loads the arguments of a sum of values.
//
//	Y0..Y7  C                              DI  C
//	DX  codes   BX  their scales           SI  A
//	R9  bytes to the next position's       CX  positions left
//	R11 what to fetch                      R12 bytes to the next
#define WEIGH_START \
	MOVQ c+0(FP), DI       \
	MOVQ a+8(FP), SI       \
	MOVQ codes+16(FP), DX  \
	MOVQ scales+24(FP), BX \
	MOVQ row+32(FP), R9    \
	MOVQ n+40(FP), CX      \
	MOVQ width+48(FP), AX  \
	MOVQ ahead+56(FP), R11 \
	MOVQ step+64(FP), R12

#define SCALE1 VPBROADCASTW (BX), X10; VCVTPH2PS X10, Y10
#define SCALE2 SCALE1; VPBROADCASTW 2(BX), X11; VCVTPH2PS X11, Y11

#define WEIGH_LOAD(i, acc) VMOVUPS (32*i)(DI), acc
#define WEIGH_STORE(i, acc) VMOVUPS acc, (32*i)(DI)
#define WEIGH_Q8(i, scale, acc) \
	BYTES((8*i)(DX), scale, Y8) \
	VFMADD231PS Y8, Y9, acc

#define EACH1(OP) OP(0, Y0)
#define EACH2(OP) EACH1(OP); OP(1, Y1)
#define EACH3(OP) EACH2(OP); OP(2, Y2)
#define EACH4(OP) EACH3(OP); OP(3, Y3)
#define EACH5(OP) EACH4(OP); OP(4, Y4)
#define EACH6(OP) EACH5(OP); OP(5, Y5)
#define EACH7(OP) EACH6(OP); OP(6, Y6)
#define EACH8(OP) EACH7(OP); OP(7, Y7)

#define Q8_1 WEIGH_Q8(0, Y10, Y0)
#define Q8_2 Q8_1; WEIGH_Q8(1, Y10, Y1)
#define Q8_3 Q8_2; WEIGH_Q8(2, Y10, Y2)
#define Q8_4 Q8_3; WEIGH_Q8(3, Y10, Y3)
#define Q8_5 Q8_4; WEIGH_Q8(4, Y11, Y4)
#define Q8_6 Q8_5; WEIGH_Q8(5, Y11, Y5)
#define Q8_7 Q8_6; WEIGH_Q8(6, Y11, Y6)
#define Q8_8 Q8_7; WEIGH_Q8(7, Y11, Y7)

// WEIGH is the code of one width.
#define WEIGH(start, loop, EACH, SCALE, STEP) \
start: \
	EACH(WEIGH_LOAD)      \
loop: \
	PREFETCHT1 (R11)      \
	ADDQ         R12, R11 \
	VBROADCASTSS (SI), Y9 \
	SCALE                 \
	STEP                  \
	ADDQ         $4, SI   \
	ADDQ         R9, DX   \
	ADDQ         R9, BX   \
	DECQ         CX       \
	JNE          loop     \
	EACH(WEIGH_STORE)     \
	VZEROUPPER            \
	RET

// Y12 is -8 times the scale in work, Y13 -8, Y15 the mask.
#define WEIGH_Q4(i, scale, acc0, acc1) \
	NIBBLES((8*i)(DX), Y15, scale, Y12, Y8, Y14) \
	VFMADD231PS Y8, Y9, acc0  \
	VFMADD231PS Y14, Y9, acc1

#define Q4_1 MINUS(Y13, Y10, Y12); WEIGH_Q4(0, Y10, Y0, Y1)
#define Q4_2 Q4_1; WEIGH_Q4(1, Y10, Y2, Y3)
#define Q4_3 Q4_2; MINUS(Y13, Y11, Y12); WEIGH_Q4(2, Y11, Y4, Y5)
#define Q4_4 Q4_3; WEIGH_Q4(3, Y11, Y6, Y7)

// func columnsQ8(dst *float32, block *byte, rows int)
TEXT ·columnsQ8(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ block+8(FP), SI
	MOVQ rows+16(FP), CX
	COLUMN_SCALES(SI)

loop:
	BYTES((SI), Y4, Y0)
	BYTES(8(SI), Y5, Y1)
	BYTES(16(SI), Y6, Y2)
	BYTES(24(SI), Y7, Y3)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	ADDQ    $32, SI
	ADDQ    $128, DI
	DECQ    CX
	JNE     loop
	VZEROUPPER
	RET

// func columnsQ4(dst *float32, block *byte, rows int)
TEXT ·columnsQ4(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ block+8(FP), SI
	MOVQ rows+16(FP), CX
	COLUMN_SCALES4(SI)

loop:
	NIBBLES((SI), Y12, Y4, Y8, Y0, Y1)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 128(DI)
	NIBBLES(8(SI), Y12, Y5, Y9, Y2, Y3)
	VMOVUPS Y2, 32(DI)
	VMOVUPS Y3, 160(DI)
	NIBBLES(16(SI), Y12, Y6, Y10, Y0, Y1)
	VMOVUPS Y0, 64(DI)
	VMOVUPS Y1, 192(DI)
	NIBBLES(24(SI), Y12, Y7, Y11, Y2, Y3)
	VMOVUPS Y2, 96(DI)
	VMOVUPS Y3, 224(DI)
	ADDQ    $32, SI
	ADDQ    $256, DI
	DECQ    CX
	JNE     loop
	VZEROUPPER
	RET

// func rowQ8(dst *float32, codes, scales *byte, groups int)
TEXT ·rowQ8(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ codes+8(FP), SI
	MOVQ scales+16(FP), DX
	MOVQ groups+24(FP), CX

block:
	VPBROADCASTW (DX), X4
	VCVTPH2PS    X4, Y4
	ADDQ         $2, DX
	MOVQ         $4, AX
	CMPQ         CX, AX
	CMOVQLT      CX, AX
	SUBQ         AX, CX

group:
	BYTES((SI), Y4, Y0)
	VMOVUPS Y0, (DI)
	ADDQ    $8, SI
	ADDQ    $32, DI
	DECQ    AX
	JNE     group
	TESTQ   CX, CX
	JNE     block
	VZEROUPPER
	RET

// func rowQ4(dst *float32, codes, scales *byte, groups int)
TEXT ·rowQ4(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         codes+8(FP), SI
	MOVQ         scales+16(FP), DX
	MOVQ         groups+24(FP), CX
	VBROADCASTSS minus8<>(SB), Y7
	VPBROADCASTD fifteen<>(SB), Y6

block:
	VPBROADCASTW (DX), X4
	VCVTPH2PS    X4, Y4
	MINUS(Y7, Y4, Y5)
	ADDQ         $2, DX
	MOVQ         $2, AX
	CMPQ         CX, AX
	CMOVQLT      CX, AX
	SUBQ         AX, CX

group:
	NIBBLES((SI), Y6, Y4, Y5, Y0, Y1)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ    $8, SI
	ADDQ    $64, DI
	DECQ    AX
	JNE     group
	TESTQ   CX, CX
	JNE     block
	VZEROUPPER
	RET

// func scoreQ8(c, a *float32, tile *byte, dim int, ahead uintptr, step int)
TEXT ·scoreQ8(SB), NOSPLIT, $0-48
	SCORE_START

block:
	COLUMN_SCALES(DX)
	MOVQ    $32, AX
	CMPQ    CX, AX
	CMOVQLT CX, AX
	SUBQ    AX, CX

row:
	PREFETCHT1   (R11)
	ADDQ         R12, R11
	VBROADCASTSS (SI), Y12
	BYTES((DX), Y4, Y8)
	BYTES(8(DX), Y5, Y9)
	BYTES(16(DX), Y6, Y10)
	BYTES(24(DX), Y7, Y11)
	VFMADD231PS  Y8, Y12, Y0
	VFMADD231PS  Y9, Y12, Y1
	VFMADD231PS  Y10, Y12, Y2
	VFMADD231PS  Y11, Y12, Y3
	ADDQ         $4, SI
	ADDQ         $32, DX
	DECQ         AX
	JNE          row
	TESTQ        CX, CX
	JNE          block
	SCORE_END

// func scoreQ4(c, a *float32, tile *byte, dim int, ahead uintptr, step int)
TEXT ·scoreQ4(SB), NOSPLIT, $0-48
	SCORE_START
	INCQ CX
	SHRQ $1, CX

block:
	COLUMN_SCALES4(DX)
	MOVQ    $16, AX
	CMPQ    CX, AX
	CMOVQLT CX, AX
	SUBQ    AX, CX

row:
	PREFETCHT1 (R11)
	ADDQ       R12, R11
	NIBBLE_STEP((DX), Y4, Y8, Y0)
	NIBBLE_STEP(8(DX), Y5, Y9, Y1)
	NIBBLE_STEP(16(DX), Y6, Y10, Y2)
	NIBBLE_STEP(24(DX), Y7, Y11, Y3)
	ADDQ       $8, SI
	ADDQ       $32, DX
	DECQ       AX
	JNE        row
	TESTQ      CX, CX
	JNE        block
	SCORE_END

// func weighQ8(c, a *float32, codes, scales *byte, row, n, width int, ahead uintptr, step int)
TEXT ·weighQ8(SB), NOSPLIT, $0-72
	WEIGH_START
	CMPQ AX, $8
	JEQ  row1
	CMPQ AX, $16
	JEQ  row2
	CMPQ AX, $24
	JEQ  row3
	CMPQ AX, $32
	JEQ  row4
	CMPQ AX, $40
	JEQ  row5
	CMPQ AX, $48
	JEQ  row6
	CMPQ AX, $56
	JEQ  row7
	JMP  row8
	WEIGH(row1, loop1, EACH1, SCALE1, Q8_1)
	WEIGH(row2, loop2, EACH2, SCALE1, Q8_2)
	WEIGH(row3, loop3, EACH3, SCALE1, Q8_3)
	WEIGH(row4, loop4, EACH4, SCALE1, Q8_4)
	WEIGH(row5, loop5, EACH5, SCALE2, Q8_5)
	WEIGH(row6, loop6, EACH6, SCALE2, Q8_6)
	WEIGH(row7, loop7, EACH7, SCALE2, Q8_7)
	WEIGH(row8, loop8, EACH8, SCALE2, Q8_8)

// func weighQ4(c, a *float32, codes, scales *byte, row, n, width int, ahead uintptr, step int)
TEXT ·weighQ4(SB), NOSPLIT, $0-72
	WEIGH_START
	VBROADCASTSS minus8<>(SB), Y13
	VPBROADCASTD fifteen<>(SB), Y15
	CMPQ         AX, $16
	JEQ          row1
	CMPQ         AX, $32
	JEQ          row2
	CMPQ         AX, $48
	JEQ          row3
	JMP          row4
	WEIGH(row1, loop1, EACH2, SCALE1, Q4_1)
	WEIGH(row2, loop2, EACH4, SCALE1, Q4_2)
	WEIGH(row3, loop3, EACH6, SCALE2, Q4_3)
	WEIGH(row4, loop4, EACH8, SCALE2, Q4_4)

DATA minus8<>+0(SB)/4, $0xc1000000
GLOBL minus8<>(SB), RODATA|NOPTR, $4

DATA fifteen<>+0(SB)/4, $15
GLOBL fifteen<>(SB), RODATA|NOPTR, $4
