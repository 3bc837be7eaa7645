package mat

import (
	"encoding/binary"
	"sync"
	"unsafe"

	"mptgo/ggml/internal/act"
	"mptgo/ggml/internal/scalar"
	"mptgo/ggml/internal/scratch"
	"mptgo/gguf"
	"mptgo/internal/codebook"
)

// Types whose codes are indices of long tables, and others that are rare, on some architectures
// more than on others, have no kernels that read them as they lie in the file. Their rows are first expanded to
// blocks that kernels read. This is plain Go, eight weights in a word.

// expandedBlock is 32 weights as kernels read them: weight k is D*S[k/16]*Q[k].
// Assembly knows the offsets of the fields. S is 1 for types without scales for 16.
type expandedBlock struct {
	Q [32]int8
	D float32
	S [2]int16
}

const expandedSize = int(unsafe.Sizeof(expandedBlock{}))

// expandFunc sets dst to the blocks of 32 that a row begins with.
type expandFunc func(dst []expandedBlock, row []byte)

// expanders is indexed by gguf.Type.
var expanders = [len(blockTypes)]expandFunc{
	gguf.IQ2_XXS: expandIQ2_XXS,
	gguf.IQ2_XS:  expandIQ2_XS,
	gguf.IQ3_XXS: expandIQ3_XXS,
	gguf.IQ1_S:   expandIQ1_S,
	gguf.IQ3_S:   expandIQ3_S,
	gguf.IQ2_S:   expandIQ2_S,
	gguf.IQ1_M:   expandIQ1_M,
	gguf.TQ1_0:   expandTQ1_0,
	gguf.TQ2_0:   expandTQ2_0,
	gguf.MXFP4:   expandMXFP4,
	gguf.IQ4_NL:  expandIQ4_NL,
	gguf.IQ4_XS:  expandIQ4_XS,
	gguf.Q5_0:    expandQ5_0,
	gguf.Q3_K:    expandQ3_K,
}

// expanded returns the first n blocks of 32 of some rows of w, which are row bytes
// apart, expanded, and the bytes of a row of them.
func (p *product) expanded(expand expandFunc, w []byte, rows, n int) (strip []byte, row int) {
	blocks := scratch.Grow(&p.s.expanded, rows*n)
	size := n * p.row * act.BlockLen / p.a.K
	for r := range rows {
		expand(blocks[r*n:(r+1)*n], w[r*p.row:][:size])
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&blocks[0])), len(blocks)*expandedSize), n * expandedSize
}

// put sets codes 8l to 8l+7 to the bytes of v, the lowest first.
func (b *expandedBlock) put(l int, v uint64) {
	binary.LittleEndian.PutUint64((*[4][8]byte)(unsafe.Pointer(&b.Q))[l][:], v)
}

// scaled sets the scales of a block, which are s[0] and s[1] times d.
func (b *expandedBlock) scaled(d float32, s0, s1 byte) {
	b.D, b.S = d, [2]int16{int16(s0), int16(s1)}
}

const (
	everyByte = 0x0101010101010101
	everySign = 0x80 * everyByte
)

// negated returns the bytes of v, from 1 to 127, negated where mask has 0xff
// instead of 0.
func negated(v, mask uint64) uint64 { return (v ^ mask) + mask&everyByte }

// minus returns the bytes of v less the byte x, at most 127.
func minus(v uint64, x byte) uint64 {
	return (v | everySign) - uint64(x)*everyByte ^ ^v&everySign
}

// signMasks are bytes of 0xff where a bit is set; evenMasks are those of the
// signs that an index of 7 bits stands for.
var signMasks, evenMasks = func() (all [256]uint64, even [128]uint64) {
	for s := range all {
		for k := range 8 {
			if s>>k&1 != 0 {
				all[s] |= 0xff << (8 * k)
			}
		}
	}
	for i := range even {
		even[i] = all[codebook.EvenSigns(uint32(i))]
	}
	return all, even
}()

// points returns a function that makes words of a grid's points, of dims
// coordinates, times a factor, when it is first called.
func points(grid func() []int8, dims int, factor int8) func() []uint64 {
	return sync.OnceValue(func() []uint64 {
		flat := grid()
		words := make([]uint64, len(flat)/dims)
		for i, g := range flat {
			words[i/dims] |= uint64(uint8(factor*g)) << (i % dims * 8)
		}
		return words
	})
}

var (
	pointsIQ2_XXS = points(codebook.IQ2_XXS, 8, 1)
	pointsIQ2_XS  = points(codebook.IQ2_XS, 8, 1)
	pointsIQ2_S   = points(codebook.IQ2_S, 8, 1)
	pointsIQ1     = points(codebook.IQ1, 8, 8)
	pointsIQ3_XXS = points(codebook.IQ3_XXS, 4, 1)
	pointsIQ3_S   = points(codebook.IQ3_S, 4, 1)
)

