package cli

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mptgo/mpt/tune"
)

// full takes the room on the disk away behind the first checkpoint, and gives it back: the run goes on, tells,
// and writes its next checkpoint. One that ends meanwhile is finished by another.
func (f *fineTuning) full(t *testing.T) {
	for _, back := range []bool{true, false} {
		out := map[bool]string{true: "full-for-a-while/adapter", false: "full/adapter"}[back]
		for n := 0; !f.fill(t, out, back); n++ {
			if n == 5 {
				t.Fatal("the run has always ended before it could be disturbed")
			}
		}
		if _, err := tune.ReadFlags(filepath.Join(f.dir, out)); err != nil {
			t.Fatal(err)
		}
		mustRun(t, f.dir, "mpt finetune --resume "+out)
		f.compare(t, out)
	}
}

// fill does a run, and reports whether it was disturbed.
func (f *fineTuning) fill(t *testing.T, out string, back bool) bool {
	t.Helper()
	cmd := exec.Command("mpt", strings.Fields("finetune --force -t 1 --lora-out "+out+" "+fineTuningFlags)...)
	cmd.Dir = f.dir
	var said lockedBuffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := func(bytes uint64) {
		if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Skip(err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	waitFor(t, "a checkpoint", func() bool {
		steps, _ := tune.Checkpoints(filepath.Join(f.dir, out))
		return len(steps) > 0 || len(done) > 0
	})
	cmd.Process.Signal(syscall.SIGSTOP)
	limit(100)
	cmd.Process.Signal(syscall.SIGCONT)
	const told = "the checkpoint could not be written, and training goes on; the last one is of step "
	for len(done) == 0 && !(back && strings.Contains(said.String(), told)) {
		time.Sleep(time.Millisecond)
	}
	if back {
		limit(unix.RLIM_INFINITY)
	}
	err := <-done
	text := said.String()
	if !strings.Contains(text, told) {
		return false
	}
	if err != nil && !strings.Contains(text, "could be written") && !strings.Contains(text, "could not be written") || err == nil && !back {
		t.Errorf("%v\n%s", err, text)
	}
	return true
}
