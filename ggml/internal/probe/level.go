package probe

import (
	"os"

	"mptgo/ggml/internal/cpu"
	"mptgo/internal/check"
)

// Levels returns the level of the definition and those to test: all that the CPU has or,
// in a run that is meant for one, that one. Emulators are slow, and the others have runs
// of their own.
func Levels() []cpu.Level {
	var all []cpu.Level
	for _, l := range cpu.Levels() {
		if l.Runs() {
			all = append(all, l)
		}
	}
	if os.Getenv(check.RequireTier) == "" || len(all) == 1 {
		return all
	}
	return []cpu.Level{all[0], all[len(all)-1]}
}
