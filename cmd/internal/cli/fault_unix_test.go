//go:build unix

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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

// kills returns how many processes a test kills: a few, or what MPTGO_KILLS says.
func kills(t *testing.T) int {
	text := os.Getenv("MPTGO_KILLS")
	switch {
	case text == "" && testing.Short():
		return 1
	case text == "":
		return 4
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MPTGO_KILLS: %v", err)
	}
	return n
}

// command is a process to be killed: a shell command that runs mpt or mpt-quantize,
// which package testscript has put into PATH.
func command(dir, line string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", "exec "+line)
	cmd.Dir = dir
	return cmd
}

// mustRun runs a command to its end and returns how long that took.
func mustRun(t *testing.T, dir, line string) time.Duration {
	t.Helper()
	start := time.Now()
	if out, err := command(dir, line).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return time.Since(start)
}

// killed starts a command and kills it after a random part of the time.
func killed(t *testing.T, dir, line, input string, after time.Duration) {
	t.Helper()
	cmd := command(dir, line)
	cmd.Stdin = strings.NewReader(input)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(rand.Int64N(int64(after))))
	cmd.Process.Kill()
	cmd.Wait()
}

// leftovers returns the temporary files in a folder.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, ".*.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestKilledConversion kills conversions and quantisations at any moment: their file
// is then absent, or the one before, or complete; and the next one works and clears
// up.
func TestKilledConversion(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, dir, "mpt-quantize --synthetic 256,4,4 --type F32 src.gguf")
	for _, line := range []string{
		"mpt-quantize src.gguf out.gguf --type Q4_0 --force",
		"mpt-quantize src.gguf out.gguf --type Q8_0 --force -t 1",
		"mpt-quantize " + filepath.Join(cases(t), "hf-bf16-sharded") + " out.gguf --type F16 --force",
		"mpt-quantize --synthetic 64,4,4 --type Q5_0 out.gguf --force",
	} {
		out := filepath.Join(dir, "out.gguf")
		os.Remove(out)
		took := mustRun(t, dir, line)
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		complete, before := 0, 0
		for i := range kills(t) {
			os.Remove(out)
			if i%2 == 1 {
				if err := os.WriteFile(out, []byte("before"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			killed(t, dir, line, "", took)
			got, err := os.ReadFile(out)
			switch {
			case i%2 == 0 && errors.Is(err, os.ErrNotExist), i%2 == 1 && string(got) == "before":
				before++
			case err == nil && bytes.Equal(got, want):
				complete++
			default:
				t.Fatalf("%s: %d bytes of %d after kill %d, %v", line, len(got), len(want), i, err)
			}
		}
		mustRun(t, dir, line)
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: run again: %d bytes, %v", line, len(got), err)
		}
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("%s: left behind: %v", line, left)
		}
		t.Logf("%s: killed %d times; the file was as before %d times, complete %d", line, before+complete, before, complete)
	}
}

// TestKilledSave kills chats that save themselves again and again: the file can
// always be loaded, or there is none yet.
func TestKilledSave(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, dir, "mpt-quantize --synthetic 64,4,4 --type Q8_0 m.gguf")
	const line = "mpt chat -m m.gguf -n 3 --temp 0 -c 2000"
	input := strings.Repeat("Hello there\n/save x\n", 30)
	start := time.Now()
	cmd := command(dir, line)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(start)
	path := filepath.Join(dir, "x")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	loaded, absent := 0, 0
	for i := range kills(t) {
		os.Remove(path)
		if i%2 == 1 {
			if err := os.WriteFile(path, good, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		killed(t, dir, line, input, took)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && i%2 == 0 {
			absent++
			continue
		}
		check := command(dir, line)
		check.Stdin = strings.NewReader("/load x\n")
		if out, err := check.CombinedOutput(); err != nil {
			t.Fatalf("after kill %d: %v\n%s", i, err, out)
		}
		loaded++
	}
	t.Logf("killed %d times; there was no file %d times, it could be loaded %d", loaded+absent, absent, loaded)
}

// endlessRun is a command that writes until it is stopped.
const endlessRun = "mpt run -p 'Once upon a time' -n -1 --ignore-eos --context-shift"

// TestSignals stops commands with the signals of a terminal and of a service: they
// say so, end with status 1, and leave no file.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := command(t.TempDir(), endlessRun)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1)
		if _, err := io.ReadFull(out, first); err != nil {
			t.Fatalf("%v: %v\n%s", sig, err, &errs)
		}
		cmd.Process.Signal(sig)
		io.Copy(io.Discard, out)
		err = waited(t, cmd)
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 || errs.String() != "mpt: interrupted\n" {
			t.Errorf("%v: %v, %q", sig, err, &errs)
		}
	}
}

