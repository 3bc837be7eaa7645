package line

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mptgo/internal/check"
)

// result is what ReadLine returns.
type result struct {
	text string
	err  error
}

// desk is an editor at a pseudo terminal, whose lines are read in turn.
type desk struct {
	*testing.T
	*Editor
	master, terminal *os.File
	before           unix.Termios
	lines            chan result
	shown            chan []byte // what appears on the screen
	end              context.CancelFunc
}

// newDesk returns one. Ctrl-Z is counted in *stops: it would stop the test.
func newDesk(t *testing.T, cfg Config, stops *int) *desk {
	t.Helper()
	d := &desk{T: t, lines: make(chan result, 100), shown: make(chan []byte, 1000)}
	d.master, d.terminal = check.Pty(t)
	check.Lossless(t, d.terminal)
	d.before = check.Modes(t, d.terminal)
	cfg.In, cfg.Out = d.terminal, d.terminal
	var err error
	if d.Editor, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	d.stop = func() { *stops++ }
	ctx, cancel := context.WithCancel(context.Background())
	d.end = cancel
	go func() {
		for b := make([]byte, 1<<16); ; {
			n, err := d.master.Read(b)
			if err != nil {
				close(d.shown)
				return
			}
			select {
			case d.shown <- append([]byte(nil), b[:n]...):
			default: // nobody looks
			}
		}
	}()
	go func() {
		defer close(d.lines)
		for ctx.Err() == nil {
			text, err := d.ReadLine(ctx, "> ")
			d.lines <- result{text, err}
			if err != nil && !errors.Is(err, ErrInterrupt) && !errors.Is(err, io.EOF) {
				return
			}
		}
	}()
	return d
}

func (d *desk) typed(keys string) {
	d.Helper()
	if _, err := io.WriteString(d.master, keys); err != nil {
		d.Fatal(err)
	}
}

// line returns the next line.
func (d *desk) line() result {
	d.Helper()
	select {
	case r := <-d.lines:
		return r
	case <-time.After(time.Minute):
		d.Fatal("the editor does not return a line")
		return result{}
	}
}

