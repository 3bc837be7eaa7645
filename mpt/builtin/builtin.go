// Package builtin holds mpt-stories, a small MPT model that writes simple
// stories, so that a program has a model without any file. Importing it adds
// the model to the binary, 21 MB. With the build tag nobuiltin it is left out, for
// programs that bring their own.
//
// Start with [Open]. This package is not stable yet: names may change from one minor version to the
// next.
package builtin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"unsafe"

	"mptgo/gguf"
	"mptgo/mpt"
)

// Name is the model's name.
const Name = "mpt-stories"

// ErrAbsent is returned where the model is wanted and was left out of the build.
var ErrAbsent = errors.New("builtin: this build has no model in it")

// File returns the model's file. It lies in the binary's read-only data. The error is
// [ErrAbsent] in a build with the tag nobuiltin.
func File() (*gguf.File, error) {
	if !Included {
		return nil, ErrAbsent
	}
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
