//go:build !linux

package gguf

import "errors"

func hugePages([]byte) {}

func populate([]byte) error { return errors.ErrUnsupported }

func memory() (int64, error) { return 0, errors.ErrUnsupported }
