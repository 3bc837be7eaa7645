//go:build !purego

#include "textflag.h"

// func rawCPUID(leaf, sub uint32) (regs [4]uint32)
TEXT ·rawCPUID(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, regs_0+8(FP)
	MOVL BX, regs_1+12(FP)
	MOVL CX, regs_2+16(FP)
	MOVL DX, regs_3+20(FP)
	RET

// func rawXGETBV() uint32
TEXT ·rawXGETBV(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, ret+0(FP)
	RET
