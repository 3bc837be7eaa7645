//go:build !purego

#include "textflag.h"
#include "nearest_amd64.h"

DATA unsigned<>+0(SB)/4, $0x7fffffff
GLOBL unsigned<>(SB), RODATA|NOPTR, $4
DATA infinite<>+0(SB)/8, $0x7c007c007c007c00
GLOBL infinite<>(SB), RODATA|NOPTR, $8
DATA half<>+0(SB)/4, $0x3f000000
GLOBL half<>(SB), RODATA|NOPTR, $4

// func codesx8(codes *uint8, x *float32, n int, scale, lo float32, divide bool, least, most, offset int32)
//
// Y0  values, then codes   X1  half of them   Y8  scale   Y9  lo   Y10  offset less what 0 becomes
// Y11  shift   Y12  low   Y13  zero   Y14, Y15  least and most, as they become
TEXT ·codesx8(SB), NOSPLIT, $0-48
	MOVQ         codes+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS scale+24(FP), Y8
	VBROADCASTSS lo+28(FP), Y9
	VBROADCASTSS shift<>(SB), Y11
	VPBROADCASTD low<>(SB), Y12
	VPBROADCASTD zero<>(SB), Y13
	MOVL         offset+44(FP), AX
	VMOVD        AX, X10
	VPBROADCASTD X10, Y10
	MOVL         least+36(FP), AX
	VMOVD        AX, X14
	VPBROADCASTD X14, Y14
	MOVL         most+40(FP), AX
	VMOVD        AX, X15
	VPBROADCASTD X15, Y15
	VPSUBD       Y13, Y10, Y10
	VPADDD       Y13, Y14, Y14
	VPADDD       Y13, Y15, Y15
	CMPB         divide+32(FP), $0
	JNE          quotient

product:
	VMOVUPS      (SI), Y0
	VSUBPS       Y9, Y0, Y0
	VMULPS       Y8, Y0, Y0
	NEAREST(Y0, Y11, Y12, Y14, Y15)
	VPADDD       Y10, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKSSDW    X1, X0, X0
	VPACKUSWB    X0, X0, X0
	VMOVQ        X0, (DI)
	ADDQ         $32, SI
	ADDQ         $8, DI
	SUBQ         $8, CX
	JNE          product
	VZEROUPPER
	RET

quotient:
	VMOVUPS      (SI), Y0
	VSUBPS       Y9, Y0, Y0
	VDIVPS       Y8, Y0, Y0
	NEAREST(Y0, Y11, Y12, Y14, Y15)
	VPADDD       Y10, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKSSDW    X1, X0, X0
	VPACKUSWB    X0, X0, X0
	VMOVQ        X0, (DI)
	ADDQ         $32, SI
	ADDQ         $8, DI
	SUBQ         $8, CX
	JNE          quotient
	VZEROUPPER
	RET