// TestSignalledPipes stops commands that wait for a named pipe to which nothing is written.
func TestSignalledPipes(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, line := range []string{
		"mpt run -f pipe", "mpt run -p x --grammar-file pipe", "mpt perplexity -f pipe", "mpt imatrix -f pipe -o out", "mpt tokenize -f pipe", "mpt tokenize --jsonl -f pipe",
		"mpt logits --tokens-file pipe -o out", "mpt eval --tasks pipe", "mpt eval --gauntlet pipe", "mpt eval --compare pipe other", "mpt chat --chat-template pipe < /dev/null",
	} {
		sig := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT}[i%3]
		cmd := command(dir, line)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w := whenRead(t, pipe)
		cmd.Process.Signal(sig)
		err := waited(t, cmd)
		w.Close()
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 || errs.String() != "mpt: interrupted\n" {
			t.Errorf("%s, %v: %v, %q", line, sig, err, &errs)
		}
	}
}

// whenRead returns the other end of a pipe as soon as somebody reads it.
func whenRead(t *testing.T, pipe string) *os.File {
	t.Helper()
	for range 1000 {
		if w, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			return w
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nobody reads the pipe")
	return nil
}

// TestSignalledConversion stops a conversion: nothing is left of it.
func TestSignalledConversion(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := t.TempDir()
		cmd := command(dir, "mpt-quantize --synthetic 2048,4,24 --type F16 out.gguf -t 1")
		errs, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for len(leftovers(t, dir)) == 0 && cmd.ProcessState == nil {
			time.Sleep(time.Millisecond)
		}
		cmd.Process.Signal(sig)
		text, _ := io.ReadAll(errs)
		err = waited(t, cmd)
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 1 || !bytes.Contains(text, []byte("interrupted")) {
			t.Errorf("%v: %v, %q", sig, err, text)
		}
		if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
			t.Errorf("%v: left behind: %v %v", sig, list, err)
		}
	}
}

// TestBrokenPipe closes the reading end, as head does: the command ends, quietly.
func TestBrokenPipe(t *testing.T) {
	for _, line := range []string{endlessRun, "mpt inspect --tensors " + strings.Repeat("-o json ", 1) + "m.gguf"} {
		dir := t.TempDir()
		if strings.Contains(line, "m.gguf") {
			mustRun(t, dir, "mpt-quantize --synthetic 64,4,400 --type Q8_0 m.gguf")
		}
		cmd := command(dir, line)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1)
		if _, err := io.ReadFull(out, first); err != nil {
			t.Fatal(err)
		}
		out.Close()
		if err := waited(t, cmd); err == nil || errs.Len() > 0 {
			t.Errorf("%s: %v, %q; want a status and no words", line, err, &errs)
		}
	}
}

// waited waits for a process that must end by itself.
func waited(t *testing.T, cmd *exec.Cmd) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	context.AfterFunc(ctx, func() {
		if ctx.Err() == context.DeadlineExceeded {
			cmd.Process.Kill()
		}
	})
	err := cmd.Wait()
	if ctx.Err() != nil {
		t.Errorf("%v does not end", cmd.Args)
	}
	return err
}

// TestFullDisk runs commands that may write only a few bytes, and one whose output
// goes to a full device: they say what is wrong, and no part of a file is left.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, dir, "mpt-quantize --synthetic 64,4,4 --type Q8_0 m.gguf")
	limited := func(line, input string) (string, error) {
		cmd := exec.Command("sh", "-c", "ulimit -f 64 && exec "+line) // 32 or 64 KB
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, line := range []string{
		"mpt-quantize m.gguf out.gguf --type F32 --allow-requantize",
		"mpt-quantize --synthetic 64,4,4 --type F32 out.gguf",
	} {
		out, err := limited(line, "")
		if err == nil || !strings.Contains(out, "file too large") {
			t.Errorf("%s: %v, %s", line, err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "out.gguf")); err == nil {
			t.Errorf("%s: there is a file", line)
		}
	}
	long := strings.Repeat("Hello there my friend. ", 60) + "\n"
	chat := "mpt chat -m m.gguf -n 3 --temp 0"
	save := command(dir, chat)
	save.Stdin = strings.NewReader("Hello\n/save x\n")
	if out, err := save.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	before, err := os.ReadFile(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := limited(chat, long+"/save x\n"); err == nil || !strings.Contains(out, "file too large") {
		t.Errorf("saving: %v, %s", err, out)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "x")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a chat that could not be saved destroyed the one before: %d bytes of %d, %v", len(after), len(before), err)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		for _, line := range []string{"mpt run -p Hello -n 9 --temp 0", "mpt inspect m.gguf", "mpt version", "mpt tokenize -p Hello"} {
			out, err := exec.Command("sh", "-c", fmt.Sprintf("cd %s && exec %s 2>&1 >/dev/full", dir, line)).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "no space left") {
				t.Errorf("%s to a full device: %v, %s", line, err, out)
			}
		}
	}
}

// TestEndOfInput gives commands that read an input that is empty.
func TestEndOfInput(t *testing.T) {
	for line, status := range map[string]int{"mpt chat": 0, "mpt run -n 1 --temp 0": 0, "mpt run -n 1 --temp 0 -f /dev/null": 0} {
		cmd := command(t.TempDir(), line)
		cmd.Stdin = strings.NewReader("")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != status {
			t.Errorf("%s: %v, %s", line, err, out)
		}
	}
}