// Every scene is typed and must give these lines, or errors.
func TestKeys(t *testing.T) {
	const begin, end = pasteBegin, pasteEnds
	dir := t.TempDir()
	for name, c := range map[string]struct {
		keys string
		want []string
	}{
		"typed":                 {"hello\r", []string{"hello"}},
		"wide":                  {"你好，世界 👩‍👩‍👧 é\r", []string{"你好，世界 👩‍👩‍👧 é"}},
		"left, insert":          {"你好\x1b[Dx\r", []string{"你x好"}},
		"backspace":             {"ab👍\x7f\x7fc\r", []string{"ac"}},
		"transpose one":         {"x\x14y\r", []string{"xy"}},
		"transpose one, wide":   {"é\x14z\x7f\x14\x0b\x1b[3~\r", []string{"é"}},
		"transpose":             {"ab\x14\r", []string{"ba"}},
		"transpose nothing":     {"\x14\x14a\r", []string{"a"}},
		"zero bytes":            {"\x00a\x00b\x00\r", []string{"ab"}},
		"keys without meaning":  {"a\x0f\x11\x16\x18\x1c\x1d\x1e\x1fb\r", []string{"ab"}},
		"mouse, SGR":            {"a\x1b[<0;1;1Mb\x1b[<0;1;1mc\r", []string{"abc"}},
		"mouse, old":            {"a\x1b[M !!b\r", []string{"ab"}},
		"mouse, far right":      {"a\x1b[M \xc3\xa9!b\r", []string{"ab"}},
		"mouse, rxvt":           {"a\x1b[32;5;6Mb\r", []string{"ab"}},
		"focus":                 {"\x1b[Ia\x1b[Ob\r", []string{"ab"}},
		"function keys":         {"a\x1b[15~b\x1bOPc\x1b[[Ad\x1b[24;2~e\r", []string{"abcde"}},
		"answers of a terminal": {"a\x1b[3;1Rb\x1b]11;rgb:0/0/0\x07c\x1bP>|xterm\x1b\\d\x1b[?1;2ce\r", []string{"abcde"}},
		"a sequence broken off": {"a\x1b[1;\x15b\x1b[200\rc\r", []string{"b", "c"}},
		"escape and a letter":   {"a\x1bxb\x1b\x1bc\r", []string{"axbc"}},
		"Alt-Enter":             {"a\x1b\rb\r", []string{"a", "b"}},
		"Enter of the digits":   {"a\x1bOM", []string{"a"}},
		"Ctrl-J":                {"a\nb\r", []string{"a", "b"}},
		"Home, End":             {"b\x1b[Ha\x1b[Fc\x1bOHx\x1bOFy\x01z\x05!\x1b[1~0\x1b[4~1\r", []string{"0zxabcy!1"}},
		"words":                 {"ab cd ef\x1b[1;5D\x1b[1;3Dx\x1bb\x1bby\x1bfz\r", []string{"yab zxcd ef"}},
		"delete a word":         {"ab cd ef\x1bb\x1bb\x1bd\r", []string{"ab  ef"}},
		"rub a word":            {"ab cd\x17x\r", []string{"ab x"}},
		"rub the first word":    {"ab cd\x1b[H\x1b[C\x17\r", []string{"b cd"}},
		"kill and yank":         {"ab\x02\x0bc\x01\x19\r\x19\r", []string{"bac", "b"}},
		"kill to the left":      {"ab\x02\x15\x05\x19\r", []string{"ba"}},
		"not UTF-8":             {"caf\xe9 x\r", []string{"caf\ufffd x"}},
		"C1 controls":           {"a\u009b31mb\u0085\r", []string{"a31mb"}},
		"not a character":       {"a\ufdd1b\r", []string{"a\ufffdb"}},
		"tab without a command": {"a\tb\r", []string{"ab"}},
		"EOF":                   {"\x04a\r", []string{"EOF", "a"}},
		"EOF in a line":         {"ab\x04\x02\x04\r", []string{"a"}},
		"delete at nothing":     {"\x1b[3~a\r", []string{"a"}},
		"interrupt":             {"ab\x03\x03c\r", []string{"interrupted ab", "interrupted ", "c"}},
		"clear the screen":      {"a\x0cb\r", []string{"ab"}},
		"pasted lines":          {begin + "one\ntwo\r\nthree\r" + end + "\r", []string{"one\ntwo\nthree"}},
		"pasted controls":       {begin + "a\tb\x1b[31mred\x1b[0m\x07\x03" + end + "\r", []string{"a\tb[31mred[0m"}},
		"pasted twice":          {begin + "a\nb" + end + "-" + begin + "c" + end + "\r", []string{"a\nb-c"}},
		"pasted nothing":        {begin + end + begin + "\n" + end + "x\r", []string{"x"}},
		"pasted a mark":         {begin + "a\ufdd1" + begin + "b" + end + "\r", []string{"a\ufffd[200~b"}},
		"an end of a paste":     {"a" + end + "b\r", []string{"ab"}},
		"old lines":             {"one\rtwo\r\x1b[A\x1b[A!\r\x1b[A\x1b[B\x1b[B\r", []string{"one", "two", "one!", ""}},
		"back to the new line":  {"one\rtw\x10\x0eo\r", []string{"one", "two"}},
		"search":                {"abc\rxbz\r\x12B\x12\r\x12q\x7fBZ\x05!\r", []string{"abc", "xbz", "abc", "xbz!"}},
		"search for nothing":    {"\x12zz\x07a\x12\x12\x13\x13\x03b\x12\x7f\x7f\x0b\x12\x03\x12\x15\r", []string{""}},
		"search forward":        {"a1\ra2\r\x12a\x12\x13\r", []string{"a1", "a2", "a2"}},
		"completed":             {"/re\tx\r", []string{"/rex"}},
		"nothing to complete":   {"/q\t\r", []string{"/q"}},
		"one word":              {"/s\t1\r", []string{"/set 1"}},
		"names":                 {"/load w\t\t\r", []string{"/load wide漢字"}},
	} {
		stops := 0
		d := newDesk(t, Config{Complete: words, History: filepath.Join(dir, name)}, &stops)
		d.typed(c.keys)
		for _, want := range c.want {
			r := d.line()
			switch r.err {
			case io.EOF:
				r.text = "EOF"
			case ErrInterrupt:
				r.text = "interrupted " + r.text
			}
			if r.text != want {
				t.Errorf("%s: %q, want %q", name, r.text, want)
			}
		}
		d.close(t, name)
	}
}

// close ends the reading and checks that the terminal is as before.
func (d *desk) close(t *testing.T, name string) {
	t.Helper()
	d.end()
	for r := range d.lines {
		if r.err == nil {
			t.Errorf("%s: another line: %q", name, r.text)
		}
	}
	if got := check.Modes(t, d.terminal); got != d.before {
		t.Errorf("%s: the terminal is not as it was: %+v", name, got)
	}
	if err := d.Close(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if d.faults > 0 {
		t.Errorf("%s: the buffer failed %d times", name, d.faults)
	}
	d.terminal.Close()
	d.master.Close()
}

// words completes what the tests ask for.
func words(before string) []string {
	all := []string{"/reset ", "/regen ", "/re\x1b[31m", "/set "}
	if strings.HasPrefix(before, "/load ") {
		all = []string{"wide漢字1", "wide漢字2", "wi\nde"}
	}
	return all
}

// TestRandomKeys types at random, at terminals of every size: the editor neither fails nor
// hangs, and then takes what is typed. MPTGO_KEYS says how many keys.
func TestRandomKeys(t *testing.T) {
	n := 4000
	if text := os.Getenv("MPTGO_KEYS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("MPTGO_KEYS: %v", err)
		}
	}
	const session = 200
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	history := filepath.Join(t.TempDir(), "history")
	for range max(1, n/session) {
		randomSession(t, random, history, session)
		if t.Failed() {
			return
		}
	}
}

