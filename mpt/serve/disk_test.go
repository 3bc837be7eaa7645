package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mptgo/mpt"
)

func init() { alwaysFetch = true }

// drain ends an engine as a server does: what is in memory is on disk then.
func drain(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	e.Close()
}

// files returns the blocks in a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A prompt that was evaluated before a restart is read from disk, up to whole blocks, by
// the same model with the same salt.
func TestDiskRestart(t *testing.T) {
	m, dir := open(t), t.TempDir()
	opt := Options{CacheDir: dir}
	prompt := tokens(1, 3*blockTokens+10)
	e := start(t, m, opt)
	want := ask(t, e, greedy(prompt, 5))
	drain(t, e)
	if n := len(files(t, dir)); n != 3 {
		t.Fatalf("%d files after a prompt of %d tokens", n, len(prompt))
	}
	e = start(t, m, opt)
	if got := ask(t, e, greedy(prompt, 5)); got != want {
		t.Errorf("another answer: %s", difference(want, got))
	}
	if s := e.Stats(); s.Disk.Tokens != 3*blockTokens || s.PromptTokens != 10 || s.CacheHits != 3*blockTokens {
		t.Errorf("%d tokens came from disk, %d were evaluated, %d hits", s.Disk.Tokens, s.PromptTokens, s.CacheHits)
	}
	salted := greedy(prompt, 5)
	salted.Salt = "x"
	if u := run(t, e, salted); u.CachedTokens != 0 {
		t.Errorf("with another salt %d tokens were found", u.CachedTokens)
	}
	if u := run(t, e, greedy(prompt[:2*blockTokens], 5)); u.CachedTokens != 2*blockTokens-1 {
		t.Errorf("of a prompt of whole blocks %d tokens were found", u.CachedTokens)
	}
	drain(t, e)
	e = start(t, open(t, mpt.CacheKeyType(8)), opt)
	if u := run(t, e, greedy(prompt, 5)); u.CachedTokens != 0 {
		t.Errorf("with keys of another type %d tokens were found", u.CachedTokens)
	}
}

// A prompt of which the beginning is in memory has the rest read from disk.
func TestDiskBehindMemory(t *testing.T) {
	m, opt := open(t), Options{CacheDir: t.TempDir()}
	e := start(t, m, opt)
	prompt := tokens(1, 4*blockTokens)
	want := ask(t, e, greedy(prompt, 5))
	drain(t, e)
	e = start(t, m, opt)
	if u := run(t, e, greedy(prompt[:80], 1)); u.CachedTokens != 64 {
		t.Fatalf("%d tokens of the beginning were found", u.CachedTokens)
	}
	if got := ask(t, e, greedy(prompt, 5)); got != want {
		t.Errorf("another answer: %s", difference(want, got))
	}
	if n := e.Stats().Disk.Tokens; n != 4*blockTokens-1 { // the last brings the logits
		t.Errorf("%d tokens came from disk", n)
	}
}

