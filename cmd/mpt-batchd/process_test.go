//go:build unix

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// mpt runs the command to its end.
func mpt(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := as("mpt", args...)
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), log.String()
}

// TestProcessesKilled answers with the built-in model, in processes that are killed, stopped for
// longer than they may hold a request, and ended in order. The outputs are those of mpt batch.
func TestProcessesKilled(t *testing.T) {
	s := newSite(t)
	kills := times(t, 4)
	var b strings.Builder
	for i := range 12 + 20*kills {
		if i%11 == 5 {
			b.WriteString("{}\n")
			continue
		}
		fmt.Fprintf(&b, `{"custom_id":"%d","method":"POST","url":"/v1/completions","body":{"prompt":"Once upon a time there were %d dogs","max_tokens":%d,"n":%d}}`+"\n",
			i, i, 3+i%9, 1+i%2)
	}
	in := filepath.Join(s.dir, "in.jsonl")
	if err := os.WriteFile(in, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(s.dir, "want.jsonl")
	if code, _, log := mpt(t, "batch", in, "-o", want, "-c", "256", "--created", "7", "-t", "1"); code != 3 {
		t.Fatalf("status %d: %s", code, log)
	}
	code, out, log := mpt(t, "batch", "submit", in, "--nats", s.url(), "-c", "256", "--created", "7")
	name := strings.TrimSpace(out)
	if code != 0 || name == "" {
		t.Fatalf("status %d: %s", code, log)
	}
	got := filepath.Join(s.dir, "got.jsonl")
	collect := as("mpt", "batch", "collect", name, "-o", got, "--nats", s.url(), "--check", "1s")
	var collected strings.Builder
	collect.Stderr = &collected
	if err := collect.Start(); err != nil {
		t.Fatal(err)
	}
	work := func(i int) *exec.Cmd {
		cmd := as("mpt", "batch", "work", "--nats", s.url(), "-c", "256", "-t", "1", "-np", "3", "--ack-wait", "2s", "--name", fmt.Sprint("w", i), "--metrics", "127.0.0.1:0")
		cmd.Stderr = &heard{c: make(chan struct{})}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	all := []*exec.Cmd{work(0), work(1), work(2)}
	defer func() {
		for _, w := range all {
			w.Process.Kill()
			w.Wait()
		}
	}()
	r := rand.New(rand.NewPCG(5, 6))
	for n := range kills {
		time.Sleep(time.Duration(500+r.IntN(1500)) * time.Millisecond)
		i := r.IntN(len(all))
		if n%4 == 1 {
			all[i].Process.Signal(syscall.SIGSTOP)
			time.Sleep(4 * time.Second)
			all[i].Process.Signal(syscall.SIGCONT)
			continue
		}
		all[i].Process.Kill()
		all[i].Wait()
		all[i] = work(i + 3*n)
	}
	collect.Wait()
	if code := collect.ProcessState.ExitCode(); code != 3 {
		t.Fatalf("status %d: %s", code, collected.String())
	}
	if written(t, got) != written(t, want) {
		t.Errorf("%s", firstDifference(written(t, got), written(t, want)))
	}
	for _, w := range all {
		select {
		case <-w.Stderr.(*heard).c:
		case <-time.After(time.Minute):
			t.Fatal("a worker says nothing")
		}
		w.Process.Signal(syscall.SIGTERM)
		if err := w.Wait(); err != nil {
			t.Errorf("ended in order: %v", err)
		}
	}
	code, out, log = mpt(t, "batch", "status", name, "--nats", s.url())
	if code != 0 || !strings.Contains(out, "state        completed") || strings.Contains(out, "divergence") {
		t.Errorf("status %d: %s%s", code, out, log)
	}
}

// heard tells when a process has written for the first time. It heeds signals then.
type heard struct {
	once sync.Once
	c    chan struct{}
}

func (h *heard) Write(b []byte) (int, error) {
	h.once.Do(func() { close(h.c) })
	return len(b), nil
}
