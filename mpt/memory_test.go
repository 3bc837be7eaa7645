package mpt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mptgo/ggml"
	"mptgo/internal/sysmem"
)

// having makes a model believe that so much memory is left.
func having(bytes int64) Option {
	return func(o *options) {
		o.memory = func() (sysmem.Limit, bool) { return sysmem.Limit{Bytes: bytes, Source: "left in this test"}, true }
	}
}

// TestMemoryLimit asks for contexts around what fits, to the byte.
func TestMemoryLimit(t *testing.T) {
	m := mini().open(t)
	arena, err := m.arena()
	if err != nil {
		t.Fatal(err)
	}
	fixed := m.file.Size() + arena
	page := m.CacheBytes(1)
	if page != m.CacheBytes(ggml.PageSize) || 2*page != m.CacheBytes(ggml.PageSize+1) {
		t.Errorf("the cache does not come in pages of %d", page)
	}
	for _, c := range []struct {
		have    int64
		context int
		fits    int // -1: what is asked for
	}{
		{fixed + 3*page, 3 * ggml.PageSize, -1},
		{fixed + 3*page, 3*ggml.PageSize + 1, 3 * ggml.PageSize},
		{fixed + 3*page - 1, 3 * ggml.PageSize, 2 * ggml.PageSize},
		{fixed + page, 1 << 20, ggml.PageSize},
		{fixed + page - 1, 1, 0},
		{0, 1, 0},
		{1 << 50, maxContext, -1},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			s, err := mini().open(t, having(c.have)).NewSession(ContextSize(c.context))
			if err == nil {
				s.Close()
			}
			if c.fits < 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *MemoryError
			if !errors.As(err, &e) || e.Fits != c.fits || e.Context != c.context || e.Limit.Bytes != c.have {
				t.Fatalf("got %v, want %d that fit", err, c.fits)
			}
			for _, want := range []string{fmt.Sprintf("a context of %d tokens", c.context), "left in this test"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v lacks %q", err, want)
				}
			}
			if c.fits > 0 {
				if _, err := mini().open(t, having(c.have)).NewSession(ContextSize(c.fits + 1)); err == nil {
					t.Errorf("more than %d fit", c.fits)
				}
				mini().open(t, having(c.have)).session(t, ContextSize(c.fits))
			}
		})
	}
	mini().open(t, having(0), IgnoreMemory()).session(t)
	unknown := func(o *options) { o.memory = func() (sysmem.Limit, bool) { return sysmem.Limit{}, false } }
	mini().open(t, unknown).session(t)
}

// TestMemoryEstimate compares the estimate with what is then allocated.
func TestMemoryEstimate(t *testing.T) {
	for _, opts := range [][]Option{nil, {Exact()}, {BatchSize(100)}, {BatchSize(1), Tier("generic")}} {
		m := mini().open(t, opts...)
		arena, err := m.arena()
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.newRunner(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := int64(r.exec.Bytes()); got != arena {
			t.Errorf("%d bytes of activations, %d were announced", got, arena)
		}
		c := m.newCache()
		if err := c.prepare(0, 1000); err != nil {
			t.Fatal(err)
		}
		defer c.truncate(0)
		var bytes int64
		for _, kv := range c.layers {
			bytes += int64(kv.Pages()) * int64(kv.PageBytes())
		}
		if want := m.CacheBytes(1000); bytes != want {
			t.Errorf("%d bytes of keys and values, %d were announced", bytes, want)
		}
	}
}

// TestMemoryAccount: sessions take pages from one account, as tokens come. Who finds it
// empty is told so, keeps what it has, and goes on when others have given theirs back.
func TestMemoryAccount(t *testing.T) {
	probe := mini().open(t)
	arena, err := probe.arena()
	if err != nil {
		t.Fatal(err)
	}
	page := probe.CacheBytes(1)
	m := mini().open(t, having(probe.file.Size()+arena+4*page))
	a, b := m.session(t), m.session(t) // of 64 tokens each
	eval := func(s *Session, n int) error { return s.Eval(context.Background(), make([]int32, n)) }
	if err := errors.Join(eval(a, 64), eval(b, 32)); err != nil {
		t.Fatal(err)
	}
	f, err := a.Fork()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(40); err != nil {
		t.Fatal(err)
	}
	steps := []Step{{Session: b, IDs: []int32{1}}, {Session: f, IDs: []int32{2}}}
	if err := m.Run(context.Background(), steps); err != nil {
		t.Fatal(err)
	}
	var full *MemoryError
	if steps[0].Err != nil || !errors.As(steps[1].Err, &full) || full.Context != 41 || full.Others != 2*page || full.Fits != 64 || f.Len() != 40 {
		t.Fatalf("%v, %+v, %d tokens", steps[0].Err, steps[1].Err, f.Len())
	}
	if _, err := m.NewSession(ContextSize(33)); !errors.As(err, &full) || full.Others != 4*page || full.Fits != 0 {
		t.Errorf("%v, %+v", err, full)
	}
	if used, err := m.Memory(); err != nil || used.Cache != 4*page || used.CacheLimit != 4*page || used.Activations != arena {
		t.Errorf("%+v, %v", used, err)
	}
	a.Close() // the page that f begins to write to is its own now
	if err := eval(f, 1); err != nil || f.Len() != 41 {
		t.Errorf("%v, %d tokens", err, f.Len())
	}
	b.Close()
	f.Close()
	if n := m.pages.inUse(); n != 0 || len(m.pages.free) != 0 {
		t.Errorf("%d bytes in use, %d pages kept", n, len(m.pages.free))
	}
}

// TestMemoryOfRestore: pages are taken as their bytes come. A file that ends early is the
// file's fault, whatever it promised; one that is whole and does not fit is not.
func TestMemoryOfRestore(t *testing.T) {
	probe := mini().open(t)
	arena, err := probe.arena()
	if err != nil {
		t.Fatal(err)
	}
	m := mini().open(t, having(probe.file.Size()+arena+2*probe.CacheBytes(1)))
	s := evaluated(t, m, make([]int32, 40)...)
	var file bytes.Buffer
	if err := s.Save(&file); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	if err := s.Truncate(20); err != nil {
		t.Fatal(err)
	}
	s.logits[0] = 7
	f := newSessionOf(t, m, 64)
	defer f.Close()
	for want, b := range map[error][]byte{ErrSession: shortened(t, whole), nil: whole} {
		err := f.Restore(bytes.NewReader(b))
		full := (*MemoryError)(nil)
		if err == nil || errors.Is(err, ErrSession) != (want != nil) || errors.As(err, &full) != (want == nil) || f.Len() != 0 {
			t.Errorf("want %v: %v, %d tokens", want, err, f.Len())
		}
	}
	if m.pages.inUse() != probe.CacheBytes(1) {
		t.Errorf("%d bytes are in use after that", m.pages.inUse())
	}
}

// shortened returns a saved session that ends in the keys of its first page.
func shortened(t *testing.T, file []byte) []byte {
	t.Helper()
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	body, err := z.DecodeAll(file[len(sessionMagic):], nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	const head = 32 + 4 + 4 + 4 + 40*4 + 1 + 257*4
	return w.EncodeAll(body[:head+100], []byte(sessionMagic))
}
