//go:build !wasm

package line

import (
	"slices"
	"strings"
	"testing"
)

// events feeds a decoder and returns what it makes: texts, and numbers of keys.
func events(pieces ...string) (list []event) {
	var d decoder
	for _, p := range pieces {
		d.feed([]byte(p))
		for ev, ok := d.next(); ok; ev, ok = d.next() {
			list = append(list, ev)
		}
	}
	if d.waiting() {
		list = append(list, d.giveUp())
	}
	return list
}

// texts joins the texts of events, with a dot for every key.
func texts(list []event) string {
	var b strings.Builder
	for _, ev := range list {
		if ev.key != 0 {
			b.WriteByte('.')
		}
		b.WriteString(string(shownAs(ev.text)))
	}
	return b.String()
}

func TestDecoder(t *testing.T) {
	const begin, end = pasteBegin, pasteEnds
	long := strings.Repeat("a line\r", 1600)
	for _, c := range []struct {
		in   []string
		want string
	}{
		{[]string{"hello\r"}, "hello."},
		{[]string{"äé漢😀"[:5], "äé漢😀"[5:]}, "äé漢😀"},
		{[]string{"a\xe6\xbc"}, "a\ufffd\ufffd"},
		{[]string{"a\xff\xfeb"}, "a\ufffd\ufffdb"},
		{[]string{"a\ufdd1"}, "a\ufffd"},
		{[]string{begin + "one\rtwo\r\nthree\nfour" + end + "\r"}, "one↵two↵three↵four."},
		{[]string{"a", begin + "b" + end, "c"}, "abc"},
		{[]string{begin + "one\r\r\n" + end}, "one"},
		{[]string{begin + end + begin + "\r" + end + "x"}, "x"},
		{[]string{"é" + begin + "a\rb" + end + "ü\x1b[D"}, "éa↵bü."},
		{strings.Split(begin+"é\r2"+end+"x", ""), "é↵2x"},
		{[]string{"\x1b[2", "00~a\rb\x1b", "[201~c"}, "a↵bc"},
		{[]string{begin + "a\x1b[31mb\x03\tc\x7f" + end}, "a[31mb\tc"},
		{[]string{begin + long[:4000], long[4000:8000], long[8000:] + end}, strings.Repeat("a line↵", 1599) + "a line"},
		{[]string{begin + "a\xffb" + end}, "a\ufffdb"},
		{[]string{begin + "a" + begin + "b" + end}, "a[200~b"},
		{[]string{"a" + end + "b"}, "ab"},
		{[]string{begin + "never ends", "\x03", "a"}, ".a"},
		{[]string{"\x1b"}, "."},
		{[]string{"\x1b", "[", "1", ";", "5", "D", "a"}, ".a"},
		{[]string{"\x1b[" + strings.Repeat("1", 200)}, strings.Repeat("1", 200+2-maxSequence)},
		{[]string{"\x1b]" + strings.Repeat("1", 5000) + "\r"}, strings.Repeat("1", 5002-1<<12) + "."},
		{[]string{"\x1b[Mab"}, "."},
		{[]string{"\x1b[M\xff\xff\xffb"}, "b"},
	} {
		if got := texts(events(c.in...)); got != c.want {
			t.Errorf("%.100q: got %.200q, want %.200q", c.in, got, c.want)
		}
	}
}

// What arrives in pieces means what it means in one.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{"a\x1b[1;5Db", pasteBegin + "a\nb" + pasteEnds + "c", "\x1b]1;x\x07\xe6\xbc\xa2", "\x1b[M !!", "\x1bOM\x1b[[A"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		if len(s) == 0 || strings.Contains(s, "\x03") {
			return // Ctrl-C alone ends a paste
		}
		cut = int(uint(cut) % uint(len(s)))
		whole, parts := events(s), events(s[:cut], s[cut:])
		if got, want := texts(parts), texts(whole); got != want {
			t.Errorf("%q cut at %d: %q, in one %q", s, cut, got, want)
		}
		for _, ev := range whole {
			if slices.ContainsFunc(ev.text, func(r rune) bool { return r != '\t' && r != newLineMark && unprintable(r) && r != '\ufffd' }) {
				t.Errorf("%q: control characters in %q", s, string(ev.text))
			}
		}
	})
}
