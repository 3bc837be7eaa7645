//go:build unix

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBatchKilled kills mpt batch at random moments and starts it again until it is done: what
// it has written then are the bytes of one that nobody disturbed. MPTGO_BATCH_KILLS is how many
// times at least.
func TestBatchKilled(t *testing.T) {
	kills := 10
	if text := os.Getenv("MPTGO_BATCH_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	dir := t.TempDir()
	in := filepath.Join(dir, "in.jsonl")
	if err := os.WriteFile(in, []byte(batchLines(6*kills)), 0o666); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "want.jsonl")
	if code, text := batchOnce(t, in, want, "-np", "4", "-t", "1"); code != 3 {
		t.Fatalf("status %d: %s", code, text)
	}
	got := filepath.Join(dir, "got.jsonl")
	r := rand.New(rand.NewPCG(1, uint64(kills)))
	starts := 0
	for n := 0; n < kills; starts++ {
		if killBatch(t, r, in, got) {
			n++
		}
	}
	t.Logf("%d starts, %d kills", starts, kills)
	if code, text := batchOnce(t, in, got, "-np", "16"); code != 3 {
		t.Fatalf("status %d after %d kills: %s", code, kills, text)
	}
	for _, ext := range []string{".jsonl", ".errors.jsonl"} {
		a, _ := os.ReadFile(filepath.Join(dir, "want"+ext))
		b, err := os.ReadFile(filepath.Join(dir, "got"+ext))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %v; %d bytes, not disturbed %d", ext, err, len(b), len(a))
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.journal"))
	if len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// batchLines are requests of different lengths, some with flaws, many with the same beginning.
func batchLines(n int) string {
	var b strings.Builder
	for i := range n {
		prompt := fmt.Sprintf("Once upon a time there was a girl named Lily. She had %d dogs", i)
		switch {
		case i%9 == 4:
			b.WriteString("{}\n")
		case i%9 == 7:
			prompt = strings.Repeat("far ", i)
			fallthrough
		default:
			fmt.Fprintf(&b, `{"custom_id":"%d","method":"POST","url":"/v1/completions","body":{"prompt":%q,"max_tokens":%d,"n":%d}}`+"\n",
				i, prompt, 4+i%30, 1+i%3)
		}
	}
	return b.String()
}

func batchCommand(in, out string, args ...string) *exec.Cmd {
	return exec.Command("mpt", append([]string{"batch", in, "-o", out, "--created", "7", "-c", "512"}, args...)...)
}

// batchOnce runs the command to its end and returns its status.
func batchOnce(t *testing.T, in, out string, args ...string) (int, string) {
	t.Helper()
	text, err := batchCommand(in, out, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit == nil {
		return 0, string(text)
	}
	return exit.ExitCode(), string(text)
}

// killBatch starts the command and kills it: after some results, or after some time. It reports
// whether that was before it had ended.
func killBatch(t *testing.T, r *rand.Rand, in, out string) bool {
	t.Helper()
	cmd := batchCommand(in, out, "-np", fmt.Sprint(1+r.IntN(16)))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	size := func() int64 {
		info, err := os.Stat(out + ".journal")
		if err != nil {
			return 0
		}
		return info.Size()
	}
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	defer stop()
	if r.IntN(2) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(600))*time.Millisecond)
		defer cancel()
	}
	enough := size() + 1 + r.Int64N(2000)
	for size() < enough && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	cmd.Process.Signal(syscall.SIGKILL)
	<-ended
	return cmd.ProcessState.ExitCode() == -1
}

// TestBatchInterrupted has Ctrl-C end the command, which then goes on where it was.
func TestBatchInterrupted(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
	if err := os.WriteFile(in, []byte(batchLines(40)), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := batchCommand(in, out, "-np", "2")
	var log lockedBuffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(60 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if info, err := os.Stat(out + ".journal"); err == nil && info.Size() > 4000 {
			break
		}
	}
	if code, text := batchOnce(t, in, out); code != 1 || !strings.Contains(text, "another process is at work on it") {
		t.Errorf("a second process: status %d: %s", code, text)
	}
	cmd.Process.Signal(os.Interrupt)
	err := cmd.Wait()
	if cmd.ProcessState.ExitCode() != 130 || !strings.Contains(log.String(), "lines are done and kept: the same command goes on with them") {
		t.Errorf("%v: %s", err, log.String())
	}
	if code, text := batchOnce(t, in, out); code != 3 || !strings.Contains(text, "of an earlier start") {
		t.Errorf("status %d: %s", code, text)
	}
}

// A request that was under way twice when the command was killed is answered in a process of
// its own, with the same answer.
func TestBatchAlone(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
	text := `{"custom_id":"a","method":"POST","url":"/v1/completions","body":{"prompt":"Once","max_tokens":60,"n":16,"ignore_eos":true}}` + "\n"
	if err := os.WriteFile(in, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for k := range 2 {
		cmd := batchCommand(in, out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		begun := false
		for limit := time.Now().Add(60 * time.Second); !begun && time.Now().Before(limit); time.Sleep(time.Millisecond) {
			b, _ := os.ReadFile(out + ".journal")
			begun = bytes.Count(b, []byte("s\x01\x00\x00\x00")) > k // records of a start of line 1
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	code, log := batchOnce(t, in, out)
	if code != 0 || !strings.Contains(log, "line 1 came to no end 2 times: it is answered in a process of its own") {
		t.Errorf("status %d: %s", code, log)
	}
	other := filepath.Join(dir, "other.jsonl")
	if code, log := batchOnce(t, in, other); code != 0 {
		t.Fatalf("status %d: %s", code, log)
	}
	a, _ := os.ReadFile(out)
	b, _ := os.ReadFile(other)
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Errorf("alone: %s\nwant %s", a, b)
	}
}

// Ctrl-C ends the command while it waits for its input, too, and leaves nothing.
func TestBatchInterruptedEarly(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.jsonl")
	cmd := batchCommand("-", out)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(60 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(out + ".journal"); err == nil {
			break
		}
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	left, _ := os.ReadDir(dir)
	if code := cmd.ProcessState.ExitCode(); code != 130 || len(left) > 0 {
		t.Errorf("status %d, left is %v", code, left)
	}
}
