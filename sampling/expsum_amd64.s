//go:build !purego

#include "textflag.h"

// A step of the polynomial: product and sum are rounded each, as in exp.
#define STEP(o) \
	VMULPD Y0, Y2, Y2    \
	VADDPD o(DX), Y2, Y2

// func expSumx4(logits *float32, n int, c *expConstants, from float64) (sum float64)
//
// The instructions are those of exp, for four logits; their sum is made one after the other.
//
//	Y0  x, then r   Y1  k   Y2  the polynomial   Y3  temporary, then 2 to the power k   Y4  what is 0
//	X5  the sum     DX  constants
TEXT ·expSumx4(SB), NOSPLIT, $0-40
	MOVQ   logits+0(FP), SI
	MOVQ   n+8(FP), CX
	MOVQ   c+16(FP), DX
	VMOVSD from+24(FP), X5

loop:
	VCVTPS2PD    (SI), Y0
	VSUBPD       (DX), Y0, Y0
	VCMPPD       $1, 32(DX), Y0, Y4   // x < -708
	VMULPD       64(DX), Y0, Y1
	VADDPD       96(DX), Y1, Y1
	VROUNDPD     $9, Y1, Y1           // down
	VMULPD       128(DX), Y1, Y3
	VSUBPD       Y3, Y0, Y0
	VMULPD       160(DX), Y1, Y3
	VSUBPD       Y3, Y0, Y0
	VCVTTPD2DQY  Y1, X3
	VPADDD       192(DX), X3, X3
	VPMOVZXDQ    X3, Y3
	VPSLLQ       $52, Y3, Y3
	VMOVUPD      224(DX), Y2
	STEP(256)
	STEP(288)
	STEP(320)
	STEP(352)
	STEP(384)
	STEP(416)
	STEP(448)
	STEP(480)
	STEP(512)
	STEP(544)
	STEP(576)
	STEP(608)
	STEP(640)
	VMULPD       Y3, Y2, Y2
	VANDNPD      Y2, Y4, Y2
	VADDSD       X2, X5, X5
	VUNPCKHPD    X2, X2, X3
	VADDSD       X3, X5, X5
	VEXTRACTF128 $1, Y2, X2
	VADDSD       X2, X5, X5
	VUNPCKHPD    X2, X2, X3
	VADDSD       X3, X5, X5
	ADDQ         $16, SI
	SUBQ         $4, CX
	JNE          loop
	VMOVSD       X5, sum+32(FP)
	VZEROUPPER
	RET

// func largestx32(logits *float32, n int, top *[8]float32) (numbers bool)
//
//	Y0..Y3  the largest so far   Y4..Y7  logits   Y8  all ones where one was not a number
TEXT ·largestx32(SB), NOSPLIT, $0-25
	MOVQ    logits+0(FP), SI
	MOVQ    n+8(FP), CX
	MOVQ    top+16(FP), DX
	VMOVUPS (SI), Y0
	VMOVAPS Y0, Y1
	VMOVAPS Y0, Y2
	VMOVAPS Y0, Y3
	VXORPS  Y8, Y8, Y8

largest:
	VMOVUPS (SI), Y4
	VMOVUPS 32(SI), Y5
	VMOVUPS 64(SI), Y6
	VMOVUPS 96(SI), Y7
	VMAXPS  Y4, Y0, Y0
	VMAXPS  Y5, Y1, Y1
	VMAXPS  Y6, Y2, Y2
	VMAXPS  Y7, Y3, Y3
	VCMPPS  $3, Y4, Y5, Y4 // one of the two is NaN
	VCMPPS  $3, Y6, Y7, Y6
	VORPS   Y4, Y8, Y8
	VORPS   Y6, Y8, Y8
	ADDQ    $128, SI
	SUBQ    $32, CX
	JNE     largest

	VMAXPS    Y1, Y0, Y0
	VMAXPS    Y3, Y2, Y2
	VMAXPS    Y2, Y0, Y0
	VMOVUPS   Y0, (DX)
	VMOVMSKPS Y8, AX
	TESTL     AX, AX
	SETEQ     numbers+24(FP)
	VZEROUPPER
	RET
