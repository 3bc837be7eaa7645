package check

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Pty returns a pseudo terminal: what is written to master is typed at the terminal, and what
// is written to the terminal is read from master. Both are closed at the end of the test.
func Pty(t testing.TB) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	number, err := control(master, func(fd int) (int, error) {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return 0, err
		}
		return unix.IoctlGetInt(fd, unix.TIOCGPTN)
	})
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	Resize(t, master, 24, 80)
	return master, terminal
}

// Resize sets the size of a pseudo terminal.
func Resize(t testing.TB, master *os.File, rows, columns uint16) {
	t.Helper()
	_, err := control(master, func(fd int) (int, error) {
		return 0, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Modes returns the modes of a terminal.
func Modes(t testing.TB, f *os.File) unix.Termios {
	t.Helper()
	var modes *unix.Termios
	_, err := control(f, func(fd int) (n int, err error) {
		modes, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		return 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return *modes
}

// Lossless makes a terminal pass on every key even while no program has put it into raw mode:
// otherwise keys that are typed between two lines may mean something to the terminal.
func Lossless(t testing.TB, f *os.File) {
	t.Helper()
	modes := Modes(t, f)
	modes.Iflag &^= unix.IXON | unix.ICRNL
	modes.Lflag &^= unix.ICANON | unix.ISIG | unix.IEXTEN
	modes.Cc[unix.VMIN], modes.Cc[unix.VTIME] = 1, 0
	_, err := control(f, func(fd int) (int, error) { return 0, unix.IoctlSetTermios(fd, unix.TCSETS, &modes) })
	if err != nil {
		t.Fatal(err)
	}
}

// control calls f with the descriptor of a file. Unlike with Fd, the file stays one whose
// reads end when it is closed.
func control(file *os.File, f func(fd int) (int, error)) (n int, err error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	if e := conn.Control(func(fd uintptr) { n, err = f(int(fd)) }); e != nil {
		return 0, e
	}
	return n, err
}
