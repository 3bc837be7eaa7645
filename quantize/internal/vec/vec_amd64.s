//go:build !purego

#include "textflag.h"

// In all of them: DI, SI, R8..R10  vectors, CX  values left, a multiple of what one
// round takes.

// func addScaledx8(y, x *float32, n int, a float32)
//
// Y0  a   Y1..Y4  products
TEXT ·addScaledx8(SB), NOSPLIT, $0-28
	MOVQ         y+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VBROADCASTSS a+24(FP), Y0

	SUBQ $32, CX
	JLT  rest

loop32:
	VMULPS  (SI), Y0, Y1
	VMULPS  32(SI), Y0, Y2
	VMULPS  64(SI), Y0, Y3
	VMULPS  96(SI), Y0, Y4
	VADDPS  (DI), Y1, Y1
	VADDPS  32(DI), Y2, Y2
	VADDPS  64(DI), Y3, Y3
	VADDPS  96(DI), Y4, Y4
	VMOVUPS Y1, (DI)
	VMOVUPS Y2, 32(DI)
	VMOVUPS Y3, 64(DI)
	VMOVUPS Y4, 96(DI)
	ADDQ    $128, SI
	ADDQ    $128, DI
	SUBQ    $32, CX
	JGE     loop32

rest:
	ADDQ $32, CX
	JEQ  done

loop8:
	VMULPS  (SI), Y0, Y1
	VADDPS  (DI), Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNE     loop8

done:
	VZEROUPPER
	RET

// func addProducts4x16(y *float32, ldy, n int, a *float32, m int, x *float32, ldx int)
//
// DI, R8..R10  the vectors   SI  x   DX  bytes between its rows   BX  m
// Y0..Y7  16 values of each vector   Y8, Y9  of x   Y10, Y13  a   the rest  products
TEXT ·addProducts4x16(SB), NOSPLIT, $0-56
	MOVQ y+0(FP), DI
	MOVQ ldy+8(FP), AX
	MOVQ n+16(FP), CX
	MOVQ m+32(FP), BX
	MOVQ x+40(FP), SI
	MOVQ ldx+48(FP), DX
	SHLQ $2, DX
	LEAQ (DI)(AX*4), R8
	LEAQ (R8)(AX*4), R9
	LEAQ (R9)(AX*4), R10

columns:
	VMOVUPS (DI), Y0
	VMOVUPS 32(DI), Y1
	VMOVUPS (R8), Y2
	VMOVUPS 32(R8), Y3
	VMOVUPS (R9), Y4
	VMOVUPS 32(R9), Y5
	VMOVUPS (R10), Y6
	VMOVUPS 32(R10), Y7
	MOVQ    a+24(FP), AX
	MOVQ    SI, R11
	MOVQ    BX, R12

rows:
	VMOVUPS      (R11), Y8
	VMOVUPS      32(R11), Y9
	VBROADCASTSS (AX), Y10
	VMULPS       Y8, Y10, Y11
	VMULPS       Y9, Y10, Y12
	VADDPS       Y11, Y0, Y0
	VADDPS       Y12, Y1, Y1
	VBROADCASTSS 4(AX), Y13
	VMULPS       Y8, Y13, Y14
	VMULPS       Y9, Y13, Y15
	VADDPS       Y14, Y2, Y2
	VADDPS       Y15, Y3, Y3
	VBROADCASTSS 8(AX), Y10
	VMULPS       Y8, Y10, Y11
	VMULPS       Y9, Y10, Y12
	VADDPS       Y11, Y4, Y4
	VADDPS       Y12, Y5, Y5
	VBROADCASTSS 12(AX), Y13
	VMULPS       Y8, Y13, Y14
	VMULPS       Y9, Y13, Y15
	VADDPS       Y14, Y6, Y6
	VADDPS       Y15, Y7, Y7
	ADDQ         $16, AX
	ADDQ         DX, R11
	DECQ         R12
	JNE          rows

	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, (R8)
	VMOVUPS Y3, 32(R8)
	VMOVUPS Y4, (R9)
	VMOVUPS Y5, 32(R9)
	VMOVUPS Y6, (R10)
	VMOVUPS Y7, 32(R10)
	ADDQ    $64, DI
	ADDQ    $64, R8
	ADDQ    $64, R9
	ADDQ    $64, R10
	ADDQ    $64, SI
	SUBQ    $16, CX
	JNE     columns

	VZEROUPPER
	RET

// func addProducts4x32(y *float32, ldy, n int, a *float32, m int, x *float32, ldx int)
//
// addProducts4x16 with registers of twice the size, for twice as many values in a round.
TEXT ·addProducts4x32(SB), NOSPLIT, $0-56
	MOVQ y+0(FP), DI
	MOVQ ldy+8(FP), AX
	MOVQ n+16(FP), CX
	MOVQ m+32(FP), BX
	MOVQ x+40(FP), SI
	MOVQ ldx+48(FP), DX
	SHLQ $2, DX
	LEAQ (DI)(AX*4), R8
	LEAQ (R8)(AX*4), R9
	LEAQ (R9)(AX*4), R10

