package eval

import (
	"fmt"
	"io"
	"os"
)

// maxFile bounds what is read of a file: pipes and devices may have no end.
const maxFile = 1 << 30

// readFile is os.ReadFile for files and pipes that end.
func readFile(path string) ([]byte, error) { return readUpTo(path, maxFile) }

// readUpTo refuses devices, and what is longer than most bytes.
func readUpTo(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&os.ModeDevice != 0 {
		return nil, fmt.Errorf("%s: not a file but a device", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, fmt.Errorf("%s: more than %d bytes: at most that are read", path, most)
	}
	return b, err
}
