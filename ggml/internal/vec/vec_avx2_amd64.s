//go:build !purego

#include "textflag.h"
#include "exp_avx2_amd64.h"

// In all of them: DI, SI, DX, R8  the vectors in the order of the arguments,
// CX  elements left, a multiple of what one round takes.

// func sumx16(sum *[16]float32, x *float32, n int)
//
// Y0, Y1  the lanes
TEXT ·sumx16(SB), NOSPLIT, $0-24
	MOVQ    sum+0(FP), DI
	MOVQ    x+8(FP), SI
	MOVQ    n+16(FP), CX
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1

loop:
	VADDPS (SI), Y0, Y0
	VADDPS 32(SI), Y1, Y1
	ADDQ   $64, SI
	SUBQ   $16, CX
	JNE    loop

	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VZEROUPPER
	RET

// func squaresx16(sum *[16]float32, x *float32, n int, mean float32)
//
// Y0, Y1  the lanes   Y2, Y3  differences   Y4  mean
TEXT ·squaresx16(SB), NOSPLIT, $0-28
	MOVQ         sum+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS mean+24(FP), Y4
	VMOVUPS      (DI), Y0
	VMOVUPS      32(DI), Y1

loop:
	VMOVUPS     (SI), Y2
	VMOVUPS     32(SI), Y3
	VSUBPS      Y4, Y2, Y2
	VSUBPS      Y4, Y3, Y3
	VFMADD231PS Y2, Y2, Y0
	VFMADD231PS Y3, Y3, Y1
	ADDQ        $64, SI
	SUBQ        $16, CX
	JNE         loop

	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VZEROUPPER
	RET

// func normx8(y, x, w *float32, n int, mean, inv float32)
//
// Y4  mean   Y5  inv
TEXT ·normx8(SB), NOSPLIT, $0-40
	MOVQ         y+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         w+16(FP), DX
	MOVQ         n+24(FP), CX
	VBROADCASTSS mean+32(FP), Y4
	VBROADCASTSS inv+36(FP), Y5

loop:
	VMOVUPS (SI), Y0
	VSUBPS  Y4, Y0, Y0
	VMULPS  Y5, Y0, Y0
	VMULPS  (DX), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DX
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNE     loop
	VZEROUPPER
	RET

// func normBiasx8(y, x, w, b *float32, n int, mean, inv float32)
//
// Y4  mean   Y5  inv
TEXT ·normBiasx8(SB), NOSPLIT, $0-48
	MOVQ         y+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         w+16(FP), DX
	MOVQ         b+24(FP), R8
	MOVQ         n+32(FP), CX
	VBROADCASTSS mean+40(FP), Y4
	VBROADCASTSS inv+44(FP), Y5

loop:
	VMOVUPS     (SI), Y0
	VMOVUPS     (R8), Y1
	VSUBPS      Y4, Y0, Y0
	VMULPS      Y5, Y0, Y0
	VFMADD132PS (DX), Y1, Y0
	VMOVUPS     Y0, (DI)
	ADDQ        $32, SI
	ADDQ        $32, DX
	ADDQ        $32, R8
	ADDQ        $32, DI
	SUBQ        $8, CX
	JNE         loop
	VZEROUPPER
	RET

// func expx8(y, x *float32, n int)
//
// Y0 x   Y1 e^x   Y2, Y3 temporary   Y6..Y15 see EXP_CONSTANTS
TEXT ·expx8(SB), NOSPLIT, $0-24
	MOVQ y+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	EXP_CONSTANTS

loop:
	VMOVUPS (SI), Y0
	EXP(Y0, Y1, Y2, Y3)
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNE     loop
	VZEROUPPER
	RET

// TAIL_STEP is one step of Horner's rule for log2 Q: Y2 = Y2·Y1 + tailPoly[k].
#define TAIL_STEP(k) \
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·tailPoly+(4*k)(SB), Y3 \
	VFMADD213PS  Y3, Y1, Y2

