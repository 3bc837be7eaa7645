package repl

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// typed is a lineReader with lines that were typed before. The line "^C" is
// Ctrl-C; what comes before it on the same line was typed already.
type typed struct {
	lines   []string
	prompts []string // that were shown
}

func (t *typed) ReadLine(prompt string) (string, error) {
	t.prompts = append(t.prompts, prompt)
	if len(t.lines) == 0 {
		return "", io.EOF
	}
	line := t.lines[0]
	t.lines = t.lines[1:]
	if before, ok := strings.CutSuffix(line, "^C"); ok {
		return before, errInterrupt
	}
	return line, nil
}

func TestReadInput(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  string
		plain bool
		err   error
		rest  int // lines that are left
	}{
		{"line", []string{"hello", "next"}, "hello", true, nil, 1},
		{"spaces stay", []string{"  a "}, "  a ", true, nil, 0},
		{"command", []string{"/help"}, "/help", true, nil, 0},
		{"backslash", []string{`one\`, `two\`, "three", "next"}, "one\ntwo\nthree", false, nil, 1},
		{"backslash at the end", []string{`one\`}, "one\n", false, nil, 0},
		{"block", []string{`"""`, "one", "", `two\`, `"""`, "next"}, "one\n\ntwo\\", false, nil, 1},
		{"block with text beside the quotes", []string{`"""one`, `two"""`, "next"}, "one\ntwo", false, nil, 1},
		{"block in a line", []string{`"""/help"""`, "next"}, "/help", false, nil, 1},
		{"block that begins with an empty line", []string{`"""`, "", "a", `"""`}, "\na", false, nil, 0},
		{"block without end", []string{`"""a`, "b"}, "a\nb", false, nil, 0},
		{"empty block", []string{`"""`, `"""`}, "", false, nil, 0},
		{"pasted lines", []string{"one\n\ntwo", "next"}, "one\n\ntwo", false, nil, 1},
		{"pasted lines are no command", []string{"/quit\ntwo"}, "/quit\ntwo", false, nil, 0},
		{"pasted block", []string{"\"\"\"one\ntwo\"\"\"", "next"}, "one\ntwo", false, nil, 1},
		{"pasted in a block", []string{`"""`, "one\ntwo", `"""`}, "one\ntwo", false, nil, 0},
		{"pasted block with lines for its quotes", []string{"\"\"\"\none\n\ntwo\n\"\"\"", "next"}, "one\n\ntwo", false, nil, 1},
		{"pasted block that begins with an empty line", []string{"\"\"\"\n\none\"\"\""}, "\none", false, nil, 0},
		{"pasted without the last quotes", []string{"\"\"\"\none", "two", `"""`}, "one\ntwo", false, nil, 0},
		{"pasted with the last quotes", []string{`"""`, "one\ntwo\n\"\"\""}, "one\ntwo", false, nil, 0},
		{"end", nil, "", true, io.EOF, 0},
		{"interrupt", []string{"^C", "next"}, "", true, errInterrupt, 1},
		{"interrupt in a line", []string{"he^C"}, "he", true, errInterrupt, 0},
		{"interrupt in a block", []string{`"""a`, "^C"}, "a", false, errInterrupt, 0},
		{"interrupt after a backslash", []string{`a\`, "^C"}, "a\n", false, errInterrupt, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := &typed{lines: tt.lines}
			got, plain, err := readInput(in)
			if got != tt.want || plain != tt.plain || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v, %v; want %q, %v, %v", got, plain, err, tt.want, tt.plain, tt.err)
			}
			if len(in.lines) != tt.rest {
				t.Errorf("%d lines left, want %d", len(in.lines), tt.rest)
			}
			for i, p := range in.prompts {
				if want := []string{firstPrompt, morePrompt}[min(i, 1)]; p != want {
					t.Errorf("prompt %d is %q, want %q", i, p, want)
				}
			}
		})
	}
}

func TestPipe(t *testing.T) {
	p := newPipe(context.Background(), strings.NewReader("one\r\n\ntwo"))
	var got []string
	for {
		line, err := p.ReadLine("")
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if want := []string{"one", "", "two"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPipeGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	defer w.Close()
	p := newPipe(ctx, r)
	cancel()
	if _, err := p.ReadLine(""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestComplete(t *testing.T) {
	for line, want := range map[string][]string{
		"":               nil,
		"hello /r":       nil,
		"/re":            {"/regen ", "/reset "},
		"/q":             {"/quit "},
		"/set top_":      {"top_k ", "top_p ", "top_nsigma "},
		"/set top_k 4":   nil,
		"/load testdata": {"testdata/"},
		"/nonsense a":    nil,
	} {
		if got := complete(line); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
