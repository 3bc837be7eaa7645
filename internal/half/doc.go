// Package half converts between float32 and the two 16-bit floats: binary16
// ([F16], [F16ToF32]) and bfloat16 ([BF16], [BF16ToF32]). [Get] and [Put] read and
// write binary16 numbers in little-endian order, as blocks hold them.
package half
