// Command memory measures on Linux what sessions of a model take beside its file: the first
// token of one, many of some tokens each, and what is left when they are closed.
//
//	go run ./scripts/memory MODEL.gguf [SESSIONS [TOKENS]]
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"mptgo/mpt"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	sessions, tokens := 64, 100
	for i, n := range []*int{&sessions, &tokens} {
		if len(args) > i+1 {
			var err error
			if *n, err = strconv.Atoi(args[i+1]); err != nil {
				return err
			}
		}
	}
	if len(args) < 1 || len(args) > 3 || sessions < 1 || tokens < 1 {
		return fmt.Errorf("usage: memory MODEL.gguf [SESSIONS [TOKENS]]")
	}
	m, err := mpt.Open(args[0])
	if err != nil {
		return err
	}
	defer m.Close()
	return measure(m, sessions, tokens)
}

func measure(m *mpt.Model, sessions, tokens int) error {
	ctx := context.Background()
	// The first evaluation touches what later ones use again: activations and scratch.
	warm, err := m.NewSession()
	if err != nil {
		return err
	}
	if err := warm.Eval(ctx, ids(min(sessions*tokens, 512))); err != nil {
		return err
	}
	warm.Close()
	account, err := m.Memory()
	if err != nil {
		return err
	}
	before := anonymous()
	fmt.Printf("%-44s %8.1f MiB (activations: %.1f)\n", "open, after an evaluation of up to 512 tokens",
		mib(before), mib(account.Activations))
	one, err := m.NewSession()
	if err != nil {
		return err
	}
	if err := one.Eval(ctx, ids(1)); err != nil {
		return err
	}
	fmt.Printf("%-44s %8.1f MiB more\n", "the first token of a session", mib(anonymous()-before))
	one.Close()
	steps := make([]mpt.Step, sessions)
	for i := range steps {
		s, err := m.NewSession()
		if err != nil {
			return err
		}
		steps[i] = mpt.Step{Session: s, IDs: ids(tokens)}
	}
	if err := m.Run(ctx, steps); err != nil {
		return err
	}
	pages := m.CacheBytes(tokens) * int64(sessions)
	more := anonymous() - before
	fmt.Printf("%-44s %8.1f MiB more, pages %.1f (%.3f)\n",
		fmt.Sprintf("%d sessions of %d tokens", sessions, tokens), mib(more), mib(pages), float64(more)/float64(pages))
	for i := range steps {
		if err := steps[i].Err; err != nil {
			return err
		}
		steps[i].Session.Close()
	}
	fmt.Printf("%-44s %8.1f MiB more\n", "all closed", mib(anonymous()-before))
	return nil
}

func ids(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i%200 + 10)
	}
	return ids
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// anonymous returns the memory of the process that belongs to no file, in bytes.
func anonymous() int64 {
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("RssAnon:")); ok {
			n, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			if err != nil {
				panic(err)
			}
			return n << 10
		}
	}
	panic("no RssAnon in /proc/self/status")
}
