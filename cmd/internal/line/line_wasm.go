package line

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ErrInterrupt is what [Editor.ReadLine] returns when Ctrl-C was pressed.
var ErrInterrupt = errors.New("interrupted")

// Config is what an [Editor] is made of.
type Config struct {
	In, Out     *os.File
	Plain       bool
	History     string
	Complete    func(before string) []string
	PromptStyle string
}

// Editor does not exist here: WebAssembly has no terminals, so that lines are read plainly.
type Editor struct{}

// New returns an error.
func New(Config) (*Editor, error) { return nil, fmt.Errorf("terminal: %w", errors.ErrUnsupported) }

// Close does nothing.
func (*Editor) Close() error { return nil }

// Restore does nothing.
func (*Editor) Restore() error { return nil }

// Interrupt does nothing.
func (*Editor) Interrupt() {}

// ReadLine returns an error.
func (*Editor) ReadLine(context.Context, string) (string, error) { return "", errors.ErrUnsupported }
