package cli

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"testing"
)

// pieces is a reader that returns one piece a call, as a terminal does.
type pieces []string

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	*p = (*p)[1:]
	return n, nil
}

// edit inserts what comes out of p into a line, as readline does, and returns it
// with the number of characters that readline has drawn.
func edit(t *testing.T, p *paste) (line string, drawn int) {
	t.Helper()
	var buf []rune
	for in := bufio.NewReader(p); ; drawn++ {
		r, _, err := in.ReadRune()
		if err == io.EOF {
			return string(buf), drawn
		} else if err != nil {
			t.Fatal(err)
		}
		buf = append(buf, r)
		if l, pos, ok := p.OnChange(slices.Clone(buf), len(buf), r); ok {
			if pos != len(l) {
				t.Errorf("the cursor is at %d of %d", pos, len(l))
			}
			buf = l
		}
	}
}

func TestPaste(t *testing.T) {
	long := strings.Repeat("äé漢😀", 700)
	cut := long[:2001]
	for name, c := range map[string]struct {
		in    pieces
		want  string
		drawn int
	}{
		"typed":            {pieces{"h", "e", "l", "l", "o", "\r"}, "", 6},
		"short":            {pieces{"hello\r"}, "", 6},
		"pasted":           {pieces{"a", "a long text that is pasted", "b\r"}, "", 4},
		"two lines":        {pieces{"a long text that is pasted\rand another one, as long\r"}, "", 4},
		"keys before it":   {pieces{"\x1b[Da long text that is pasted"}, "", 29},
		"keys split":       {pieces{"\x1b", "[Da long text that is pasted"}, "", 29},
		"cut in a letter":  {pieces{cut, long[2001:4000], long[4000:]}, long, 3},
		"ends in a letter": {pieces{"a long text that is pasted\xe6\xbc"}, "a long text that is pasted\ufffd\ufffd", 3},
		"not UTF-8":        {pieces{"a long text that\xff\xfe is pasted"}, "a long text that\ufffd\ufffd is pasted", 1},
		"marks typed":      {pieces{"\ufdd0", "a\ufdd0 long text that is pasted"}, "\ufffda\ufffd long text that is pasted", 2},
	} {
		want := c.want
		if want == "" {
			want = strings.Join(c.in, "")
		}
		got, drawn := edit(t, newPaste(&c.in))
		if got != want || drawn != c.drawn {
			t.Errorf("%s: %d characters drawn, want %d; got %q, want %q", name, drawn, c.drawn, got, want)
		}
	}
}

// A terminal says where a pasted text begins and ends: its lines are one.
func TestBracketedPaste(t *testing.T) {
	const begin, end = "\x1b[200~", "\x1b[201~"
	long := strings.Repeat("a line\r", 1600)
	for name, c := range map[string]struct {
		in    pieces
		want  string
		drawn int
	}{
		"lines":             {pieces{begin + "one\rtwo\r\nthree\nfour" + end + "\r"}, "one↵two↵three↵four\r", 2},
		"one line":          {pieces{"a", begin + "b" + end, "c"}, "abc", 3},
		"last new lines":    {pieces{begin + "one\r\r\n" + end}, "one", 1},
		"nothing":           {pieces{begin + end + begin + "\r" + end + "x"}, "x", 1},
		"twice":             {pieces{begin + "a\rb" + end + begin + "c" + end}, "a↵bc", 2},
		"typed around":      {pieces{"é" + begin + "a\rb" + end + "ü\x1b[D"}, "éa↵bü\x1b[D", 6},
		"cut everywhere":    {strings.Split(begin+"é\r2"+end+"x", ""), "é↵2x", 2},
		"cut in the marks":  {pieces{"\x1b[2", "00~a\rb\x1b", "[201~c"}, "a↵bc", 2},
		"another key":       {pieces{"\x1b[2", "~a"}, "\x1b[2~a", 5},
		"escape":            {pieces{"\x1b", "[A"}, "\x1b[A", 3},
		"controls":          {pieces{begin + "a\x1b[31mb\x03\tc\x7f" + end}, "a[31mb\tc", 1},
		"long":              {pieces{begin + long[:4000], long[4000:8000], long[8000:] + end}, strings.Repeat("a line↵", 1599) + "a line", 1},
		"marks in it":       {pieces{begin + "a\ufdd1\ufdd0b" + end}, "a\ufffd\ufffdb", 1},
		"not UTF-8":         {pieces{begin + "a\xffb" + end}, "a\ufffdb", 1},
		"begins within one": {pieces{begin + "a" + begin + "b" + end}, "a[200~b", 1},
		"ends without one":  {pieces{"a" + end}, "a" + end, 7},
	} {
		p := newPaste(&c.in)
		got, drawn := edit(t, p)
		if got = string(p.Paint([]rune(got), 0)); got != c.want || drawn != c.drawn {
			t.Errorf("%s: %d characters drawn, want %d; got %q, want %q", name, drawn, c.drawn, got, c.want)
		}
	}
}

// A paste that readline did not put into the line does not come out later.
func TestPasteElsewhere(t *testing.T) {
	p := newPaste(&pieces{"the first text of a length", "the second text of a length"})
	if _, err := io.ReadAll(p); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := p.OnChange([]rune("found"), 3, pasteMark); ok {
		t.Error("a line without a mark was changed")
	}
	line, pos, ok := p.OnChange([]rune{'a', pasteMark, 'b'}, 2, pasteMark)
	if string(line) != "athe second text of a lengthb" || pos != 28 || !ok {
		t.Errorf("got %q, cursor at %d, %v", string(line), pos, ok)
	}
}
