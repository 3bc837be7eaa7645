package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"mptgo/cmd/internal/batch"
	"mptgo/cmd/internal/batch/queue"
)

// TestScale has many requests of which nothing is computed: MPTGO_QUEUE_LINES=1000000 says how many.
// It tells how fast they are submitted and answered, and how much memory a worker has, every so
// often. scripts/queue runs it.
func TestScale(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("MPTGO_QUEUE_LINES"))
	if n == 0 {
		t.Skip("MPTGO_QUEUE_LINES is not set")
	}
	s := newSite(t, "--sync", "2m")
	in := filepath.Join(s.dir, "in.jsonl")
	f, err := os.Create(in)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		w.WriteString(requestLine(i, fmt.Sprint("number ", i)))
	}
	if w.Flush(); f.Close() != nil {
		t.Fatal("the input cannot be written")
	}
	q := s.connect(s.url(), func(o *queue.Options) { o.Wait = 30 * time.Second })
	j, err := batch.Open(t.Context(), batch.Options{Input: in, Created: created, Dry: true})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, _, err := q.Submit(t.Context(), j, queue.SubmitOptions{Name: "b", Identity: identity}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	took := time.Since(begun)
	t.Logf("%d requests submitted in %v: %.0f a second; load %s", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), load())
	var memory []*strings.Builder
	for range 2 {
		cmd := as("stub-worker", s.url())
		memory = append(memory, &strings.Builder{})
		cmd.Stdout = memory[len(memory)-1]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer stopWorker(cmd)
	}
	begun = time.Now()
	out := filepath.Join(s.dir, "out.jsonl")
	if err := s.collect(q, in, out); err != nil {
		t.Fatal(err)
	}
	took = time.Since(begun)
	t.Logf("answered by two workers and collected in %v: %.0f a second; load %s", took.Round(time.Millisecond), float64(n)/took.Seconds(), load())
	for i, m := range memory {
		t.Logf("heap of worker %d, MiB, every %d answers: %s", i, heapEvery, m.String())
	}
	if got, want := written(t, out), s.local(in); got != want {
		t.Error(firstDifference(got, want))
	}
}

func stopWorker(cmd *exec.Cmd) {
	cmd.Process.Kill()
	cmd.Wait()
}

// load is how many processes want a CPU, where the system tells.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	one, _, _ := strings.Cut(string(b), " ")
	return fmt.Sprintf("%s, %d CPUs", one, runtime.NumCPU())
}

const heapEvery = 20000

// stubWorker is a process that answers without a model, and tells of its memory.
func stubWorker(url string) {
	q, err := queue.Connect(queue.Options{URL: url})
	if err != nil {
		os.Exit(1)
	}
	n := make(chan struct{}, 1024)
	go func() {
		for i := 0; ; i++ {
			<-n
			if i%heapEvery == heapEvery-1 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				fmt.Printf("%.1f ", float64(m.HeapAlloc)/(1<<20))
			}
		}
	}()
	q.Work(context.Background(), queue.WorkOptions{
		Identity: identity, Answerer: batch.NewLines(&stub{}, identity.Model, nil), Parallel: 32, Name: fmt.Sprint("w", os.Getpid()),
		Stored: func(string, int) { n <- struct{}{} },
	})
}