columns:
	VMOVUPS (DI), Z0
	VMOVUPS 64(DI), Z1
	VMOVUPS (R8), Z2
	VMOVUPS 64(R8), Z3
	VMOVUPS (R9), Z4
	VMOVUPS 64(R9), Z5
	VMOVUPS (R10), Z6
	VMOVUPS 64(R10), Z7
	MOVQ    a+24(FP), AX
	MOVQ    SI, R11
	MOVQ    BX, R12

rows:
	VMOVUPS      (R11), Z8
	VMOVUPS      64(R11), Z9
	VBROADCASTSS (AX), Z10
	VMULPS       Z8, Z10, Z11
	VMULPS       Z9, Z10, Z12
	VADDPS       Z11, Z0, Z0
	VADDPS       Z12, Z1, Z1
	VBROADCASTSS 4(AX), Z13
	VMULPS       Z8, Z13, Z14
	VMULPS       Z9, Z13, Z15
	VADDPS       Z14, Z2, Z2
	VADDPS       Z15, Z3, Z3
	VBROADCASTSS 8(AX), Z16
	VMULPS       Z8, Z16, Z17
	VMULPS       Z9, Z16, Z18
	VADDPS       Z17, Z4, Z4
	VADDPS       Z18, Z5, Z5
	VBROADCASTSS 12(AX), Z19
	VMULPS       Z8, Z19, Z20
	VMULPS       Z9, Z19, Z21
	VADDPS       Z20, Z6, Z6
	VADDPS       Z21, Z7, Z7
	ADDQ         $16, AX
	ADDQ         DX, R11
	DECQ         R12
	JNE          rows

	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, (R8)
	VMOVUPS Z3, 64(R8)
	VMOVUPS Z4, (R9)
	VMOVUPS Z5, 64(R9)
	VMOVUPS Z6, (R10)
	VMOVUPS Z7, 64(R10)
	ADDQ    $128, DI
	ADDQ    $128, R8
	ADDQ    $128, R9
	ADDQ    $128, R10
	ADDQ    $128, SI
	SUBQ    $32, CX
	JNE     columns

	VZEROUPPER
	RET

// func dotx16(sum *[16]float64, x, y *float64, n int)
//
// Y0..Y3  the lanes   Y4..Y7  products
TEXT ·dotx16(SB), NOSPLIT, $0-32
	MOVQ    sum+0(FP), AX
	MOVQ    x+8(FP), SI
	MOVQ    y+16(FP), DI
	MOVQ    n+24(FP), CX
	VMOVUPD (AX), Y0
	VMOVUPD 32(AX), Y1
	VMOVUPD 64(AX), Y2
	VMOVUPD 96(AX), Y3

loop:
	VMOVUPD (SI), Y4
	VMOVUPD 32(SI), Y5
	VMOVUPD 64(SI), Y6
	VMOVUPD 96(SI), Y7
	VMULPD  (DI), Y4, Y4
	VMULPD  32(DI), Y5, Y5
	VMULPD  64(DI), Y6, Y6
	VMULPD  96(DI), Y7, Y7
	VADDPD  Y4, Y0, Y0
	VADDPD  Y5, Y1, Y1
	VADDPD  Y6, Y2, Y2
	VADDPD  Y7, Y3, Y3
	ADDQ    $128, SI
	ADDQ    $128, DI
	SUBQ    $16, CX
	JNE     loop

	VMOVUPD Y0, (AX)
	VMOVUPD Y1, 32(AX)
	VMOVUPD Y2, 64(AX)
	VMOVUPD Y3, 96(AX)
	VZEROUPPER
	RET

// func dotWidex16(sum *[16]float64, x, y *float32, n int)
//
// Y0..Y3  the lanes   Y4..Y11  values
TEXT ·dotWidex16(SB), NOSPLIT, $0-32
	MOVQ    sum+0(FP), AX
	MOVQ    x+8(FP), SI
	MOVQ    y+16(FP), DI
	MOVQ    n+24(FP), CX
	VMOVUPD (AX), Y0
	VMOVUPD 32(AX), Y1
	VMOVUPD 64(AX), Y2
	VMOVUPD 96(AX), Y3

loop:
	VCVTPS2PD (SI), Y4
	VCVTPS2PD 16(SI), Y5
	VCVTPS2PD 32(SI), Y6
	VCVTPS2PD 48(SI), Y7
	VCVTPS2PD (DI), Y8
	VCVTPS2PD 16(DI), Y9
	VCVTPS2PD 32(DI), Y10
	VCVTPS2PD 48(DI), Y11
	VMULPD    Y8, Y4, Y4
	VMULPD    Y9, Y5, Y5
	VMULPD    Y10, Y6, Y6
	VMULPD    Y11, Y7, Y7
	VADDPD    Y4, Y0, Y0
	VADDPD    Y5, Y1, Y1
	VADDPD    Y6, Y2, Y2
	VADDPD    Y7, Y3, Y3
	ADDQ      $64, SI
	ADDQ      $64, DI
	SUBQ      $16, CX
	JNE       loop

	VMOVUPD Y0, (AX)
	VMOVUPD Y1, 32(AX)
	VMOVUPD Y2, 64(AX)
	VMOVUPD Y3, 96(AX)
	VZEROUPPER
	RET
