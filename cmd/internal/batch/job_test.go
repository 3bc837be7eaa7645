package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// Shards that are merged are what one process writes, whatever each was through.
func TestShards(t *testing.T) {
	input := mixed() + "\n" + many(30)
	want := done(t, options(t, input), &stub{})
	for _, n := range []int{1, 2, 3, 20} {
		opt := options(t, input)
		for i := range n {
			o := opt
			o.Shard = Shard{i, n}
			if n == 3 && i == 1 {
				interrupted(t, o, 2)
			}
			if _, err := Merge(t.Context(), opt.Output, "", true); err == nil || !strings.Contains(err.Error(), "is not done") && i > 0 {
				t.Errorf("shard %d of %d is not there, and the merge says %v", i, n, err)
			}
			c, err := run(t.Context(), o, &stub{})
			if err != nil {
				t.Fatal(err)
			}
			again, err := run(t.Context(), o, &stub{before: func(context.Context, *Request) error { return errors.New("asked again") }})
			if err != nil || again.Done != c.Done || again.Failed != c.Failed {
				t.Errorf("shard %v is done, and done again: %+v, %+v, %v", o.Shard, c, again, err)
			}
		}
		if _, err := Merge(t.Context(), opt.Output, "", true); err != nil {
			t.Fatal(err)
		}
		if got := written(t, opt); got != want {
			t.Errorf("%d shards: %q, want %q", n, got, want)
		}
	}
}

// Parts that do not belong together are refused.
func TestForeignParts(t *testing.T) {
	opt := options(t, many(9))
	for i := range 2 {
		o := opt
		o.Shard = Shard{i, 2}
		o.Created = int64(i)
		if _, err := run(t.Context(), o, &stub{}); err != nil {
			t.Fatal(err)
		}
	}
	merge := func(want string) {
		t.Helper()
		if _, err := Merge(t.Context(), opt.Output, "", true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	merge("it does not belong to")
	second := partOf(opt.Output, Shard{1, 2})
	text := readFile(t, second)
	write(t, second, text[:len(text)-1])
	merge("it is damaged")
	write(t, second, "x")
	merge("it is not the result of a shard")
	write(t, partOf(opt.Output, Shard{0, 3}), "x")
	merge("[2 3]")
	for _, text := range []string{"", "1", "2/2", "-1/2", "0/0", "a/b", "1/2/3"} {
		if s, err := ParseShard(text); err == nil {
			t.Errorf("%q is the shard %v", text, s)
		}
	}
}

// With AsDone the outputs grow, and have the same lines in the end.
func TestAsDone(t *testing.T) {
	input := mixed() + "\n" + many(30)
	want := done(t, options(t, input), &stub{})
	opt := options(t, input)
	opt.AsDone = true
	interrupted(t, opt, 11)
	if n := strings.Count(readFile(t, opt.Output), "\n"); n < 9 {
		t.Errorf("%d answers are there after 11", n)
	}
	got := done(t, opt, &stub{})
	if sorted(got.answers) != sorted(want.answers) || sorted(got.errors) != sorted(want.errors) {
		t.Errorf("%q, want %q in any order", got, want)
	}
}

func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i := range lines { // few
		for k := range i {
			if lines[i] < lines[k] {
				lines[i], lines[k] = lines[k], lines[i]
			}
		}
	}
	return strings.Join(lines, "")
}

// What comes from a pipe is as good as a file, and resumed as one.
func TestPipe(t *testing.T) {
	want := done(t, options(t, many(20)), &stub{})
	opt := options(t, "")
	opt.Input = "-"
	opt.Stdin = strings.NewReader(many(20))
	interrupted(t, opt, 5)
	opt.Stdin = strings.NewReader(many(20))
	if got := done(t, opt, &stub{}); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A reader that never says anything does not hold up an interruption.
func TestSilentPipe(t *testing.T) {
	opt := options(t, "")
	opt.Input = "-"
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	opt.Stdin = r
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := run(ctx, opt, &stub{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestLimit(t *testing.T) {
	opt := options(t, "\n"+many(20))
	opt.Limit = 4
	w := &stub{}
	if got := done(t, opt, w); strings.Count(got.answers+got.errors, "\n") != 4 || w.times("id 4") != 0 || w.times("id 3") != 1 {
		t.Errorf("%q", got)
	}
}

func TestStrict(t *testing.T) {
	opt := options(t, many(3)+"{}\n"+lineOf("id 1", "{}"))
	opt.Strict = true
	w := &stub{}
	_, err := run(t.Context(), opt, w)
	flaws, ok := errors.AsType[*FlawsError](err)
	if !ok || flaws.Lines != 2 || !strings.Contains(err.Error(), "line 4: it has no custom_id") || flaws.First[1].Code != DuplicateID {
		t.Errorf("%v", err)
	}
	list, _ := os.ReadDir(filepath.Dir(opt.Output))
	if len(list) != 1 || len(w.asked) != 0 {
		t.Errorf("there is %v, and asked was %v", list, w.asked)
	}
}

// What cannot be done is refused before anything is read.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*Options)
	}{
		{"it is the input", func(o *Options) { o.Output = o.Input }},
		{"it is the input", func(o *Options) { o.Errors = o.Input }},
		{"files of their own", func(o *Options) { o.Errors = o.Output }},
		{"no such file", func(o *Options) { o.Input += "x" }},
		{"a folder", func(o *Options) { o.Input = filepath.Dir(o.Input) }},
		{"no such file", func(o *Options) { o.Output = filepath.Join(o.Output, "x", "y") }},
		{"at least 1", func(o *Options) { o.Parallel = 0 }},
		{"--created", func(o *Options) { o.Shard, o.Created = Shard{0, 2}, -1 }},
		{"no order", func(o *Options) { o.Shard, o.AsDone = Shard{0, 2}, true }},
		{"byte order mark", func(o *Options) { write(t, o.Input, "\xef\xbb\xbf"+many(1)) }},
	} {
		opt := options(t, many(2))
		c.change(&opt)
		if _, err := run(t.Context(), opt, &stub{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
		if _, err := os.Stat(opt.Output + ".journal"); err == nil {
			t.Errorf("%s: a journal is left", c.want)
		}
	}
}

// An input that changes while it is answered ends the work.
func TestInputChanges(t *testing.T) {
	opt := options(t, many(20))
	opt.Parallel = 1
	w := &stub{before: func(context.Context, *Request) error {
		write(t, opt.Input, strings.ReplaceAll(many(20), "number", "NUMBER"))
		return nil
	}}
	if _, err := run(t.Context(), opt, w); !errors.Is(err, errChanged) {
		t.Errorf("%v", err)
	}
}

// What is known of a million lines is less than 150 MB.
func TestMemoryOfLines(t *testing.T) {
	const n = 100_000
	var b strings.Builder
	for i := range n {
		b.WriteString(lineOf(fmt.Sprint(i), fmt.Sprintf(`{"prompt":"%d"}`, i)))
	}
	opt := options(t, b.String())
	b.Reset()
	in, err := openInput(t.Context(), opt.Input, opt.Output, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	before := heap()
	x, err := read(t.Context(), in, rules{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	after := heap()
	if len(x.order) != n {
		t.Fatalf("%d lines of %d", len(x.order), n)
	}
	if used := after - before; used > 150e6/1e6*n/3 {
		t.Errorf("%d bytes are held for a line", used/n)
	}
	held := unsafe.Sizeof(entry{}) + unsafe.Sizeof(key{}) + unsafe.Sizeof(named{})
	if held*1_000_000 > 110e6 {
		t.Errorf("%d bytes a line while they are sorted", held)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
