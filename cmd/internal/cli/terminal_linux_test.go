package cli

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mptgo/internal/check"
)

// seat is a process at a terminal of its own.
type seat struct {
	*testing.T
	cmd              *exec.Cmd
	master, terminal *os.File
	before           unix.Termios
	dir              string

	mu  sync.Mutex
	out bytes.Buffer
}

// sit starts a command at a terminal.
func sit(t *testing.T, name string, args ...string) *seat {
	t.Helper()
	s := &seat{T: t, cmd: exec.Command(name, args...), dir: t.TempDir()}
	s.master, s.terminal = check.Pty(t)
	s.before = check.Modes(t, s.terminal)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.terminal, s.terminal, s.terminal
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "TERM=xterm", "XDG_STATE_HOME="+s.dir, "PS1=sh$ ", "ENV=")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	go func() {
		b := make([]byte, 1<<12)
		for {
			n, err := s.master.Read(b)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.out.Write(b[:n])
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *seat) shown() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// see waits until something appears on the screen, after the first from bytes, and returns
// where it ends.
func (s *seat) see(text string, from int) int {
	s.Helper()
	for range 1500 {
		shown := s.shown()
		if i := strings.Index(shown[from:], text); i >= 0 {
			return from + i + len(text)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.Fatalf("there is no %q in %q", text, s.shown()[min(from, len(s.shown())):])
	return 0
}

// prompt waits for a prompt, with the terminal in raw mode.
func (s *seat) prompt(from int) int {
	s.Helper()
	n := s.see("> ", from)
	for range 3000 {
		if check.Modes(s, s.terminal).Lflag&unix.ICANON == 0 {
			return n
		}
		time.Sleep(time.Millisecond)
	}
	s.Fatal("the terminal is not in raw mode")
	return 0
}

func (s *seat) typed(keys string) {
	s.Helper()
	if _, err := io.WriteString(s.master, keys); err != nil {
		s.Fatal(err)
	}
}

// end waits for the end of the process and checks that the terminal is as before.
func (s *seat) end(status int, what string) {
	s.Helper()
	waited(s.T, s.cmd)
	if got := s.cmd.ProcessState.ExitCode(); got != status {
		s.Errorf("%s: status %d, want %d; %q", what, got, status, s.shown())
	}
	if got := check.Modes(s, s.terminal); got != s.before {
		s.Errorf("%s: the terminal is not as it was: %+v", what, got)
	}
	for range 100 { // what was written last may be on its way
		if out := s.shown(); strings.LastIndex(out, "\x1b[?2004l") >= strings.LastIndex(out, "\x1b[?2004h") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.Errorf("%s: pasted texts are still marked", what)
}

var quickChat = []string{"chat", "-n", "2", "-s", "1", "--temp", "0"}

// A chat that a signal ends at the prompt, or in an answer, leaves the terminal as it was.
func TestTerminalSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		s := sit(t, "mpt", quickChat...)
		s.prompt(0)
		s.cmd.Process.Signal(sig)
		s.end(1, sig.String())
		s.see("mpt: interrupted", 0)
		if out := s.shown(); strings.Contains(out, "goroutine") {
			t.Errorf("%v: %q", sig, out)
		}
	}
	s := sit(t, "mpt", "chat", "-s", "1", "--logit-bias", "0-100")
	n := s.prompt(0)
	s.typed("Tell me a story\r")
	n = s.see("story", n)
	s.see("\n", n)
	s.typed("\x1c") // Ctrl-\
	s.end(1, "Ctrl-\\ in an answer")
}

// Keys arrive as a message, which a saved chat has, and commands work.
func TestTerminalKeys(t *testing.T) {
	s := sit(t, "mpt", quickChat...)
	n := s.prompt(0)
	s.typed("x\x14y\x00漢\x16\x1b[<0;1;1M\x1b[200~one\ntwo\x1b[201~\r")
	n = s.prompt(s.see("\n", n))
	s.typed("/save chat\r")
	s.prompt(s.see("saved to chat", n))
	s.typed("\x04")
	s.end(0, "Ctrl-D")
	if b, err := os.ReadFile(filepath.Join(s.dir, "chat")); err != nil || !bytes.Contains(b, []byte(`"question":"xy漢one\ntwo"`)) {
		t.Errorf("%.300q, %v", b, err)
	}
}

// What blocks while a chat opens its files or a command works can be ended.
func TestTerminalBlocked(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	// A template may come through a pipe; nobody writes into this one.
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := sit(t, "mpt", "chat", "--chat-template", pipe)
		time.Sleep(300 * time.Millisecond)
		for range 20 { // the first may come before they are caught
			s.cmd.Process.Signal(sig)
			time.Sleep(20 * time.Millisecond)
		}
		waited(t, s.cmd)
	}
}

// Ctrl-Z stops the chat, and what the shell started together with it; after fg pasted lines
// are one message, as before.
func TestTerminalSuspend(t *testing.T) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	s := sit(t, shell, "--norc", "--noprofile", "-i")
	s.see("sh$ ", 0)
	s.typed("mpt " + strings.Join(quickChat, " ") + "\r")
	n := s.prompt(s.see("context", 0))
	s.typed("half\x1a")
	n = s.see("Stopped", n)
	n = s.see("sh$ ", n)
	s.typed("fg\r")
	n = s.see("half", n)
	s.typed("\x1b[200~ one\ntwo\x1b[201~\r")
	n = s.prompt(s.see("\n", n))
	s.typed("/save chat\r")
	n = s.prompt(s.see("saved to chat", n))
	s.typed("/quit\r")
	s.see("sh$ ", n)
	s.typed("exit\r")
	waited(t, s.cmd)
	if b, err := os.ReadFile(filepath.Join(s.dir, "chat")); err != nil || !bytes.Contains(b, []byte(`"question":"half one\ntwo"`)) {
		t.Errorf("%.300q, %v", b, err)
	}
}

