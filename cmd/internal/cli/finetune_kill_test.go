//go:build unix

package cli

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"mptgo/mpt/tune"
)

// fineTuning is a run that is disturbed: checkpoints all the time, evaluations, dropout, two epochs and a bit.
type fineTuning struct {
	dir  string
	rand *rand.Rand
	took time.Duration // by a run that is not disturbed
	// kills, starts and checkpoints that were found whole after a kill
	kills, starts, whole int
}

const fineTuningFlags = "-m tiny.gguf -f rows.jsonl --lora-r 4 --lora-dropout 0.1 --batch 3 --max-steps 30 --lr 0.01 --eval-split 0.2 " +
	"--eval-every 4 --save-every 3 --keep 1"

func newFineTuning(t *testing.T) *fineTuning {
	t.Helper()
	f := &fineTuning{dir: t.TempDir(), rand: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))}
	mustRun(t, f.dir, "mpt-quantize "+filepath.Join(cases(t), "hf-tiny")+" tiny.gguf --type Q8_0")
	var rows strings.Builder
	for i := range 40 {
		fmt.Fprintf(&rows, "{\"text\": \"The fox number %d had %d hens and a coat.%s\"}\n", i, i*i, strings.Repeat(" It slept.", i%7))
	}
	if err := os.WriteFile(filepath.Join(f.dir, "rows.jsonl"), []byte(rows.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	f.took = mustRun(t, f.dir, "mpt finetune "+fineTuningFlags+" --lora-out want/adapter -t 2")
	return f
}

// line returns the command that begins the run in a folder, or goes on with it, in another way of computing.
func (f *fineTuning) line(out string, goOn bool) string {
	how := fmt.Sprintf(" -t %d --micro-batch %d", 1+f.rand.IntN(3), f.rand.IntN(2)*40)
	if goOn {
		return "mpt finetune --resume " + out + how
	}
	return "mpt finetune --force --lora-out " + out + " " + fineTuningFlags + how
}

// kill starts the run and kills it: after some time, or as soon as something is being written. It reports
// whether the run has come to its end.
func (f *fineTuning) kill(t *testing.T, out string) (ended bool) {
	t.Helper()
	folder := filepath.Join(f.dir, out)
	_, err := tune.ReadFlags(folder)
	before := err == nil
	cmd := command(f.dir, f.line(out, before))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.starts++
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	time.AfterFunc(time.Duration(f.rand.Int64N(int64(f.took))), func() { cmd.Process.Kill() })
	if f.rand.IntN(2) == 0 {
		for len(leftovers(t, folder)) == 0 && len(done) == 0 {
			time.Sleep(time.Duration(f.rand.IntN(2000)) * time.Microsecond)
		}
		cmd.Process.Kill()
	}
	if err := <-done; err == nil {
		return true
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("it ended by itself: %v\n%s", cmd.ProcessState, &said)
	}
	f.kills++
	switch _, err := tune.ReadFlags(folder); {
	case err == nil:
		f.whole++
	case before:
		t.Fatalf("there was a whole checkpoint before kill %d, and there is none: %v", f.kills, err)
	}
	return false
}

// speeds are what differs in the figures of equal runs.
var speeds = regexp.MustCompile(`"tokens_per_second":[0-9.e+-]+|,[0-9.e+]+(,[^,]*,[^,]*)?\n`)

// compare wants a run that was disturbed to have left what one did that was not.
func (f *fineTuning) compare(t *testing.T, out string) {
	t.Helper()
	for _, name := range []string{"adapter_model.safetensors", "adapter_config.json", "adapter.gguf", "last/adapter_model.safetensors",
		"checkpoint-30/adapter_model.safetensors", "checkpoint-30/optimizer.safetensors", "checkpoint-30/trainer_state.json", "metrics.jsonl"} {
		want, err1 := os.ReadFile(filepath.Join(f.dir, "want/adapter", name))
		got, err2 := os.ReadFile(filepath.Join(f.dir, out, name))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if name == "metrics.jsonl" {
			want, got = speeds.ReplaceAll(want, nil), speeds.ReplaceAll(got, nil)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s of %s differs from that of a run that was not disturbed%s", name, out, firstDifference(got, want))
		}
	}
	if steps, err := tune.Checkpoints(filepath.Join(f.dir, out)); err != nil || len(steps) != 1 {
		t.Errorf("checkpoints %v, %v", steps, err)
	}
	left, _ := filepath.Glob(filepath.Join(f.dir, out, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestFinetuneDisturbed disturbs mpt finetune in every way: the adapter always has the bytes of a run that
// nobody disturbed.
func TestFinetuneDisturbed(t *testing.T) {
	f := newFineTuning(t)
	t.Run("killed", f.killed)
	t.Run("interrupted", f.interrupted)
	if testing.Short() {
		return
	}
	t.Run("locked", f.locked)
	t.Run("full", f.full)
}

// firstDifference shows the first line of a text that is not as it should be.
func firstDifference(got, want []byte) string {
	if !utf8.Valid(want) {
		return ""
	}
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf(": line %d is %s, want %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf(": %d lines, want %d", len(a), len(b))
}

// killed kills the run at random moments and has it go on until it is done, again and again: a whole
// checkpoint is left every time. MPTGO_FINETUNE_KILLS is how many times at least.
func (f *fineTuning) killed(t *testing.T) {
	kills := 5
	if testing.Short() {
		kills = 2
	}
	if text := os.Getenv("MPTGO_FINETUNE_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	runs := 0
	for ; f.kills < kills; runs++ {
		out := fmt.Sprintf("out%d/adapter", runs)
		for f.kills < kills && !f.kill(t, out) {
		}
		_, err := tune.ReadFlags(filepath.Join(f.dir, out))
		mustRun(t, f.dir, f.line(out, err == nil)) // one that had come to its end may do so again
		f.compare(t, out)
	}
	t.Logf("%d kills in %d starts of %d runs; %d times there was a checkpoint, always a whole one", f.kills, f.starts, runs, f.whole)
}

// waitFor waits until there is what a run writes.
func waitFor(t *testing.T, what string, there func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !there() {
		if ctx.Err() != nil {
			t.Fatalf("%s: not in a minute", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// locked: of two runs in a folder the second is refused, and a dead one stops nobody.
func (f *fineTuning) locked(t *testing.T) {
	cmd := command(f.dir, f.line("locked/adapter", false)+" --max-steps 100000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a checkpoint", func() bool {
		steps, _ := tune.Checkpoints(filepath.Join(f.dir, "locked/adapter"))
		return len(steps) > 0
	})
	who := fmt.Sprintf("another run writes to locked/adapter: process %d on ", cmd.Process.Pid)
	for _, goOn := range []bool{false, true} {
		text, err := command(f.dir, f.line("locked/adapter", goOn)).CombinedOutput()
		if err == nil || !strings.Contains(string(text), who) {
			t.Errorf("%v, want %q\n%s", err, who, text)
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	mustRun(t, f.dir, f.line("locked/adapter", false))
	f.compare(t, "locked/adapter")
}

// interrupted ends runs by signals: a checkpoint is written, and they go on to the same bytes.
func (f *fineTuning) interrupted(t *testing.T) {
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}
	if testing.Short() {
		signals = signals[:1]
	}
	for _, sig := range signals {
		out := sig.String() + "/adapter"
		cmd := exec.Command("mpt", strings.Fields("finetune "+fineTuningFlags)...)
		cmd.Args = append(cmd.Args, "--lora-out", out)
		cmd.Dir = f.dir
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "a figure", func() bool {
			info, err := os.Stat(filepath.Join(f.dir, out, "metrics.jsonl"))
			return err == nil && info.Size() > 500
		})
		cmd.Process.Signal(sig)
		waited(t, cmd)
		if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(said.String(), "with: mpt finetune --resume "+out) {
			t.Errorf("%v: status %d\n%s", sig, code, &said)
		}
		mustRun(t, f.dir, "mpt finetune --resume "+out)
		f.compare(t, out)
	}
}
