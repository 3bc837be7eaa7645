// Command mpt runs MPT language models on this CPU. See mpt --help.
package main

import (
	"os"

	"mptgo/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(cli.Mpt(), os.Args[1:])) }
