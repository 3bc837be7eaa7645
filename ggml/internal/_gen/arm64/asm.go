package arm64

import (
	"fmt"
	"log"
	"regexp"
	"strconv"
	"strings"
)

// Vector instructions are written in Arm's syntax, destination first. Those
// that Go's assembler has are put into its syntax; the others become words.

// native are the mnemonics that Go's assembler knows, for all operands that are
// not in words.
var native = map[string]bool{
	"add": true, "addp": true, "addv": true, "and": true, "bif": true, "bit": true, "cmtst": true,
	"dup": true, "eor": true, "fmla": true, "fmls": true, "orr": true, "shl": true, "sub": true,
	"umax": true, "ushr": true, "uzp1": true, "uzp2": true, "zip1": true, "zip2": true,
}

// words are the encodings of the others, by mnemonic and operands, with zeros
// for the registers.
var words = map[string]uint32{
	"bic 16b 16b 16b":   0x4e601c00,
	"fabs 4s 4s":        0x4ea0f800,
	"fadd 4s 4s 4s":     0x4e20d400,
	"faddp 4s 4s 4s":    0x6e20d400,
	"fcmge 4s 4s 4s":    0x6e20e400,
	"fcmgt 4s 4s 4s":    0x6ea0e400,
	"fcvtl 4s 4h":       0x0e217800,
	"fcvtl2 4s 8h":      0x4e217800,
	"fcvtn 4h 4s":       0x0e216800,
	"fcvtn2 8h 4s":      0x4e216800,
	"fcvtns 4s 4s":      0x4e21a800,
	"fmaxnm 4s 4s 4s":   0x4e20c400,
	"fmaxnmv s 4s":      0x6e30c800,
	"fmla 4s 4s s[]":    0x4f801000,
	"fmul 4s 4s 4s":     0x6e20dc00,
	"fmul 4s 4s s[]":    0x4f809000,
	"fneg 4s 4s":        0x6ea0f800,
	"fsub 4s 4s 4s":     0x4ea0d400,
	"mla 4s 4s 4s":      0x4ea09400,
	"mul 4s 4s 4s":      0x4ea09c00,
	"sadalp 4s 8h":      0x4e606800,
	"saddlp 4s 8h":      0x4e602800,
	"scvtf 4s 4s":       0x4e21d800,
	"sdot 4s 16b 16b":   0x4e809400,
	"shll 4s 4h #16":    0x2e613800,
	"shll2 4s 8h #16":   0x6e613800,
	"smlal 8h 8b 8b":    0x0e208000,
	"smlal2 8h 16b 16b": 0x4e208000,
	"smmla 4s 16b 16b":  0x4e80a400,
	"smull 8h 8b 8b":    0x0e20c000,
	"smull2 8h 16b 16b": 0x4e20c000,
	"sshr 4s 4s #16":    0x4f300400,
	"sxtl 4s 4h":        0x0f10a400,
	"sxtl 8h 8b":        0x0f08a400,
	"sxtl2 4s 8h":       0x4f10a400,
	"ushl 16b 16b 16b":  0x6e204400,
	"umaxv s 4s":        0x6eb0a800,
	"uxtl 4s 4h":        0x2f10a400,
	"uxtl 8h 8b":        0x2f08a400,
	"uxtl2 4s 8h":       0x6f10a400,
	"xtn 4h 4s":         0x0e612800,
	"xtn 8b 8h":         0x0e212800,
	"xtn2 16b 8h":       0x4e212800,
	"xtn2 8h 4s":        0x4e612800,
}

// operand is a register or an immediate value.
type operand struct {
	text     string
	kind     string // as in the keys of words
	register uint32
	lane     uint32
}

var (
	vector = regexp.MustCompile(`^v(\d+)\.(\d*)([bhsd])(?:\[(\d)\])?$`)
	scalar = regexp.MustCompile(`^([hs])(\d+)$`)
)

func parseOperand(s string) operand {
	if m := vector.FindStringSubmatch(s); m != nil {
		o := operand{text: s, kind: m[2] + m[3], register: number(m[1])}
		if m[4] != "" {
			o.kind, o.lane = o.kind+"[]", number(m[4])
		}
		return o
	}
	if m := scalar.FindStringSubmatch(s); m != nil {
		return operand{text: s, kind: m[1], register: number(m[2])}
	}
	return operand{text: s, kind: s}
}

func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 5)
	if err != nil {
		log.Fatalf("a register or a lane: %v", err)
	}
	return uint32(n)
}

// native returns the operand as Go's assembler wants it: V3.B16, V3.S[1], V3, $4.
func (o operand) native() string {
	if m := scalar.FindStringSubmatch(o.text); m != nil {
		return "V" + m[2]
	}
	m := vector.FindStringSubmatch(o.text)
	if m == nil {
		return "$" + strings.TrimPrefix(o.text, "#")
	}
	shape := strings.ToUpper(m[3]) + m[2]
	if m[4] != "" {
		shape += "[" + m[4] + "]"
	}
	return "V" + m[1] + "." + shape
}

// translate returns the line of Go assembly for an instruction.
func translate(text string) string {
	mnemonic, list, _ := strings.Cut(text, " ")
	var operands []operand
	kinds := mnemonic
	for _, s := range strings.Split(list, ", ") {
		o := parseOperand(s)
		operands = append(operands, o)
		kinds += " " + o.kind
	}
	word, ok := words[kinds]
	if !ok && native[mnemonic] {
		var reversed []string
		for i := len(operands) - 1; i >= 0; i-- {
			reversed = append(reversed, operands[i].native())
		}
		return "V" + strings.ToUpper(mnemonic) + " " + strings.Join(reversed, ", ")
	}
	if !ok {
		log.Fatalf("no encoding of %q (%s)", text, kinds)
	}
	return fmt.Sprintf("WORD $0x%08x // %s", word|fields(operands), text)
}

// fields returns the registers, and a lane if the last operand has one, at
// their places in an instruction.
func fields(operands []operand) uint32 {
	var f uint32
	for i, o := range operands {
		f |= o.register << []uint32{0, 5, 16}[i]
		f |= o.lane&1<<21 | o.lane>>1<<11
	}
	return f
}
