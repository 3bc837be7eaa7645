package pyregexp

import (
	"errors"
	"reflect"
	"testing"
)

// What Python's re makes of the same texts.
func TestLikePython(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		all           [][]string
		repl, sub     string
	}{
		{`#### (\-?[0-9\.\,]+)`, "so\n#### -1,200.5 and #### 7", [][]string{{"-1,200.5"}, {"7"}}, `<\1>`, "so\n<-1,200.5> and <7>"},
		{`\w+`, "café 12", [][]string{{"café"}, {"12"}}, "x", "x x"},
		{`\s`, "a\u3000b\x1cc", [][]string{{"\u3000"}, {"\x1c"}}, "", "abc"},
		{`(a)|(b)`, "ba", [][]string{{"", "b"}, {"a", ""}}, `[\1]`, "[][a]"},
		{`[][x]`, "[x]", [][]string{{"["}, {"x"}, {"]"}}, `-`, "---"},
		{`(?P<d>\d)`, "1٣", [][]string{{"1"}, {"٣"}}, `\g<d>\g<d>`, "11٣٣"},
		{`.+`, "a\nb", [][]string{{"a"}, {"b"}}, `\\`, "\\\n\\"},
	} {
		r, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if all, err := r.FindAll(c.text); err != nil || !reflect.DeepEqual(all, c.all) {
			t.Errorf("%s in %q: %q, %v, want %q", c.pattern, c.text, all, err, c.all)
		}
		if sub, err := r.Replace(c.text, c.repl, 0); err != nil || sub != c.sub {
			t.Errorf("%s in %q by %s: %q, %v, want %q", c.pattern, c.text, c.repl, sub, err, c.sub)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, p := range []string{`(?=a)`, `(a)\1`, `\p{L}`, `[\W]`, `(`, `a**`} {
		if _, err := Compile(p); err == nil {
			t.Errorf("%s is read", p)
		}
	}
	for p, text := range map[string]string{`a$`: "a\n", `\ba`: "éa"} {
		r, err := Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Find(text); !errors.Is(err, ErrText) {
			t.Errorf("%s in %q: %v", p, text, err)
		}
	}
	r, _ := Compile("a")
	for _, repl := range []string{`\1`, `\g<x>`, `\q`, `\g<`} {
		if _, err := r.Replace("a", repl, 0); err == nil {
			t.Errorf("%s is used", repl)
		}
	}
}
