package amd64

import (
	"fmt"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// VPDPBUSD adds to each dword of a register the sum of the products of four
// unsigned bytes with four signed ones, VPDPWSSD of two signed words with two.
// Sums of 32 products of bytes are far from the end of int32: they are exact.
//
// avo knows neither, and Go's assembler only the form with an EVEX prefix, of
// AVX-512. The form with a VEX prefix, of AVX-VNNI, is put together here: parts
// that need AVX-512 anyway set evex.

// dotBytes adds the products of the bytes of w, unsigned, with those of q to
// acc. Where q is memory, the dword there is meant, for all lanes.
func (g *gen) dotBytes(q operand.Op, w, acc reg.VecPhysical) { g.dot("VPDPBUSD", 0x50, q, w, acc) }

// dotWords does the same with signed words.
func (g *gen) dotWords(q operand.Op, w, acc reg.VecPhysical) { g.dot("VPDPWSSD", 0x52, q, w, acc) }

func (g *gen) dot(mnemonic string, opcode byte, q operand.Op, w, acc reg.VecPhysical) {
	y, ok := q.(reg.VecPhysical)
	if !ok || g.evex {
		i := &ir.Instruction{
			Opcode: mnemonic, Operands: []operand.Op{q, w, acc},
			Inputs: []operand.Op{q, w, acc}, Outputs: []operand.Op{acc}, ISA: []string{"AVX512VNNI"},
		}
		if !ok {
			i.Suffixes = []string{"BCST"}
		}
		g.Instruction(i)
		return
	}
	g.Comment(fmt.Sprintf("%s %s, %s, %s", mnemonic, y.Asm(), w.Asm(), acc.Asm()))
	code := vex256(opcode, number(y), number(w), number(acc))
	g.raw("LONG", operand.U32(uint32(code[0])|uint32(code[1])<<8|uint32(code[2])<<16|uint32(code[3])<<24))
	g.raw("BYTE", operand.U8(code[4]))
}

// raw emits bytes. What they do to registers need not be known: all registers
// are named by hand.
func (g *gen) raw(directive string, v operand.Op) {
	g.Instruction(&ir.Instruction{Opcode: directive, Operands: []operand.Op{v}, ISA: []string{"AVXVNNI"}})
}

// vex256 encodes an instruction of three 256-bit registers as Intel's manual has
// it, volume 2, section 2.3.5: VEX.256.66.0F38.W0 opcode /r, with dst and src1
// the first two operands of Intel's syntax and src2 the last.
func vex256(opcode byte, src2, src1, dst int) [5]byte {
	const (
		map0F38 = 0b00010
		long    = 1 << 2 // 256 bits
		pp66    = 0b01
	)
	// Bit 3 of dst and src2, and all of src1, are inverted.
	return [5]byte{
		0xc4,
		byte(^dst>>3&1<<7 | 1<<6 | ^src2>>3&1<<5 | map0F38),
		byte(^src1&15<<3 | long | pp66),
		opcode,
		byte(0b11<<6 | dst&7<<3 | src2&7),
	}
}

// number returns the number of a register.
func number(r reg.VecPhysical) int { return int(r.(reg.Physical).PhysicalIndex()) }

// vecs returns registers from to to-1 of 32 or 64 bytes.
func vecs(bytes, from, to int) []reg.VecPhysical {
	var r []reg.VecPhysical
	for _, z := range zmm[from:to] {
		if bytes == 32 {
			z = z.AsY().(reg.VecPhysical)
		}
		r = append(r, z)
	}
	return r
}

var zmm = [...]reg.VecPhysical{
	reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
	reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
	reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
}
