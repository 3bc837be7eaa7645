package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readWeights reads the header of a file of either kind.
func (c *Container) readWeights() error {
	b, err := c.head(sniffed)
	if err != nil {
		return err
	}
	switch {
	case isSafetensors(b, c.size):
		return c.readSafetensors()
	case isTorch(b):
		return c.readTorch()
	}
	return c.readAsNamed()
}

// readAsNamed reads a file whose first bytes are those of no kind as what its name says,
// for the sake of the error.
func (c *Container) readAsNamed() error {
	if strings.ToLower(filepath.Ext(c.path)) == ".safetensors" {
		return c.readSafetensors()
	}
	return c.readTorch()
}

// sniffed is how many bytes tell a kind.
const sniffed = 16

// isSafetensors reports whether a file of size bytes that starts with b looks like
// safetensors: a length, then a JSON object of that length.
func isSafetensors(b []byte, size int64) bool {
	if len(b) < 9 || b[8] != '{' {
		return false
	}
	n := binary.LittleEndian.Uint64(b)
	return n <= maxHeader && int64(n) <= size-8
}

// isTorch reports whether a file that starts with b is one that torch.save wrote, or
// another zip file.
func isTorch(b []byte) bool {
	return bytes.HasPrefix(b, zipMagic) || bytes.HasPrefix(b, legacyMagic)
}

// IsWeights reports whether the file at path looks like one of [OpenWeights].
func IsWeights(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, min(sniffed, info.Size()))
	if _, err := f.ReadAt(b, 0); err != nil {
		return false
	}
	return isSafetensors(b, info.Size()) || isTorch(b)
}

// strangers are the first bytes of files that are commonly found in the place of
// weights and are neither safetensors nor torch files.
var strangers = []struct{ magic, what string }{
	{"GGUF", "a GGUF file, not a checkpoint"},
	{"<!DOCTYPE", "a web page, not weights: download the file itself"},
	{"<!doctype", "a web page, not weights: download the file itself"},
	{"<html", "a web page, not weights: download the file itself"},
	{"\x1f\x8b", "compressed with gzip: unpack it first"},
	{"\x89HDF", "an HDF5 file, as TensorFlow writes it: only safetensors and torch files are read"},
}

// refuseStrangers refuses files of other kinds by name.
func (c *Container) refuseStrangers() error {
	b, err := c.head(512)
	switch {
	case err != nil:
		return err
	case len(b) == 0:
		return errEmpty
	case isPointer(b):
		return errPointer
	case len(b) >= 262 && string(b[257:262]) == "ustar":
		return fmt.Errorf("the tar container of torch before 0.1.10 is not supported: %w", errors.ErrUnsupported)
	}
	for _, s := range strangers {
		if bytes.HasPrefix(b, []byte(s.magic)) {
			return malformed("this is %s", s.what)
		}
	}
	return nil
}

// errEmpty is what is wrong with a file without content.
var errEmpty = malformed("the file is empty, as a download that was interrupted leaves it: download it again")

// errPointer is what is wrong with a clone made without git-lfs.
var errPointer = fmt.Errorf("%w: this is a git-lfs pointer, not the file itself: "+
	"install git-lfs and run \"git lfs pull\" in the folder, or download the file again", ErrFormat)

// isPointer reports whether a file that starts with b is a git-lfs pointer.
func isPointer(b []byte) bool {
	return bytes.HasPrefix(b, []byte("version https://git-lfs"))
}