func randomSession(t *testing.T, random *rand.Rand, history string, n int) {
	t.Helper()
	stops := 0
	d := newDesk(t, Config{Complete: words, History: history}, &stops)
	var all []string
	for i := range n {
		k := randomKey(random)
		all = append(all, k)
		d.typed(k)
		if random.IntN(20) == 0 {
			check.Resize(t, d.master, uint16(1+random.IntN(60)), uint16(1+random.IntN(300)))
			if random.IntN(3) == 0 {
				check.Resize(t, d.master, uint16(1+random.IntN(3)), uint16(1+random.IntN(4)))
			}
			syscall.Kill(os.Getpid(), syscall.SIGWINCH)
		}
		if i%50 != 49 {
			continue
		}
		// What is left of a paste, a sequence, a search or a line is ended; then a line arrives.
		want := fmt.Sprintf("line %d 漢字 é", random.Uint64()) // no history has it
		d.typed("x" + pasteEnds + "\x07\x03\x03" + want + "\r")
		for r := d.line(); r.text != want; r = d.line() {
		}
	}
	d.close(t, "random keys")
	if t.Failed() {
		t.Logf("typed: %q", all)
	}
}

// randomKey returns the bytes of a key, of a part of one, or of something else.
func randomKey(random *rand.Rand) string {
	whole := []string{
		"a", "b ", "é", "漢", "👍", "👩‍👩‍👧", "e\u0301", "\u200b", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F",
		"\x1b[3~", "\x1b[5~", "\x1b[1;5D", "\x1b[1;5C", "\x1b[Z", "\x1bOA", "\x1bOM", "\x1bb", "\x1bf", "\x1bd", "\x1b\x7f", "\x1b.",
		"\x1b[<0;1;1M", "\x1b[M !!", "\x1b[I", "\x1b]11;x\x07", "\x1bP1\x1b\\", pasteBegin + "p\nq\t漢" + pasteEnds,
		pasteBegin, pasteEnds, "/s\t", "/load w\t\t", `"""`, "\\", strings.Repeat("long 漢字 ", 40), "\xff", "\xc3", "\xe6\xbc", "\x12a\x12", "\x13",
	}
	switch random.IntN(8) {
	case 0, 1, 2:
		return string(rune(random.IntN(32))) // every control character
	case 3:
		return string(rune(' ' + random.IntN(0x250)))
	case 4:
		k := whole[random.IntN(len(whole))]
		return k[:1+random.IntN(len(k))]
	default:
		return whole[random.IntN(len(whole))]
	}
}

// A fault of what completes, or of the buffer, ends neither the line nor the program.
func TestFaults(t *testing.T) {
	stops := 0
	d := newDesk(t, Config{Complete: func(string) []string { panic("a fault") }}, &stops)
	d.typed("ab\x02\t\tc\x1a\r")
	if r := d.line(); r.text != "acb" || r.err != nil || d.faults != 2 || stops != 1 {
		t.Errorf("got %q, %v; %d faults, %d stops", r.text, r.err, d.faults, stops)
	}
	d.faults = 0
	d.Interrupt()
	if r := d.line(); r.err != ErrInterrupt {
		t.Errorf("got %v", r.err)
	}
	d.close(t, "faults")
}

// From another goroutine the terminal is restored at any time, and stays so.
func TestRestore(t *testing.T) {
	stops := 0
	d := newDesk(t, Config{}, &stops)
	d.typed("a\r")
	d.line()
	if err := d.Restore(); err != nil {
		t.Fatal(err)
	}
	d.typed("b\r")
	if r := d.line(); r.text != "b" {
		t.Errorf("got %q", r.text)
	}
	if got := check.Modes(t, d.terminal); got != d.before {
		t.Errorf("the terminal is not as it was: %+v", got)
	}
	d.close(t, "restored")
}

// A terminal that is gone is the end of the input.
func TestHangUp(t *testing.T) {
	stops := 0
	d := newDesk(t, Config{}, &stops)
	d.typed("a\r")
	d.line()
	d.master.Close()
	if r := d.line(); r.err != io.EOF {
		t.Errorf("got %v", r.err)
	}
	d.end()
}
