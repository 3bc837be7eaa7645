package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"mptgo/internal/check"
)

// stopAfter returns a worker that interrupts a job after n answers.
func stopAfter(n int, stop context.CancelFunc) *stub {
	s := &stub{}
	s.before = func(ctx context.Context, r *Request) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if n--; n < 0 {
			stop()
			return ctx.Err()
		}
		return nil
	}
	return s
}

// interrupted does the first n requests of a job.
func interrupted(t *testing.T, opt Options, n int) *stub {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := stopAfter(n, stop)
	if _, err := run(ctx, opt, s); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	return s
}

// What was done before an interruption is not done again, however often there is one.
func TestResume(t *testing.T) {
	want := done(t, options(t, mixed()+"\n"+many(40)), &stub{})
	for _, n := range []int{0, 1, 7, 39} {
		opt := options(t, mixed()+"\n"+many(40))
		before := interrupted(t, opt, n)
		last := &stub{}
		c, err := run(t.Context(), opt, last)
		if err != nil {
			t.Fatal(err)
		}
		if got := written(t, opt); got != want {
			t.Errorf("after %d: %v, want %v", n, got, want)
		}
		twice := 0
		for id := range before.asked {
			twice += last.times(id)
		}
		if most := opt.Parallel; twice > most {
			t.Errorf("after %d: %d requests were asked again, more than were under way", n, twice)
		}
		if c.Kept < n || c.Done != c.Total {
			t.Errorf("after %d: %+v", n, c)
		}
	}
}

// A journal may end anywhere in its last records: what they told is done again.
func TestTornJournal(t *testing.T) {
	opt := options(t, many(6))
	opt.Parallel = 1
	want := done(t, opt, &stub{})
	interrupted(t, opt, 4)
	whole := readFile(t, opt.Output+".journal")
	ends := []int64{}
	readRecords(strings.NewReader(whole), int64(len(whole)), func(r *record) error {
		ends = append(ends, r.at)
		return nil
	})
	for cut := len(whole); cut >= 0; cut-- {
		if last := int(ends[len(ends)-2]); cut < last && cut > len(magic)+20 && cut%16 != 0 {
			continue // every byte of the last two, and of the beginning
		}
		tail := ""
		if cut%3 == 1 {
			tail = strings.Repeat("\x00", 20) // as file systems leave them
		}
		write(t, opt.Output+".journal", whole[:cut]+tail)
		if cut < len(magic) && tail != "" {
			continue
		}
		if got := done(t, opt, &stub{}); got != want {
			t.Fatalf("cut at %d of %d: %v, want %v", cut, len(whole), got, want)
		}
	}
	for at := int(ends[1]); at < len(whole); at += 11 { // a bit is another one
		b := []byte(whole)
		b[at] ^= 4
		write(t, opt.Output+".journal", string(b))
		if got := done(t, opt, &stub{}); got != want {
			t.Fatalf("damaged at %d of %d: %v, want %v", at, len(whole), got, want)
		}
	}
}

// Whatever decides about results may not change between two starts.
func TestChanged(t *testing.T) {
	opt := options(t, many(6))
	interrupted(t, opt, 3)
	journal := readFile(t, opt.Output+".journal")
	id := identity
	for _, c := range []struct {
		want   string
		change func(*Options, *Identity)
	}{
		{"the input changed: it had ", func(o *Options, _ *Identity) { write(t, o.Input, many(7)) }},
		{"the input changed: it had ", func(o *Options, _ *Identity) { write(t, o.Input, strings.Replace(many(6), "id 5", "id 9", 1)) }},
		{"the model is another", func(_ *Options, id *Identity) { id.Model = "ff" }},
		{"numerics", func(_ *Options, id *Identity) { id.Numerics = 2 }},
		{`--temp was "0.8" and is "1"`, func(_ *Options, id *Identity) { id.Options = map[string]string{"--temp": "1"} }},
		{`--top-k was "" and is "1"`, func(_ *Options, id *Identity) { id.Options = map[string]string{"--temp": "0.8", "--top-k": "1"} }},
		{"--created was 1700000000 and is 5", func(o *Options, _ *Identity) { o.Created = 5 }},
		{"not 3", func(o *Options, _ *Identity) { o.Limit = 3 }},
	} {
		write(t, opt.Input, many(6))
		o, id := opt, id
		c.change(&o, &id)
		j, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = j.Run(t.Context(), id, &stub{})
		j.Close()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "remove it to begin anew") {
			t.Errorf("%v: want %s", err, c.want)
		}
		if readFile(t, opt.Output+".journal") != journal {
			t.Fatalf("%s: the journal was changed", c.want)
		}
	}
	write(t, opt.Input, many(6))
	o := opt
	o.Created = -1 // that of the journal counts
	if got := done(t, o, &stub{}); !strings.Contains(got.answers, "1700000000") {
		t.Error("the time of the first start is gone")
	}
}