// func decodeF16x8(dst *float32, src *byte, n int) int
//
// Y0  values   X1  numbers, then those that are infinite   X2  the bits of the exponent
TEXT ·decodeF16x8(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         src+8(FP), SI
	MOVQ         n+16(FP), CX
	XORL         AX, AX
	VPBROADCASTQ infinite<>(SB), X2

next:
	VMOVDQU   (SI)(AX*2), X1
	VCVTPH2PS X1, Y0
	VPAND     X2, X1, X1
	VPCMPEQW  X2, X1, X1
	VPTEST    X1, X1
	JNE       done
	VMOVUPS   Y0, (DI)(AX*4)
	ADDQ      $8, AX
	CMPQ      AX, CX
	JLT       next

done:
	VZEROUPPER
	MOVQ AX, ret+24(FP)
	RET

// func truncatedx8(codes *uint8, x *float32, n int, lo, scale, half float32, most int32)
//
// Y0  values, then codes   X1  half of them   Y2..Y5  lo, scale, half, most
TEXT ·truncatedx8(SB), NOSPLIT, $0-40
	MOVQ         codes+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS lo+24(FP), Y2
	VBROADCASTSS scale+28(FP), Y3
	VBROADCASTSS half+32(FP), Y4
	MOVL         most+36(FP), AX
	VMOVD        AX, X5
	VPBROADCASTD X5, Y5

next:
	VMOVUPS      (SI), Y0
	VSUBPS       Y2, Y0, Y0
	VMULPS       Y3, Y0, Y0
	VADDPS       Y4, Y0, Y0
	VCVTTPS2DQ   Y0, Y0
	VPMINSD      Y5, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKSSDW    X1, X0, X0
	VPACKUSWB    X0, X0, X0
	VMOVQ        X0, (DI)
	ADDQ         $32, SI
	ADDQ         $8, DI
	SUBQ         $8, CX
	JNE          next
	VZEROUPPER
	RET

// func roundedx8(codes *uint8, x *float32, n int, scale float32)
//
// Y0  values, then codes   X1  half of them   Y2  scale   Y3  values without a fraction
// Y4  the fraction's magnitude, then where it is half or more   Y5  unsigned   Y6  half
TEXT ·roundedx8(SB), NOSPLIT, $0-28
	MOVQ         codes+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS scale+24(FP), Y2
	VPBROADCASTD unsigned<>(SB), Y5
	VBROADCASTSS half<>(SB), Y6

next:
	VMULPS       (SI), Y2, Y0
	VROUNDPS     $3, Y0, Y3
	VSUBPS       Y3, Y0, Y4
	VANDPS       Y5, Y4, Y4
	VCMPPS       $13, Y6, Y4, Y4 // -1 where it is not less than half
	VPSRAD       $31, Y0, Y0     // -1 below zero
	VPXOR        Y0, Y4, Y7      // of -1: 0 below zero, -1 above
	VPSUBD       Y0, Y7, Y7      // 1 below zero, -1 above
	VPAND        Y4, Y7, Y7
	VCVTTPS2DQ   Y3, Y0
	VPSUBD       Y7, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPACKSSDW    X1, X0, X0
	VPACKSSWB    X0, X0, X0
	VMOVQ        X0, (DI)
	ADDQ         $32, SI
	ADDQ         $8, DI
	SUBQ         $8, CX
	JNE          next
	VZEROUPPER
	RET

// func extremex8(x *float32, n int) float32
//
// Y0  magnitudes   Y1  the greatest   Y5  unsigned
TEXT ·extremex8(SB), NOSPLIT, $0-20
	MOVQ         x+0(FP), SI
	MOVQ         n+8(FP), CX
	XORL         AX, AX
	VPBROADCASTD unsigned<>(SB), Y5
	VPXOR        Y1, Y1, Y1

greatest:
	VPAND   (SI)(AX*4), Y5, Y0
	VPMAXSD Y0, Y1, Y1
	ADDQ    $8, AX
	CMPQ    AX, CX
	JLT     greatest

	VEXTRACTI128 $1, Y1, X0
	VPMAXSD      X0, X1, X1
	VPSHUFD      $0x4e, X1, X0
	VPMAXSD      X0, X1, X1
	VPSHUFD      $0xb1, X1, X0
	VPMAXSD      X0, X1, X1
	VMOVD        X1, DX
	TESTL        DX, DX
	JEQ          zero
	VPBROADCASTD X1, Y1
	MOVQ         $-8, AX

first:
	ADDQ      $8, AX
	VPAND     (SI)(AX*4), Y5, Y0
	VPCMPEQD  Y1, Y0, Y0
	VMOVMSKPS Y0, DX
	TESTL     DX, DX
	JEQ       first
	BSFL      DX, DX
	ADDQ      DX, AX
	MOVL      (SI)(AX*4), DX

zero:
	VZEROUPPER
	MOVL DX, ret+16(FP)
	RET

// func spanx8(x *float32, n int) (lo, hi float32)
//
// Y0  values   Y1  the smallest   Y2  the largest
TEXT ·spanx8(SB), NOSPLIT, $0-24
	MOVQ    x+0(FP), SI
	MOVQ    n+8(FP), CX
	VMOVUPS (SI), Y1
	VMOVAPS Y1, Y2
	JMP     more

next:
	VMOVUPS (SI), Y0
	VMINPS  Y0, Y1, Y1
	VMAXPS  Y0, Y2, Y2

more:
	ADDQ $32, SI
	SUBQ $8, CX
	JNE  next

	VEXTRACTF128 $1, Y1, X0
	VMINPS       X0, X1, X1
	VEXTRACTF128 $1, Y2, X0
	VMAXPS       X0, X2, X2
	VPERMILPS    $0x4e, X1, X0
	VMINPS       X0, X1, X1
	VPERMILPS    $0x4e, X2, X0
	VMAXPS       X0, X2, X2
	VPERMILPS    $0xb1, X1, X0
	VMINPS       X0, X1, X1
	VPERMILPS    $0xb1, X2, X0
	VMAXPS       X0, X2, X2
	VZEROUPPER
	MOVSS        X1, lo+16(FP)
	MOVSS        X2, hi+20(FP)
	RET