func expandIQ2_XXS(dst []expandedBlock, row []byte) {
	grid := (*[256]uint64)(pointsIQ2_XXS())
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[66]byte)(row[i/8*66:])
		d := scalar.FromHalf(block[:]) / 8
		for j := range 8 {
			b := &out[j]
			group := (*[8]byte)(block[2+8*j:])
			word := binary.LittleEndian.Uint32(group[4:])
			for l := range 4 {
				b.put(l, negated(grid[group[l]], evenMasks[word>>(7*l)&127]))
			}
			b.scaled(d*float32(2*(word>>28)+1), 1, 1)
		}
	}
}

func expandIQ2_XS(dst []expandedBlock, row []byte) {
	grid := (*[512]uint64)(pointsIQ2_XS())
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[74]byte)(row[i/8*74:])
		d := scalar.FromHalf(block[:]) / 8
		for j := range 8 {
			b := &out[j]
			words := binary.LittleEndian.Uint64(block[2+8*j:])
			for l := range 4 {
				word := uint16(words >> (16 * l))
				b.put(l, negated(grid[word&511], evenMasks[word>>9]))
			}
			s := block[66+j]
			b.scaled(d, 2*(s&15)+1, 2*(s>>4)+1)
		}
	}
}

func expandIQ2_S(dst []expandedBlock, row []byte) {
	grid := (*[1024]uint64)(pointsIQ2_S())
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[82]byte)(row[i/8*82:])
		d := scalar.FromHalf(block[:]) / 8
		for j := range 8 {
			b := &out[j]
			low, signs, high := (*[4]byte)(block[2+4*j:]), (*[4]byte)(block[34+4*j:]), uint(block[66+j])
			for l := range 4 {
				index := uint(low[l]) | high>>(2*l)&3<<8
				b.put(l, negated(grid[index], signMasks[signs[l]]))
			}
			s := block[74+j]
			b.scaled(d, 2*(s&15)+1, 2*(s>>4)+1)
		}
	}
}

func expandIQ3_XXS(dst []expandedBlock, row []byte) {
	grid := (*[256]uint64)(pointsIQ3_XXS())
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[98]byte)(row[i/8*98:])
		d := scalar.FromHalf(block[:]) / 4
		for j := range 8 {
			b := &out[j]
			index := (*[8]byte)(block[2+8*j:])
			word := binary.LittleEndian.Uint32(block[66+4*j:])
			for l := range 4 {
				v := grid[index[2*l]] | grid[index[2*l+1]]<<32
				b.put(l, negated(v, evenMasks[word>>(7*l)&127]))
			}
			b.scaled(d*float32(2*(word>>28)+1), 1, 1)
		}
	}
}

func expandIQ3_S(dst []expandedBlock, row []byte) {
	grid := (*[512]uint64)(pointsIQ3_S())
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[110]byte)(row[i/8*110:])
		d := scalar.FromHalf(block[:])
		for j := range 8 {
			b := &out[j]
			low, signs, high := (*[8]byte)(block[2+8*j:]), (*[4]byte)(block[74+4*j:]), uint(block[66+j])
			for l := range 4 {
				first := uint(low[2*l]) | high>>(2*l)&1<<8
				second := uint(low[2*l+1]) | high>>(2*l+1)&1<<8
				b.put(l, negated(grid[first]|grid[second]<<32, signMasks[signs[l]]))
			}
			s := block[106+j/2] >> (j % 2 * 4) & 15
			b.scaled(d*float32(2*s+1), 1, 1)
		}
	}
}

// eightTimes returns eight times the coordinates of a shifted point of IQ1, which
// are those of the point, times 8, plus or minus 1.
func eightTimes(point uint64, down bool) uint64 {
	if down {
		return minus(point, 1)
	}
	return point | everyByte
}

func expandIQ1_S(dst []expandedBlock, row []byte) {
	grid := (*[2048]uint64)(pointsIQ1())
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[50]byte)(row[i/8*50:])
		d := scalar.FromHalf(block[:]) / 8
		for j := range 8 {
			b := &out[j]
			low, word := (*[4]byte)(block[2+4*j:]), uint(binary.LittleEndian.Uint16(block[34+2*j:]))
			for l := range 4 {
				index := uint(low[l]) | word>>(3*l)&7<<8
				b.put(l, eightTimes(grid[index], word>>15 != 0))
			}
			b.scaled(d*float32(2*(word>>12&7)+1), 1, 1)
		}
	}
}

func expandIQ1_M(dst []expandedBlock, row []byte) {
	grid := (*[2048]uint64)(pointsIQ1())
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[56]byte)(row[i/8*56:])
		d := scaleIQ1_M(block[:]) / 8
		for j := range 8 {
			b := &out[j]
			low, word := (*[4]byte)(block[4*j:]), uint(binary.LittleEndian.Uint16(block[32+2*j:]))
			for l := range 4 {
				high := word >> (4 * l)
				b.put(l, eightTimes(grid[uint(low[l])|high&7<<8], high&8 != 0))
			}
			s := byte(binary.LittleEndian.Uint16(block[48+j/2*2:]) >> (j % 2 * 6))
			b.scaled(d, 2*(s&7)+1, 2*(s>>3&7)+1)
		}
	}
}