// A file that is no journal is left alone.
func TestNoJournal(t *testing.T) {
	for _, text := range []string{"x", "{}\n", "mpt batch journal 2\n", magic + strings.Repeat("x", maxHeader+100)} {
		opt := options(t, many(2))
		write(t, opt.Output+".journal", text)
		if _, err := run(t.Context(), opt, &stub{}); err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%.30q: %v", text, err)
		}
		if readFile(t, opt.Output+".journal") != text {
			t.Errorf("%.30q is changed", text)
		}
	}
}

// Two jobs cannot have the same output at the same time.
func TestLocked(t *testing.T) {
	opt := options(t, many(2))
	j, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), opt); !errors.Is(err, errLocked) {
		t.Errorf("the second job: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(opt.Output + ".journal"); err == nil {
		t.Error("a journal with nothing in it is left")
	}
	done(t, opt, &stub{})
}

// FuzzJournal reads any bytes as a journal: what is taken from them would be written so.
func FuzzJournal(f *testing.F) {
	h := append([]byte(magic), frame([]byte(`h{"mpt_batch":1}`))...)
	f.Add(h)
	f.Add(append(bytes.Clone(h), frame(mark(isStart, 3))...))
	f.Add(append(bytes.Clone(h), frame(resultRecord(3, []byte("text"), Result{true, []byte("{}\n")}))...))
	f.Add(append(bytes.Clone(h), frame([]byte{isEnd})...))
	f.Add(append(bytes.Clone(h), make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		check.Bounded(t, len(b), func() {
			again := []byte(magic)
			end, err := readRecords(bytes.NewReader(b), int64(len(b)), func(r *record) error {
				again = append(again, b[r.at:r.at+frameSize]...)
				switch r.kind {
				case isHeader:
					again = append(append(again, isHeader), r.text...)
				case isEnd:
					again = append(again, isEnd)
				case isStart, isDropped:
					again = append(again, mark(r.kind, r.line)...)
				case isResult:
					again = append(append(again, mark(isResult, r.line)...), r.sum[:]...)
					failed := byte(0)
					if r.failed {
						failed = 1
					}
					again = append(append(again, failed), r.text...)
					if text, err := resultAt(bytes.NewReader(b), r.at); err != nil || !bytes.Equal(text, r.text) {
						t.Errorf("a result is %q, then %q, %v", r.text, text, err)
					}
				default:
					return fmt.Errorf("a record of kind %q", r.kind)
				}
				return nil
			})
			if err == nil && end > 0 && !bytes.Equal(again, b[:end]) || end > int64(len(b)) {
				t.Errorf("%d bytes of %d: %q, %v", end, len(b), again, err)
			}
			if err != nil && !errors.Is(err, errNoJournal) {
				t.Error(err)
			}
		})
	})
}

// A process that ends between the renames of the outputs, or before the journal is gone, has
// left everything that the next one needs.
func TestEndsAtTheEnd(t *testing.T) {
	opt := options(t, many(6))
	opt.Parallel = 1
	want := done(t, opt, &stub{})
	j, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	h := &Header{Version: version, SHA256: j.in.sha, Size: j.in.size, Lines: 6, Model: identity.Model, Numerics: 1, Options: identity.Options, Created: opt.Created}
	if h, err = j.resume(h); err == nil {
		err = j.answerAll(t.Context(), h, &stub{})
	}
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	whole := readFile(t, opt.Output+".journal")
	never := &stub{before: func(context.Context, *Request) error { return errors.New("asked again") }}
	for _, left := range []outcome{{"", ""}, {want.answers, "old"}, want} {
		write(t, opt.Output+".journal", whole)
		write(t, opt.Output, left.answers)
		write(t, ErrorsOf(opt.Output), left.errors)
		if got := done(t, opt, never); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
