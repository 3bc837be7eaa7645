package mptgo

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxLine is the longest line of prose, in characters; a tab counts as four.
const maxLine = 120

// markdown returns the texts of all Markdown files of the project by path.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir(".", func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || len(d.Name()) > 1 && d.Name()[0] == '.') {
			return filepath.SkipDir
		}
		if filepath.Ext(p) != ".md" || d.IsDir() {
			return nil
		}
		text, err := os.ReadFile(p)
		pages[filepath.ToSlash(p)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) < 10 {
		t.Fatalf("only %d pages", len(pages))
	}
	return pages
}

// prose returns the lines of a page that are not code, the others empty.
func prose(text string) []string {
	lines := strings.Split(text, "\n")
	code := false
	for i, l := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(l), "```")
		if fence {
			code = !code
		}
		if code || fence {
			lines[i] = ""
		}
	}
	return lines
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`^#+ +(.*)`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the places of a page that links may lead to, as GitHub names them.
func anchors(text string) (names []string) {
	for _, l := range prose(text) {
		if m := heading.FindStringSubmatch(l); m != nil {
			name := dropped.ReplaceAllString(strings.ToLower(link.ReplaceAllString(m[1], "]")), "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

// TestLinks: a link to a file, a folder or a heading of the project leads there. ARCHITECTURE.md
// names files and packages by links, so these are there, too.
func TestLinks(t *testing.T) {
	pages := markdown(t)
	for p, text := range pages {
		for _, l := range prose(text) {
			for _, m := range link.FindAllStringSubmatch(l, -1) {
				if !strings.Contains(m[1], "://") && !strings.HasPrefix(m[1], "mailto:") {
					checkLink(t, pages, p, m[1])
				}
			}
		}
	}
}

func checkLink(t *testing.T, pages map[string]string, page, to string) {
	file, anchor, _ := strings.Cut(to, "#")
	target := page
	if file != "" {
		target = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
	}
	if _, err := os.Stat(target); err != nil {
		t.Errorf("%s: a link to %s, which is not there", page, to)
		return
	}
	if text, ok := pages[target]; anchor != "" && (!ok || !slices.Contains(anchors(text), anchor)) {
		t.Errorf("%s: a link to %s, where no heading has that name", page, to)
	}
}

var (
	box   = regexp.MustCompile(`(\w+)\["([^"]+)"\]`)
	arrow = regexp.MustCompile(`^\s*(\w+)(?:\["[^"]+"\])? --> (\w+)(?:\["[^"]+"\])?$`)
)

// TestPicture: the boxes of the picture in ARCHITECTURE.md are packages, and its arrows are
// imports that the list of the architecture permits.
func TestPicture(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, picture, _ := strings.Cut(string(text), "```mermaid\nflowchart TD\n")
	picture, _, ok := strings.Cut(picture, "```")
	if !ok {
		t.Fatal("no picture")
	}
	names := map[string]string{}
	for _, m := range box.FindAllStringSubmatch(picture, -1) {
		names[m[1]] = m[2]
		if _, ok := may[m[2]]; !ok {
			t.Errorf("%s is no package of the list", m[2])
		}
	}
	for _, l := range strings.Split(strings.TrimSpace(picture), "\n") {
		m := arrow.FindStringSubmatch(l)
		if m == nil || names[m[1]] == "" || names[m[2]] == "" {
			t.Errorf("%q is no arrow from one box to another", l)
		} else if !slices.Contains(strings.Fields(may[names[m[1]]]), names[m[2]]) {
			t.Errorf("%s does not import %s", names[m[1]], names[m[2]])
		}
	}
}

// TestLineLength: prose can be read beside code. Tables cannot be broken, nor can code, nor a
// line that is one word, such as a link.
func TestLineLength(t *testing.T) {
	for p, text := range markdown(t) {
		for i, l := range prose(text) {
			if !strings.HasPrefix(strings.TrimSpace(l), "|") && !strings.HasPrefix(l, "    ") {
				checkLine(t, p, i, l)
			}
		}
	}
	for _, s := range slices.Concat(sources(t), sourcesBelow(t, generators), sourcesBelow(t, queueServer)) {
		if ast.IsGenerated(s.file) {
			continue
		}
		text, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range strings.Split(string(text), "\n") {
			if c := strings.TrimSpace(l); strings.HasPrefix(c, "//") && !strings.HasPrefix(c, "//go:") {
				checkLine(t, s.path, i, l)
			}
		}
	}
}

func checkLine(t *testing.T, path string, i int, l string) {
	n := utf8.RuneCountInString(strings.ReplaceAll(l, "\t", "    "))
	if n > maxLine && strings.ContainsAny(strings.TrimSpace(l), " \t") {
		t.Errorf("%s:%d: %d characters, more than %d", path, i+1, n, maxLine)
	}
}
