// Command mpt-quantize converts a HuggingFace checkpoint to GGUF, or a GGUF to
// another type. It is mpt quantize under the name that people look for.
package main

import (
	"os"

	"mptgo/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(cli.Quantize(), os.Args[1:])) }