// Files that are damaged, cut off, empty, of other tokens or gone are computed again, and
// removed; what does not belong to the cache stays.
func TestDiskDamaged(t *testing.T) {
	m, dir := open(t), t.TempDir()
	opt := Options{CacheDir: dir}
	prompt := tokens(1, 4*blockTokens)
	e := start(t, m, opt)
	want := ask(t, e, greedy(prompt, 5))
	drain(t, e)
	names := mustChain(t, m, "").names(prompt)
	foreign := filepath.Join(dir, "notes.txt")
	left, old := filepath.Join(dir, names[0]+".1.tmp"), time.Now().Add(-2*time.Hour)
	for _, name := range []string{foreign, left} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Chtimes(left, old, old)
	for i, name := range names {
		for what, change := range map[string]func([]byte) []byte{
			"a bit":  func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"short":  func(b []byte) []byte { return b[:len(b)/3] },
			"empty":  func(b []byte) []byte { return nil },
			"gone":   nil,
			"others": func(b []byte) []byte { b, _ = os.ReadFile(filepath.Join(dir, names[(i+1)%4])); return b },
			"longer": func(b []byte) []byte {
				return saved(t, m, append(slices.Clone(prompt), tokens(8, blockTokens)...), i*blockTokens, 5*blockTokens)
			},
			"another prompt's": func(b []byte) []byte {
				other := append(slices.Clone(prompt[:i*blockTokens]), tokens(7, blockTokens)...)
				return saved(t, m, other, i*blockTokens, (i+1)*blockTokens)
			},
		} {
			path := filepath.Join(dir, name)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			e := start(t, m, opt)
			if change == nil {
				os.Remove(path)
			} else if err := os.WriteFile(path, change(slices.Clone(good)), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := ask(t, e, greedy(prompt, 5)); got != want {
				t.Errorf("block %d, %s: another answer: %s", i, what, difference(want, got))
			}
			if n := e.Stats().Disk.Tokens; int(n) != i*blockTokens {
				t.Errorf("block %d, %s: %d tokens came from disk", i, what, n)
			}
			drain(t, e)
			if now, err := os.ReadFile(path); err != nil || !slices.Equal(now, good) {
				t.Errorf("block %d, %s: it was not written again: %v", i, what, err)
			}
		}
	}
	if n := len(files(t, dir)); n != 5 {
		t.Errorf("%d files are left, want four blocks and what is not the cache's: %q", n, files(t, dir))
	}
}

func mustChain(t *testing.T, m *mpt.Model, salt string) chain {
	t.Helper()
	s, err := m.NewSession(mpt.ContextSize(10))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := newChain(s, m, salt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The folder never holds more than its budget: what was used longest ago goes.
func TestDiskBudget(t *testing.T) {
	m, dir := open(t), t.TempDir()
	const most = 5
	block := m.CacheBytes(blockTokens) * 11 / 10
	opt := Options{CacheDir: dir, DiskBytes: most * block}
	e := start(t, m, opt)
	for i := range 10 {
		ask(t, e, greedy(tokens(uint64(i), 2*blockTokens+1), 2))
	}
	drain(t, e)
	if n := len(files(t, dir)); n < most-1 || n > most {
		t.Errorf("%d files, want %d", n, most)
	}
	e = start(t, m, opt)
	if u := run(t, e, greedy(tokens(9, 2*blockTokens+1), 2)); u.CachedTokens != 2*blockTokens {
		t.Errorf("%d tokens of the last prompt were kept", u.CachedTokens)
	}
	ask(t, e, greedy(tokens(50, 290), 2)) // four blocks and its own answer push out all others
	drain(t, e)
	opt.DiskBytes = block
	e = start(t, m, opt)
	if n := len(files(t, dir)); n > 1 {
		t.Errorf("%d files under a smaller budget", n)
	}
	e.Close()
	for _, bad := range []Options{
		{CacheDir: dir, DiskBytes: block / 2}, {CacheDir: dir, CacheBytes: -1}, {CacheDir: filepath.Join(foreignFile(t), "x")},
	} {
		if e, err := New(m, bad); err == nil {
			e.Close()
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// foreignFile is a file, in which there can be no folder.
func foreignFile(t *testing.T) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return f.Name()
}

// A folder that can no longer be written to costs nothing but the cache.
func TestDiskUnwritable(t *testing.T) {
	m, dir := open(t), filepath.Join(t.TempDir(), "cache")
	var log bytes.Buffer
	e := start(t, m, Options{CacheDir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	want := ask(t, e, greedy(tokens(1, 200), 5))
	if got := ask(t, e, greedy(tokens(1, 200), 5)); got != want {
		t.Error("another answer")
	}
	drain(t, e)
	if n := strings.Count(log.String(), "cannot be written to disk"); n != 1 {
		t.Errorf("%d warnings, want one, then a pause:\n%s", n, log.String())
	}
}

// TestSameFromDisk asks many random requests of engines with little memory for prefixes and
// a folder for them, of which some end in the middle: every answer has the bits that it has
// alone.
func TestSameFromDisk(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	requests, want := make([]Request, 30), make([]string, 30)
	m := open(t)
	for i := range requests {
		requests[i] = randomRequest(r)
		e := start(t, m, Options{CacheBytes: -1})
		want[i] = ask(t, e, requests[i])
		e.Close()
	}
	dir, page := t.TempDir(), m.CacheBytes(1)
	for round, x := range []struct {
		opt    Options
		budget int64
	}{
		{Options{Parallel: 16, CacheBytes: 8 * page}, 0},
		{Options{Parallel: 16, CacheBytes: 8 * page, DiskBytes: 9 * m.CacheBytes(blockTokens)}, 0},
		{Options{Parallel: 8}, 0},
		{Options{Parallel: 16, CacheBytes: 6 * page}, 16},
		{Options{Parallel: 2, CacheBytes: 2 * page}, 14},
	} {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			m := m
			if x.budget > 0 {
				m = open(t, limit(t, x.budget))
			}
			x.opt.CacheDir, x.opt.MaxQueue = dir, 100
			e := start(t, m, x.opt)
			testSame(t, e, requests, want)
			t.Logf("%d tokens came from disk", e.Stats().Disk.Tokens)
			leaveInTheMiddle(t, e, requests)
		})
	}
}

// leaveInTheMiddle ends an engine while it reads and writes.
func leaveInTheMiddle(t *testing.T, e *Engine, requests []Request) {
	var wg sync.WaitGroup
	for i, q := range requests[:10] {
		s, err := e.Submit(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if i%2 == 0 {
				s.Close()
			}
			answer(s)
		})
	}
	e.Close()
	wg.Wait()
}

// saved returns what a file holds of the tokens from..to of a text.
func saved(t *testing.T, m *mpt.Model, ids []int32, from, to int) []byte {
	t.Helper()
	s, err := m.NewSession(mpt.ContextSize(400))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b bytes.Buffer
	if err := errors.Join(s.Eval(context.Background(), ids), s.SavePages(&b, from, to)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// slowDisk has every file wait until the end of the test.
func slowDisk(t *testing.T, d time.Duration) {
	beforeIO = func() { time.Sleep(d) }
	t.Cleanup(func() { beforeIO = func() {} })
}

// What is being written holds memory for a moment: who needs it waits, and gets no error.
func TestWriterHoldsMemory(t *testing.T) {
	m := open(t, limit(t, 20))
	slowDisk(t, 20*time.Millisecond)
	e := start(t, m, Options{Parallel: 1, CacheBytes: 20 * m.CacheBytes(1), CacheDir: t.TempDir(), ContextSize: 640})
	for i := range 3 {
		s, err := e.Submit(context.Background(), greedy(tokens(uint64(i), 560), 5))
		if err != nil {
			t.Fatal(err)
		}
		if answer(s); s.Err() != nil {
			t.Errorf("request %d: %v", i, s.Err())
		}
	}
}

// So does a session that is being filled for somebody who has left.
func TestLeaverHoldsMemory(t *testing.T) {
	m := open(t, limit(t, 20))
	opt := Options{Parallel: 1, CacheBytes: 20 * m.CacheBytes(1), CacheDir: t.TempDir(), ContextSize: 640}
	prompt := tokens(1, 500)
	e := start(t, m, opt)
	ask(t, e, greedy(prompt, 2))
	drain(t, e)
	slowDisk(t, 20*time.Millisecond)
	e = start(t, m, opt)
	leaver, err := e.Submit(context.Background(), greedy(prompt, 2))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "nothing is read", func() bool { mem, err := m.Memory(); return err == nil && mem.Cache > 8*m.CacheBytes(1) })
	leaver.Close()
	s, err := e.Submit(context.Background(), greedy(tokens(2, 600), 5))
	if err != nil {
		t.Fatal(err)
	}
	if answer(s); s.Err() != nil {
		t.Error(s.Err())
	}
}

// A disk that was slow for a while is read again.
func TestSlowDiskIsTriedAgain(t *testing.T) {
	b := blocks{took: 1}
	tried := 0
	for range 200 {
		if !b.slower(1, 10*time.Millisecond) {
			tried++
		}
	}
	if tried == 0 || tried > 190 {
		t.Errorf("it is read %d times of 200 that reading was a hundred times slower than evaluating", tried)
	}
}

// What was found only grows, also where a file turns out to be bad.
func TestHitsOnlyGrow(t *testing.T) {
	m, opt := open(t), Options{CacheDir: t.TempDir()}
	e := start(t, m, opt)
	prompt := tokens(1, 4*blockTokens)
	ask(t, e, greedy(prompt, 5))
	drain(t, e)
	e = start(t, m, opt)
	ask(t, e, greedy(prompt[:100], 1))
	name := mustChain(t, m, "").names(prompt)[1]
	if err := os.WriteFile(filepath.Join(e.opt.CacheDir, name), []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := e.Stats().CacheHits
	u := run(t, e, greedy(prompt, 5))
	if n := e.Stats().CacheHits; n < before || n != before+int64(u.CachedTokens) {
		t.Errorf("%d tokens were found, then %d, of the last request %d", before, n, u.CachedTokens)
	}
}
