// Package builtin holds mpt-stories, a small MPT model that writes simple
// stories, so that a program has a model without any file. Importing it adds
// the model to the binary.
package builtin

import (
	"crypto/sha256"
	_ "embed" // for the model
	"encoding/hex"
	"unsafe"

	"mptgo/gguf"
	"mptgo/mpt"
)

// Name is the model's name.
const Name = "mpt-stories"

// The model was trained for this project; its weights are licensed like it.
//
//go:embed mpt-stories.gguf
var model string

// File returns the model's file. It lies in the binary's read-only data.
func File() (*gguf.File, error) {
	return gguf.Parse(Name, unsafe.Slice(unsafe.StringData(model), len(model)))
}

// SHA256 returns the SHA-256 of the file, hexadecimal.
func SHA256() string {
	sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(model), len(model)))
	return hex.EncodeToString(sum[:])
}

// Open prepares the model to run.
func Open(opts ...mpt.Option) (*mpt.Model, error) {
	f, err := File()
	if err != nil {
		return nil, err
	}
	return mpt.Load(f, opts...)
}