// Without a shell that would let it go on, Ctrl-Z stops nothing: neither the chat nor,
// ever, the process that started it.
func TestTerminalSuspendAlone(t *testing.T) {
	s := sit(t, "mpt", quickChat...)
	n := s.prompt(0)
	s.typed("a\x1ab")
	s.see("ab", n)
	s.typed("\x03\x03\x03")
	s.end(0, "Ctrl-Z without a shell")
}

// Answers wrap at words, prompts and notes have colours; a saved chat has neither.
func TestTerminalManners(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	args := []string{"chat", "-n", "60", "-s", "1", "--temp", "0"}
	s := sit(t, "mpt", args...)
	n := s.prompt(0)
	s.see("\x1b[1;32m> \x1b[0m", 0)
	s.see("\x1b[36mmpt-stories (built in)", 0)
	check.Resize(t, s.master, 24, 30)
	s.typed("Tell me about a cat.\r")
	from := s.see("cat.", n)
	from = s.see("\n", from)
	n = s.prompt(from)
	answer := s.shown()[from:n]
	answer = answer[:strings.LastIndex(answer, "\r\n")]
	lines := strings.Split(answer, "\r\n")
	if len(lines) < 4 {
		t.Errorf("the answer has %d lines: %q", len(lines), answer)
	}
	s.typed("/save chat\r")
	n = s.prompt(s.see("\x1b[36mmpt: saved to chat\x1b[0m", n))
	s.typed("/bye\r")
	s.end(0, "/bye")
	saved, err := os.ReadFile(filepath.Join(s.dir, "chat"))
	if err != nil || !bytes.Contains(saved, []byte(strings.Join(strings.Fields(answer)[2:10], " "))) {
		t.Errorf("%v: the chat has another text than %q: %.400q", err, answer, saved)
	}
	for _, l := range lines {
		if len(l) >= 30 {
			t.Errorf("a line of %d columns of 30: %q", len(l), l)
		}
	}

	s = sit(t, "mpt", append(args, "--nowordwrap")...)
	n = s.prompt(0)
	check.Resize(t, s.master, 24, 30)
	s.typed("Tell me about a cat.\r")
	from = s.see("\n", s.see("cat.", n))
	n = s.prompt(from)
	if plain := s.shown()[from:n]; strings.Count(plain, "\r\n") >= len(lines) {
		t.Errorf("--nowordwrap breaks lines: %q", plain)
	}
	s.typed("\x04")
	s.end(0, "Ctrl-D")
}

// Where colours are not wanted there are none.
func TestTerminalNoColour(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	s := sit(t, "mpt", quickChat...)
	n := s.prompt(0)
	s.typed("/speed\r")
	s.prompt(s.see("no answer yet", n))
	s.typed("/exit\r")
	s.end(0, "/exit")
	if out := s.shown(); strings.Contains(out, "\x1b[36m") || strings.Contains(out, "\x1b[1;32m") {
		t.Errorf("colours: %q", out)
	}
}

// mpt run wraps on a terminal, too.
func TestTerminalRun(t *testing.T) {
	s := sit(t, "sh", "-c", "stty cols 30; mpt run -p 'Once upon a time' -n 60 --temp 0")
	s.end(0, "run")
	for _, l := range strings.Split(s.shown(), "\r\n") {
		if len(l) >= 30 {
			t.Errorf("a line of %d columns of 30: %q", len(l), l)
		}
	}
}
