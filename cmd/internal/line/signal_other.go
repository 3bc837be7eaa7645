//go:build !unix && !wasm

package line

import "os"

// signals are those that tell about the terminal. Here there are none.
type signals struct {
	resized, resumed chan os.Signal
}

func (s *signals) start() {}
func (s *signals) end()   {}

// stopGroup does nothing: there are no stopped processes here.
func (e *Editor) stopGroup() {}