func expandTQ2_0(dst []expandedBlock, row []byte) {
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[66]byte)(row[i/8*66:])
		d := scalar.FromHalf(block[64:])
		for j := range 8 {
			b := &out[j]
			for l := range 4 {
				v := binary.LittleEndian.Uint64(block[j/4*32+8*l:])
				b.put(l, minus(v>>(j%4*2)&(3*everyByte), 1))
			}
			b.scaled(d, 1, 1)
		}
	}
}

func expandTQ1_0(dst []expandedBlock, row []byte) {
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[54]byte)(row[i/8*54:])
		d := scalar.FromHalf(block[52:])
		for j := range 8 {
			b := &out[j]
			for l := range 4 {
				b.put(l, ternary(block, 32*j+8*l))
			}
			b.scaled(d, 1, 1)
		}
	}
}

// ternary returns eight codes of a block of TQ1_0 from number k on.
func ternary(block *[54]byte, k int) uint64 {
	switch {
	case k < 160:
		return digits(binary.LittleEndian.Uint64(block[k%32:]), k/32)
	case k < 240:
		return digits(binary.LittleEndian.Uint64(block[32+k%16:]), (k-160)/16)
	}
	last, n := uint64(binary.LittleEndian.Uint32(block[48:])), (k-240)/4
	return digits(last, n)&(1<<32-1) | digits(last, n+1)<<32
}

// digits returns digit n of each byte of v, less 1: of every second byte at a time,
// so that the products have room.
func digits(v uint64, n int) uint64 {
	const bytes = 0x00ff00ff00ff00ff
	power := uint64(powers3[n])
	even := (v & bytes * power & bytes) * 3 >> 8 & bytes
	odd := (v >> 8 & bytes * power & bytes) * 3 >> 8 & bytes
	return minus(even|odd<<8, 1)
}

func expandMXFP4(dst []expandedBlock, row []byte) {
	for i := range dst {
		b, block := &dst[i], (*[17]byte)(row[i*17:])
		b.table((*[16]byte)(block[1:]), &codebook.Float4)
		b.scaled(codebook.HalfPower(block[0]), 1, 1)
	}
}

func expandIQ4_NL(dst []expandedBlock, row []byte) {
	for i := range dst {
		block := (*[18]byte)(row[i*18:])
		dst[i].table((*[16]byte)(block[2:]), &codebook.NonLinear)
		dst[i].scaled(scalar.FromHalf(block[:]), 1, 1)
	}
}

func expandIQ4_XS(dst []expandedBlock, row []byte) {
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[136]byte)(row[i/8*136:])
		d := scalar.FromHalf(block[:])
		high := binary.LittleEndian.Uint16(block[2:])
		for j := range 8 {
			s := int32(block[4+j/2]>>(j%2*4)&15) | int32(high>>(2*j)&3)<<4
			out[j].table((*[16]byte)(block[8+16*j:]), &codebook.NonLinear)
			out[j].scaled(d*float32(s-32), 1, 1)
		}
	}
}

// table sets the codes to what the nibbles of 16 bytes stand for.
func (b *expandedBlock) table(nibbles *[16]byte, t *[16]int8) {
	for k, v := range nibbles {
		b.Q[k], b.Q[16+k] = t[v&15], t[v>>4]
	}
}

func expandQ5_0(dst []expandedBlock, row []byte) {
	for i := range dst {
		b, block := &dst[i], (*[22]byte)(row[i*22:])
		high := binary.LittleEndian.Uint32(block[2:])
		for k, v := range block[6:] {
			b.Q[k] = int8(v&15|byte(high>>k&1<<4)) - 16
			b.Q[16+k] = int8(v>>4|byte(high>>(16+k)&1<<4)) - 16
		}
		b.scaled(scalar.FromHalf(block[:]), 1, 1)
	}
}

func expandQ3_K(dst []expandedBlock, row []byte) {
	for i := 0; i+8 <= len(dst); i += 8 {
		out := (*[8]expandedBlock)(dst[i:])
		block := (*[110]byte)(row[i/8*110:])
		d, scales := scalar.FromHalf(block[108:]), block[96:108]
		for j := range 8 {
			b := &out[j]
			b.D = d
			for h := range b.S {
				k := 2*j + h
				b.S[h] = int16(scales[k%8]>>(k/8*4)&15|scales[8+k%4]>>(k/4*2)&3<<4) - 32
			}
			for l := range 4 {
				low := binary.LittleEndian.Uint64(block[32+j/4*32+8*l:]) >> (j % 4 * 2) & (3 * everyByte)
				high := binary.LittleEndian.Uint64(block[8*l:]) >> j & everyByte << 2
				b.put(l, minus(low|high, 4))
			}
		}
	}
}
