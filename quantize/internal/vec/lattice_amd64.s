//go:build !purego

#include "textflag.h"
#include "nearest_amd64.h"

DATA one<>+0(SB)/4, $0x3f800000
GLOBL one<>(SB), RODATA|NOPTR, $4
DATA onehalf<>+0(SB)/4, $0x3f000000
GLOBL onehalf<>(SB), RODATA|NOPTR, $4
DATA infinity<>+0(SB)/4, $0x7f800000
GLOBL infinity<>(SB), RODATA|NOPTR, $4

// func latticePlacesx8(at *LatticePlaces, v *float32, vectors, dims, width int, inv *LatticeScales, n int,
//	top int32)
//
// Lanes are scales. Coordinates are packed from the last to the first.
//
// DI  places   SI  vector   CX  vectors left   R8  dims   R9  inverse scales   DX  n
// BX  scale   AX  coordinates left
// Y0  places   Y1  inverse scales   Y2  l   X8  width   Y9  ½   Y10  1   Y11  shift
// Y12  low   Y13, Y14  zero and top, as they become
TEXT ·latticePlacesx8(SB), NOSPLIT, $0-60
	MOVQ         at+0(FP), DI
	MOVQ         v+8(FP), SI
	MOVQ         vectors+16(FP), CX
	MOVQ         dims+24(FP), R8
	MOVQ         width+32(FP), X8
	MOVQ         inv+40(FP), R9
	MOVQ         n+48(FP), DX
	VBROADCASTSS onehalf<>(SB), Y9
	VBROADCASTSS one<>(SB), Y10
	VBROADCASTSS shift<>(SB), Y11
	VPBROADCASTD low<>(SB), Y12
	VPBROADCASTD zero<>(SB), Y13
	MOVL         top+56(FP), AX
	VMOVD        AX, X14
	VPBROADCASTD X14, Y14
	VPADDD       Y13, Y14, Y14

vector:
	XORQ BX, BX

scales:
	VMOVUPS (R9)(BX*4), Y1
	VPXOR   Y0, Y0, Y0
	MOVQ    R8, AX

coordinate:
	VBROADCASTSS -4(SI)(AX*4), Y2
	VMULPS       Y2, Y1, Y2
	VSUBPS       Y10, Y2, Y2
	VMULPS       Y2, Y9, Y2
	NEAREST(Y2, Y11, Y12, Y13, Y14)
	VPSUBD       Y13, Y2, Y2
	VPSLLD       X8, Y0, Y0
	VPOR         Y2, Y0, Y0
	DECQ         AX
	JNE          coordinate

	VMOVDQU Y0, (DI)(BX*4)
	ADDQ    $8, BX
	CMPQ    BX, DX
	JLT     scales

	LEAQ (SI)(R8*4), SI
	ADDQ $128, DI
	DECQ CX
	JNE  vector
	VZEROUPPER
	RET

// COST makes t what coordinate i adds to a distance for each l.
//
// Y10  root, products   Y12  errors   Y13  scaled coordinates
#define COST(i, t) \
	VBROADCASTSS 4*i(R8), Y12  \
	VSUBPS       Y12, Y13, Y12 \
	VBROADCASTSS 4*i(R9), Y10  \
	VMULPS       Y12, Y10, Y10 \
	VMULPS       Y12, Y10, t

// FIRST and NEXT make Y8 the distances of eight points, one coordinate after the other. The bits of l come from Y9.
#define FIRST(t) \
	VPMOVZXWD (AX), Y9     \
	VPERMPS   t, Y9, Y8

#define NEXT(width, t) \
	VPSRLD  $width, Y9, Y9 \
	VPERMPS t, Y9, Y10     \
	VADDPS  Y10, Y8, Y8

// LEAST makes X9 the least of the sums Y8, of which those that are no numbers become infinite, and
// BX the first point that has it.
#define LEAST \
	VMINPS       Y14, Y8, Y8    \
	VEXTRACTF128 $1, Y8, X9     \
	VMINPS       X9, X8, X9     \
	VPERMILPS    $0x4e, X9, X10 \
	VMINPS       X10, X9, X9    \
	VPERMILPS    $0xb1, X9, X10 \
	VMINPS       X10, X9, X9    \
	VBROADCASTSS X9, Y10        \
	VCMPPS       $0, Y10, Y8, Y10 \
	VMOVMSKPS    Y10, BX        \
	BSFL         BX, BX         \
	MOVWLZX      (AX)(BX*2), BX

// NEAR is the loop over vectors and scales. A list is an eight of points or more: a later one
// counts if its least sum is less. If the first sum of all is no number, its point is the result.
//
// DI  points   SI  places   R8  vector   R9  roots   R14  vectors left   R10  scales   R15  n
// R11  lists   R12  near   CX  scale   AX  place, points of its list   R13  its number, eights left
// BX  point   DX  result
// Y0..Y7  costs   Y8  sums   X11  the least   Y14  infinity   Y15  coordinates
#define NEAR(costs, sums, dims) \
vector:                           \
	XORQ         CX, CX           \
scale:                            \
	MOVL         (SI)(CX*4), AX   \
	MOVL         AX, DX           \
	MOVL         (R11)(AX*4), R13 \
	TESTL        R13, R13         \
	JEQ          found            \
	VBROADCASTSS (R10)(CX*4), Y13 \
	VMULPS       Y15, Y13, Y13    \
	costs                         \
	MOVL         R13, AX          \
	SHRL         $8, AX           \
	SHLQ         $4, AX           \
	ADDQ         R12, AX          \
	ANDL         $255, R13        \
	sums                          \
	MOVWLZX      (AX), DX         \
	VUCOMISS     X8, X8           \
	JP           found            \
	LEAST                         \
	VMOVAPS      X9, X11          \
	MOVL         BX, DX           \
	JMP          next             \
