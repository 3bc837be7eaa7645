package flags

import "fmt"

// The values of -n that are no number of tokens, as in llama.cpp.
const (
	Endless   = -1
	UntilFull = -2
)

// CheckPredict refuses what is neither those nor a number of tokens.
func CheckPredict(command string, n int) error {
	if n >= UntilFull {
		return nil
	}
	return fmt.Errorf("%s: --predict %d: want a number of tokens, -1 (no limit) or -2 (until the context is full)", command, n)
}
