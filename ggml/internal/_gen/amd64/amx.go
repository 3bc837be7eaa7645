package amd64

import (
	"encoding/binary"
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The instructions of AMX, which neither avo nor Go's assembler knows, are put together here as Intel's manual
// has them, volume 2: VEX.128.pp.0F38.W0 opcode, with a tile for every register.

// The prefixes pp of VEX.
const (
	ppNone = 0b00
	ppF3   = 0b10
	ppF2   = 0b11
)

// vexTile encodes the first four bytes: index and base are the numbers of general registers, 0 where there is no
// memory, and tile is the second of two tiles to be multiplied.
func vexTile(pp, opcode byte, index, base, tile int) []byte {
	const map0F38 = 0b00010
	return []byte{
		0xc4,
		byte(1<<7 | ^index>>3&1<<6 | ^base>>3&1<<5 | map0F38),
		byte(^tile&15<<3) | pp,
		opcode,
	}
}

// tileMemory encodes the load or store of a tile, whose rows begin at base+disp and are index bytes apart.
func tileMemory(pp byte, tile, base, index, disp int) []byte {
	const (
		disp32 = 0b10
		sib    = 0b100
	)
	code := append(vexTile(pp, 0x4b, index, base, 0), byte(disp32<<6|tile<<3|sib), byte(index&7<<3|base&7))
	return binary.LittleEndian.AppendUint32(code, uint32(int32(disp)))
}

// tileZero encodes the zeroing of a tile.
func tileZero(tile int) []byte { return append(vexTile(ppF2, 0x49, 0, 0, 0), byte(0b11<<6|tile<<3)) }

// tileProduct encodes TDPBSSD: to each dword of acc it adds the products of four signed bytes of a row of a with
// those of a column of b, whose rows hold four of each column, and that for all rows of b.
func tileProduct(acc, a, b int) []byte {
	return append(vexTile(ppF2, 0x5e, 0, 0, b), byte(0b11<<6|acc<<3|a))
}

// tileConfig encodes the load of a configuration from the address in base.
func tileConfig(base int) []byte { return append(vexTile(ppNone, 0x49, 0, base, 0), byte(base&7)) }

// tileRelease encodes the end of the use of tiles.
func tileRelease() []byte { return append(vexTile(ppNone, 0x49, 0, 0, 0), 0b11<<6) }

// gp returns the number of a general register.
func gp(r reg.Register) int { return int(r.(reg.Physical).PhysicalIndex()) }

// tileLoad loads a tile.
func (g *gen) tileLoad(base, stride reg.Register, disp, tile int) {
	g.tileBytes(fmt.Sprintf("TILELOADD %d(%s)(%s*1), T%d", disp, name(base), name(stride), tile),
		tileMemory(ppF2, tile, gp(base), gp(stride), disp))
}

// tileStore stores a tile.
func (g *gen) tileStore(tile int, base, stride reg.Register, disp int) {
	g.tileBytes(fmt.Sprintf("TILESTORED T%d, %d(%s)(%s*1)", tile, disp, name(base), name(stride)),
		tileMemory(ppF3, tile, gp(base), gp(stride), disp))
}

// tileMultiply sets acc to the products of a and b.
func (g *gen) tileMultiply(a, b, acc int) {
	g.tileBytes(fmt.Sprintf("TILEZERO T%d", acc), tileZero(acc))
	g.tileBytes(fmt.Sprintf("TDPBSSD T%d, T%d, T%d", b, a, acc), tileProduct(acc, a, b))
}

func name(r reg.Register) string { return r.(reg.Physical).Asm() }

// tileBytes emits an instruction as bytes.
func (g *gen) tileBytes(comment string, code []byte) {
	g.Comment(comment)
	for len(code) > 0 {
		switch {
		case len(code) >= 8:
			g.raw("QUAD", operand.U64(binary.LittleEndian.Uint64(code)))
			code = code[8:]
		case len(code) >= 4:
			g.raw("LONG", operand.U32(binary.LittleEndian.Uint32(code)))
			code = code[4:]
		case len(code) >= 2:
			g.raw("WORD", operand.U16(binary.LittleEndian.Uint16(code)))
			code = code[2:]
		default:
			g.raw("BYTE", operand.U8(code[0]))
			code = code[1:]
		}
	}
}

// tileShapes returns a configuration of tiles: 0 to 3 hold sums of 16 rows times 16, 4 and 5 deep bytes of 16 rows
// of activations, 6 and 7 as many columns of a panel, four to a dword.
func tileShapes(deep int) []byte {
	const (
		columns = 16 // where the bytes of rows stand, in words
		rows    = 48
	)
	shapes := make([]byte, 64)
	shapes[0] = 1 // the palette
	for t := range 8 {
		bytes, height := 64, 16
		switch t {
		case 4, 5:
			bytes = deep
		case 6, 7:
			height = deep / 4
		}
		binary.LittleEndian.PutUint16(shapes[columns+2*t:], uint16(bytes))
		shapes[rows+t] = byte(height)
	}
	return shapes
}