eight:                            \
	ADDQ         $16, AX          \
	sums                          \
	LEAST                         \
	VUCOMISS     X11, X9          \
	JAE          next             \
	VMOVAPS      X9, X11          \
	MOVL         BX, DX           \
next:                             \
	DECL         R13              \
	JNE          eight            \
found:                            \
	MOVL         DX, (DI)(CX*4)   \
	INCQ         CX               \
	CMPQ         CX, R15          \
	JLT          scale            \
	ADDQ         $128, DI         \
	ADDQ         $128, SI         \
	ADDQ         $(4*dims), R8    \
	ADDQ         $(4*dims), R9    \
	DECQ         R14              \
	JNE          vector

#define COSTS4 COST(0, Y0); COST(1, Y1); COST(2, Y2); COST(3, Y3)
#define SUMS4 FIRST(Y0); NEXT(3, Y1); NEXT(3, Y2); NEXT(3, Y3)
#define COSTS8 COST(0, Y0); COST(1, Y1); COST(2, Y2); COST(3, Y3); COST(4, Y4); COST(5, Y5); COST(6, Y6); COST(7, Y7)
#define SUMS8 FIRST(Y0); NEXT(2, Y1); NEXT(2, Y2); NEXT(2, Y3); NEXT(2, Y4); NEXT(2, Y5); NEXT(2, Y6); NEXT(2, Y7)

// func latticeNearest4(p, at *LatticePlaces, v, root *float32, vectors int, scales *LatticeScales, n int,
//	lists *uint32, near *uint16, odd *[8]float32)
TEXT ·latticeNearest4(SB), NOSPLIT, $0-80
	MOVQ         p+0(FP), DI
	MOVQ         at+8(FP), SI
	MOVQ         v+16(FP), R8
	MOVQ         root+24(FP), R9
	MOVQ         vectors+32(FP), R14
	MOVQ         scales+40(FP), R10
	MOVQ         n+48(FP), R15
	MOVQ         lists+56(FP), R11
	MOVQ         near+64(FP), R12
	MOVQ         odd+72(FP), AX
	VMOVUPS      (AX), Y15
	VBROADCASTSS infinity<>(SB), Y14
	NEAR(COSTS4, SUMS4, 4)
	VZEROUPPER
	RET

// func latticeNearest8(p, at *LatticePlaces, v, root *float32, vectors int, scales *LatticeScales, n int,
//	lists *uint32, near *uint16, odd *[8]float32)
TEXT ·latticeNearest8(SB), NOSPLIT, $0-80
	MOVQ         p+0(FP), DI
	MOVQ         at+8(FP), SI
	MOVQ         v+16(FP), R8
	MOVQ         root+24(FP), R9
	MOVQ         vectors+32(FP), R14
	MOVQ         scales+40(FP), R10
	MOVQ         n+48(FP), R15
	MOVQ         lists+56(FP), R11
	MOVQ         near+64(FP), R12
	MOVQ         odd+72(FP), AX
	VMOVUPS      (AX), Y15
	VBROADCASTSS infinity<>(SB), Y14
	NEAR(COSTS8, SUMS8, 8)
	VZEROUPPER
	RET

// func latticeCorrelatex8(a, b *LatticeScales, v, w *float32, p *LatticePlaces, vectors, dims, width, n int,
//	odd *[8]float32)
//
// Lanes are scales.
//
// R8  v   R9  w   SI  points   CX  vectors left   R10  dims   AX  coordinates left   BX  scale
// Y0, Y1  a, b   Y2  points   Y3  q   Y4  w   Y5, Y6  products   X8  width   Y15  coordinates
TEXT ·latticeCorrelatex8(SB), NOSPLIT, $0-80
	MOVQ    a+0(FP), DI
	MOVQ    b+8(FP), DX
	MOVQ    dims+48(FP), R10
	MOVQ    width+56(FP), X8
	MOVQ    odd+72(FP), AX
	VMOVUPS (AX), Y15
	XORQ    BX, BX

scales:
	MOVQ   v+16(FP), R8
	MOVQ   w+24(FP), R9
	MOVQ   p+32(FP), SI
	LEAQ   (SI)(BX*4), SI
	MOVQ   vectors+40(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1

vector:
	VMOVDQU (SI), Y2
	MOVQ    R10, AX

coordinate:
	VPERMPS      Y15, Y2, Y3
	VPSRLD       X8, Y2, Y2
	VBROADCASTSS (R9), Y4
	VBROADCASTSS (R8), Y5
	VMULPS       Y5, Y4, Y5
	VMULPS       Y3, Y5, Y5
	VADDPS       Y5, Y0, Y0
	VMULPS       Y3, Y4, Y6
	VMULPS       Y3, Y6, Y6
	VADDPS       Y6, Y1, Y1
	ADDQ         $4, R8
	ADDQ         $4, R9
	DECQ         AX
	JNE          coordinate

	ADDQ $128, SI
	DECQ CX
	JNE  vector

	VMOVUPS Y0, (DI)(BX*4)
	VMOVUPS Y1, (DX)(BX*4)
	ADDQ    $8, BX
	CMPQ    BX, n+64(FP)
	JLT     scales
	VZEROUPPER
	RET
