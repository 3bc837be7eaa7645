package gguf

import (
	"errors"
	"fmt"
	"strings"
)

// ErrFormat is wrapped by every error that is the fault of a file's content.
var ErrFormat = errors.New("malformed GGUF")

// formatError says what is wrong with a file, and where.
type formatError struct {
	file   string
	at     int // byte offset, or nowhere
	reason string
}

const nowhere = -1

func (e *formatError) Error() string {
	if e.at == nowhere {
		return fmt.Sprintf("gguf: %s: %s", e.file, e.reason)
	}
	return fmt.Sprintf("gguf: %s: at byte %d: %s", e.file, e.at, e.reason)
}

func (e *formatError) Unwrap() error { return ErrFormat }

// foreign lists what people take for GGUF files, by their first bytes.
var foreign = []struct{ magic, what string }{
	{"version https://git-lfs", "a Git LFS pointer in place of the file: fetch the file itself, for instance with git lfs pull"},
	{"PK\x03\x04", "a zip archive, as PyTorch checkpoints are: convert the checkpoint first"},
	{"\x80\x02", "a pickle, as old PyTorch checkpoints are: convert the checkpoint first"},
	{"lmgg", "a GGML file older than GGUF: convert the model again from its checkpoint"},
	{"fmgg", "a GGMF file older than GGUF: convert the model again from its checkpoint"},
	{"tjgg", "a GGJT file older than GGUF: convert the model again from its checkpoint"},
	{"algg", "a GGLA adapter older than GGUF: convert the adapter again from its checkpoint"},
	{"\x1f\x8b", "compressed with gzip: decompress it first"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd: decompress it first"},
	{"<!DOCTYPE", "an HTML page: the download failed"},
	{"<html", "an HTML page: the download failed"},
	{"\x00\x00\x00\x00\x00\x00\x00\x00", "zeros at its beginning: the download is not complete"},
}

// notGGUF says what b, which lacks the magic, is instead.
func notGGUF(b []byte) string {
	if len(b) == 0 {
		return "the file is empty"
	}
	head := string(b[:min(len(b), 32)])
	for _, f := range foreign {
		if strings.HasPrefix(head, f.magic) {
			return "not GGUF but " + f.what
		}
	}
	// Safetensors has no magic: a uint64 length, then a JSON object.
	if len(head) > 8 && head[8] == '{' {
		return "not GGUF but safetensors: convert the checkpoint first"
	}
	return fmt.Sprintf("not GGUF: begins with %q", head[:min(len(head), 4)])
}