// func gelux8(x *float32, n int)
//
// Y0 x, relu(x)   Y1 |x|   Y2 log2 Q(|x|), its fraction   Y3 temporary, Q
// Y4 roundBias + exponent of Q   Y5 sign bits   Y6..Y15 see EXP_CONSTANTS
TEXT ·gelux8(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	EXP_CONSTANTS
	VPCMPEQD Y5, Y5, Y5
	VPSLLD   $31, Y5, Y5

loop:
	VMOVUPS      (DI), Y0
	VANDNPS      Y0, Y5, Y1
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·tailPoly+44(SB), Y2
	TAIL_STEP(10)
	TAIL_STEP(9)
	TAIL_STEP(8)
	TAIL_STEP(7)
	TAIL_STEP(6)
	TAIL_STEP(5)
	TAIL_STEP(4)
	TAIL_STEP(3)
	TAIL_STEP(2)
	TAIL_STEP(1)
	TAIL_STEP(0)
	VADDPS       Y14, Y2, Y4
	VSUBPS       Y14, Y4, Y3
	VSUBPS       Y3, Y2, Y2
	VMULPS       Y13, Y2, Y2
	EXP_REDUCED(Y4, Y2, Y3)
	VMULPS       Y3, Y1, Y3
	VBROADCASTSS mptgo∕ggml∕internal∕scalar·mathTable+28(SB), Y2
	VCMPPS       $0x12, Y2, Y1, Y2    // |x| <= geluEdge
	VANDPS       Y2, Y3, Y3
	VXORPS       Y4, Y4, Y4
	VMAXPS       Y0, Y4, Y0           // x if it is NaN or a zero
	VSUBPS       Y3, Y0, Y0
	VMOVUPS      Y0, (DI)
	ADDQ         $32, DI
	SUBQ         $8, CX
	JNE          loop
	VZEROUPPER
	RET

// func addx8(y, x *float32, n int)
TEXT ·addx8(SB), NOSPLIT, $0-24
	MOVQ y+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX

loop:
	VMOVUPS (DI), Y0
	VADDPS  (SI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNE     loop
	VZEROUPPER
	RET

// func scalex8(x *float32, n int, s float32)
TEXT ·scalex8(SB), NOSPLIT, $0-20
	MOVQ         x+0(FP), DI
	MOVQ         n+8(FP), CX
	VBROADCASTSS s+16(FP), Y1

loop:
	VMULPS  (DI), Y1, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNE     loop
	VZEROUPPER
	RET

// func clampx8(x *float32, n int, c float32)
//
// Y1  c   Y2  -c; MIN and MAX return their last operand, x, if it is NaN.
TEXT ·clampx8(SB), NOSPLIT, $0-20
	MOVQ         x+0(FP), DI
	MOVQ         n+8(FP), CX
	VBROADCASTSS c+16(FP), Y1
	VPCMPEQD     Y2, Y2, Y2
	VPSLLD       $31, Y2, Y2
	VXORPS       Y1, Y2, Y2

loop:
	VMINPS  (DI), Y1, Y0
	VMAXPS  Y0, Y2, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNE     loop
	VZEROUPPER
	RET

// func encodeF16x8(dst *byte, src *float32, n int)
TEXT ·encodeF16x8(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

loop:
	VMOVUPS   (SI), Y0
	VCVTPS2PH $0, Y0, (DI)
	ADDQ      $32, SI
	ADDQ      $16, DI
	SUBQ      $8, CX
	JNE       loop
	VZEROUPPER
	RET

// func decodeF16x8(dst *float32, src *byte, n int)
TEXT ·decodeF16x8(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

loop:
	VCVTPH2PS (SI), Y0
	VMOVUPS   Y0, (DI)
	ADDQ      $16, SI
	ADDQ      $32, DI
	SUBQ      $8, CX
	JNE       loop
	VZEROUPPER
	RET

// func decodeBF16x8(dst *float32, src *byte, n int)
TEXT ·decodeBF16x8(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

loop:
	VPMOVZXWD (SI), Y0
	VPSLLD    $16, Y0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $16, SI
	ADDQ      $32, DI
	SUBQ      $8, CX
	JNE       loop
	VZEROUPPER
	RET
