package console

import (
	"os"

	"golang.org/x/sys/windows"
)

// obeysEscapes reports whether a terminal obeys escape sequences. A console of
// Windows does so if it is asked to, from Windows 10 on.
func obeysEscapes(f *os.File) bool {
	console := windows.Handle(f.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(console, &mode); err != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
