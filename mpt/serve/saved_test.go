package serve

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mptgo/internal/forge"
	"mptgo/mpt"
)

// savedOf saves a sequence.
func savedOf(t testing.TB, e *Engine, x Sequence) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Save(context.Background(), x, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A sequence that was saved is found by another engine, whole, for requests with its salt, and
// the answers are the same bits. It does not matter what the cache still had of it.
func TestSaveAndRestore(t *testing.T) {
	m := open(t)
	r := greedy(tokens(1, 100), 12)
	r.Logprobs, r.Salt = 3, "pepper"
	e := start(t, m, Options{})
	want := ask(t, e, r)
	x := Sequence{Tokens: r.Prompt, Salt: r.Salt}
	b := savedOf(t, e, x)
	if s := e.Stats(); s.PromptTokens != 100 {
		t.Errorf("%d tokens were evaluated: the cache had them", s.PromptTokens)
	}
	if again := savedOf(t, start(t, m, Options{CacheBytes: -1}), x); !bytes.Equal(again, b) {
		t.Error("evaluated anew, another file")
	}
	other := start(t, m, Options{})
	got, err := other.Restore(context.Background(), bytes.NewReader(b))
	if err != nil || !slices.Equal(got.Tokens, r.Prompt) || got.Salt != "pepper" {
		t.Fatalf("%d tokens, salt %q, %v", len(got.Tokens), got.Salt, err)
	}
	if answer := ask(t, other, r); answer != want {
		t.Errorf("another answer: %s", difference(want, answer))
	}
	if s := other.Stats(); s.PromptTokens != 0 || s.CacheHits != 100 {
		t.Errorf("%d tokens were evaluated, %d found", s.PromptTokens, s.CacheHits)
	}
	r.Salt = ""
	if u := run(t, other, r); u.CachedTokens != 0 {
		t.Errorf("without its salt %d tokens were found", u.CachedTokens)
	}
}

// A sequence of adapters is for requests with the same ones at the same scales.
func TestSaveWithAdapters(t *testing.T) {
	m := open(t)
	path := filepath.Join(t.TempDir(), "adapter.gguf")
	if err := os.WriteFile(path, forge.NewMiniAdapter().File(t), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := m.LoadAdapter(path)
	if err != nil {
		t.Fatal(err)
	}
	x := Sequence{Tokens: tokens(1, 50), Adapters: []mpt.AdapterUse{{Adapter: a, Scale: 0.5}}}
	b := savedOf(t, start(t, m, Options{}), x)
	if _, err := start(t, m, Options{}).Restore(context.Background(), bytes.NewReader(b)); !errors.Is(err, mpt.ErrSession) {
		t.Errorf("an engine without the adapter: %v", err)
	}
	with := open(t, mpt.LoRA(a.Path(), 1))
	e := start(t, with, Options{})
	got, err := e.Restore(context.Background(), bytes.NewReader(b))
	if err != nil || len(got.Adapters) != 1 || got.Adapters[0].Scale != 0.5 {
		t.Fatalf("%v %v", got.Adapters, err)
	}
	r := greedy(x.Tokens, 1)
	if u := run(t, e, r); u.CachedTokens != 0 {
		t.Errorf("with another scale %d tokens were found", u.CachedTokens)
	}
	r.Adapters = got.Adapters
	if u := run(t, e, r); u.CachedTokens != 50 {
		t.Errorf("with the same scale %d tokens were found", u.CachedTokens)
	}
}

// Every damage is found, and leaves nothing behind: neither memory nor a part in the cache. Some
// bits of a zstd frame say nothing about what is in it: the size of its window, for example.
func TestRestoreRefuses(t *testing.T) {
	m := open(t)
	good := savedOf(t, start(t, m, Options{}), Sequence{Tokens: tokens(1, 70), Salt: "x"})
	e := start(t, m, Options{ContextSize: 100})
	refused := func(what string, e *Engine, b []byte) {
		t.Helper()
		if x, err := e.Restore(context.Background(), bytes.NewReader(b)); !errors.Is(err, mpt.ErrSession) {
			t.Errorf("%s: %d tokens, %v", what, len(x.Tokens), err)
		}
		if s := e.Stats(); s.CachedTokens != 0 {
			t.Fatalf("%s: %d tokens in the cache", what, s.CachedTokens)
		}
	}
	for at := 0; at < len(good); at += 1 + at/40 {
		bad := slices.Clone(good)
		bad[at] ^= 1 << (at % 8)
		if x, err := e.Restore(context.Background(), bytes.NewReader(bad)); err == nil {
			if again := savedOf(t, e, x); !bytes.Equal(again, good) {
				t.Errorf("bit %d of byte %d: another sequence", at%8, at)
			}
			e.Forget(x)
			continue
		}
		refused("a bit", e, bad)
		refused("the beginning", e, good[:at])
	}
	refused("other numerics", e, withHead(t, good, func(h *savedHead) { h.Numerics++ }))
	refused("other tokens", e, withHead(t, good, func(h *savedHead) { h.Tokens++ }))
	refused("an adapter that is not there", e, withHead(t, good, func(h *savedHead) { h.Adapters = []savedAdapter{{"00", 1}} }))
	refused("more behind it", e, append(slices.Clone(good), 0))
	refused("too long", start(t, m, Options{ContextSize: 69}), good)
	refused("another type", start(t, open(t, mpt.CacheKeyType(8)), Options{}), good)
	refused("another model", start(t, open(t, mpt.Exact()), Options{}), good)
	if _, err := start(t, m, Options{CacheBytes: 2 * m.CacheBytes(1)}).Restore(context.Background(), bytes.NewReader(good)); !errors.Is(err, ErrNoCache) {
		t.Errorf("with a cache of two pages: %v", err)
	}
	if _, err := start(t, m, Options{CacheBytes: -1}).Restore(context.Background(), bytes.NewReader(good)); !errors.Is(err, ErrNoCache) {
		t.Errorf("without a cache: %v", err)
	}
	if _, err := e.Restore(context.Background(), bytes.NewReader(good)); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// withHead changes the head of a saved sequence, and its checksum.
func withHead(t *testing.T, b []byte, change func(*savedHead)) []byte {
	t.Helper()
	head, err := readHead(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	at := len(savedMagic)
	rest := b[at+4+int(binary.LittleEndian.Uint32(b[at:]))+4:]
	change(&head)
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint32([]byte(savedMagic), uint32(len(text)))
	out = binary.LittleEndian.AppendUint32(append(out, text...), crc32.Checksum(text, castagnoli))
	return append(out, rest...)
}

// slowly writes and reads after a pause, until it is told to end.
type slowly struct {
	began chan struct{}
	r     io.Reader
}

func (s *slowly) pause() {
	select {
	case s.began <- struct{}{}:
	default:
	}
	time.Sleep(20 * time.Millisecond)
}

func (s *slowly) Write(b []byte) (int, error) { s.pause(); return len(b), nil }

func (s *slowly) Read(b []byte) (int, error) { s.pause(); return s.r.Read(b[:min(len(b), 64)]) }

// Who saves and restores is told to end when the engine is closed, or when they leave.
func TestSaveIsCancelled(t *testing.T) {
	for name, opt := range map[string]Options{"in memory": {}, "on disk": {CacheDir: t.TempDir()}} {
		t.Run(name, func(t *testing.T) { testSaveIsCancelled(t, opt) })
	}
}

func testSaveIsCancelled(t *testing.T, opt Options) {
	m := open(t)
	first := start(t, m, Options{})
	file := savedOf(t, first, Sequence{Tokens: tokens(1, 250)})
	first.Close()
	for what, use := range map[string]func(context.Context, *Engine, *slowly) error{
		"save": func(ctx context.Context, e *Engine, s *slowly) error {
			return e.Save(ctx, Sequence{Tokens: tokens(2, 290)}, s)
		},
		"restore": func(ctx context.Context, e *Engine, s *slowly) error {
			s.r = bytes.NewReader(file)
			_, err := e.Restore(ctx, s)
			return err
		},
	} {
		for _, closed := range []bool{false, true} {
			e := start(t, m, opt)
			ctx, cancel := context.WithCancel(context.Background())
			s := &slowly{began: make(chan struct{}, 1)}
			done := make(chan error, 1)
			go func() { done <- use(ctx, e, s) }()
			<-s.began
			want := context.Canceled
			if closed {
				want = ErrClosed
				e.Close()
				if mem, err := m.Memory(); err != nil || mem.Cache != 0 {
					t.Errorf("%s: the engine is closed, %d bytes are in use, %v", what, mem.Cache, err)
				}
			}
			cancel()
			if err := <-done; !errors.Is(err, want) && !errors.Is(err, ErrClosed) {
				t.Errorf("%s, closed %v: %v", what, closed, err)
			}
			e.Close()
			cancel()
		}
	}
}

// Pages of a sequence that is being saved are waited for by who needs them.
func TestSaverHoldsMemory(t *testing.T) {
	m := open(t, limit(t, 1, 20))
	e := start(t, m, Options{Parallel: 1, CacheBytes: 20 * m.CacheBytes(1), ContextSize: 640})
	s := &slowly{began: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() { done <- e.Save(context.Background(), Sequence{Tokens: tokens(1, 560)}, s) }()
	<-s.began
	x, err := e.Submit(context.Background(), greedy(tokens(2, 560), 5))
	if err != nil {
		t.Fatal(err)
	}
	if answer(x); x.Err() != nil {
		t.Error(x.Err())
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What is forgotten is gone from memory and disk, but for what others begin with.
func TestForget(t *testing.T) {
	m, opt := open(t), Options{CacheDir: t.TempDir()}
	e := start(t, m, opt)
	mine := tokens(1, 3*blockTokens)
	others := append(slices.Clone(mine[:blockTokens+10]), tokens(9, blockTokens)...)
	ask(t, e, greedy(mine, 1))
	ask(t, e, greedy(others, 1))
	waitFor(t, "not on disk", func() bool { return len(files(t, opt.CacheDir)) == 4 })
	if err := e.Forget(Sequence{Tokens: mine}); err != nil {
		t.Fatal(err)
	}
	if n := len(files(t, opt.CacheDir)); n != 2 {
		t.Errorf("%d files are left, want those of the other prompt", n)
	}
	if u := run(t, e, greedy(mine, 1)); u.CachedTokens != blockTokens+10 {
		t.Errorf("%d tokens were found, want what the other prompt has", u.CachedTokens)
	}
	if err := e.Forget(Sequence{Tokens: tokens(5, 10), Salt: "nobody's"}); err != nil {
		t.Error(err)
	}
	e.Close()
	if err := e.Forget(Sequence{Tokens: mine}); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// Of what lies on disk Forget drops what the sequence alone begins with: no other salt's, and nothing
// that another sequence in memory goes on from; and what waits to be written is not.
func TestForgetOnDisk(t *testing.T) {
	m, opt := open(t), Options{CacheDir: t.TempDir()}
	e := start(t, m, opt)
	mine := tokens(1, 2*blockTokens)
	salted := greedy(mine, 1)
	salted.Salt = "other"
	ask(t, e, greedy(mine, 1))
	waitFor(t, "not on disk", func() bool { return len(files(t, opt.CacheDir)) == 2 })
	own := files(t, opt.CacheDir)
	ask(t, e, salted)
	waitFor(t, "not on disk", func() bool { return len(files(t, opt.CacheDir)) == 4 })
	if err := e.Forget(Sequence{Tokens: mine}); err != nil {
		t.Fatal(err)
	}
	left := files(t, opt.CacheDir)
	if len(left) != 2 || slices.ContainsFunc(left, func(name string) bool { return slices.Contains(own, name) }) {
		t.Errorf("%v are left of %v", left, own)
	}
	ask(t, e, greedy(mine, 1))
	waitFor(t, "not written again", func() bool { return len(files(t, opt.CacheDir)) == 4 })

	group := groupOf("", m.Adapters())
	d := disk{unsaved: []unsaved{
		{group: group, ids: mine}, {group: groupOf("other", nil), ids: mine}, {group: group, ids: mine[:blockTokens]},
		{group: group, ids: tokens(9, blockTokens)}, {group: group, ids: append(slices.Clone(mine), 1)},
	}}
	d.saving = &prefix{group: group, ids: mine}
	d.forget(group, mine)
	if len(d.unsaved) != 3 || !d.yield.Load() {
		t.Errorf("%d sequences are written, the one under way is stopped: %v", len(d.unsaved), d.yield.Load())
	}
	d.yield.Store(false)
	if d.forget(group, mine[:5]); len(d.unsaved) != 3 || d.yield.Load() {
		t.Error("what a forgotten sequence is the begin of is not written")
	}
}

func FuzzSavedHead(f *testing.F) {
	m := open(f)
	f.Add(savedOf(f, start(f, m, Options{}), Sequence{Tokens: tokens(1, 5), Salt: "x"}))
	f.Add([]byte(savedMagic + "\x02\x00\x00\x00{}\x00\x00\x00\x00"))
	e := start(f, m, Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if head, err := readHead(bytes.NewReader(b)); err == nil && (head.Tokens < 1 || head.Numerics != mpt.NumericsVersion) {
			t.Errorf("%+v", head)
		}
		x, err := e.Restore(context.Background(), bytes.NewReader(b))
		if err == nil {
			e.Forget(x)
		} else if !errors.Is(err, mpt.ErrSession) {
			t.Error(err)
		}
	})
}
