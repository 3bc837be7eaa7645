package mpt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"

	"mptgo/internal/check"
	"mptgo/mpt/tokenizer"
)

// anyTokens has control tokens in a text recognised.
var anyTokens = tokenizer.EncodeOptions{ParseSpecial: true, AddSpecial: true}

// FuzzLoad opens files with any header as a model, and runs what opens. The weights
// are left out of the input, since nothing can be wrong with most of them.
func FuzzLoad(f *testing.F) {
	seed := func(m miniature) {
		for i := range m.Data {
			m.Data[i] = make([]byte, len(m.Data[i]))
		}
		b := m.File(f)
		f.Add(bytes.TrimRight(b, "\x00"), uint32(len(b)))
	}
	seed(mini())
	seed(mini().set("mpt.block_count", uint32(1<<12)))
	seed(mini().set("mpt.attention.max_alibi_bias", float32(0)).set("mpt.rope.freq_base", float32(1e4)).set("mpt.rope.scaling.type", "dynamic"))
	seed(mini().set("mpt.ext.window", []int32{3}).set("mpt.attn_logit_softcapping", float32(1)).set("mpt.ext.activation", "silu"))
	seed(mini().set("tokenizer.ggml.merges", []string{"a b"}).set("tokenizer.ggml.add_bos_token", true))
	zeros := make([]byte, 32<<10)
	f.Fuzz(func(t *testing.T, head []byte, seed uint32) {
		b := append(bytes.Clone(head), zeros...)
		check.Bounded(t, len(b), func() { tryModel(t, b) })
		// A random change of a byte keeps more of the structure than most mutations of
		// the fuzzer do. The keys of the model lie before the names of the tokens.
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		b[r.IntN(min(len(head)+1, 1000))] ^= byte(1 << r.IntN(8))
		b[r.IntN(len(head)+1)] ^= byte(1 << r.IntN(8))
		check.Bounded(t, len(b), func() { tryModel(t, b) })
	})
}

// TestFlippedModels runs models with a few bytes of their headers changed.
func TestFlippedModels(t *testing.T) {
	b := mini().File(t)
	r := rand.New(rand.NewPCG(7, 7))
	n, ran := 3000, 0
	if testing.Short() {
		n = 300
	}
	for range n {
		c := bytes.Clone(b)
		for range 1 + r.IntN(3) {
			// Half of the changes before the tokens, which take most of the header.
			at := r.IntN(600)
			if r.IntN(2) == 0 {
				at = r.IntN(9000)
			}
			c[at] ^= byte(1 << r.IntN(8))
		}
		check.Bounded(t, len(c), func() {
			if tryModel(t, c) {
				ran++
			}
		})
	}
	if ran < n/20 || ran > n/2 {
		t.Errorf("%d of %d models ran: the test sees little", ran, n)
	}
}

// tryModel opens a file and, if that goes well, generates with it.
func tryModel(t *testing.T, b []byte) (ran bool) {
	m, err := loaded(b)
	if err != nil {
		return false
	}
	defer m.Close()
	s, err := m.NewSession(ContextSize(16))
	if err != nil {
		return false // learned positions for fewer
	}
	defer s.Close()
	ids := m.Tokenizer().Encode("Hello \x00 <|endoftext|>", anyTokens)
	if err := s.Eval(context.Background(), ids[:min(len(ids), 12)]); err != nil {
		t.Fatal(err)
	}
	for tok, err := range s.Generate(context.Background(), GenerateOptions{MaxTokens: 3}) {
		if err != nil {
			break // logits that are not numbers
		}
		if int(tok.ID) >= m.Config().Vocab {
			t.Fatalf("token %d of %d", tok.ID, m.Config().Vocab)
		}
	}
	if err := s.Save(io.Discard); err != nil {
		t.Fatal(err)
	}
	return true
}

// FuzzRestore restores sessions with any content: compressing it here leads the
// fuzzer past the checksum. A second reading takes the input as the whole file.
func FuzzRestore(f *testing.F) {
	m := mini().open(f)
	s := m.session(f, ContextSize(40))
	if err := s.Eval(context.Background(), []int32{1, 2, 3}); err != nil {
		f.Fatal(err)
	}
	for _, content := range [][]byte{contentOf(f, s), contentOf(f, m.session(f)), make([]byte, 45)} {
		f.Add(content)
	}
	var whole bytes.Buffer
	if err := s.Save(&whole); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	// The first 32 bytes are the fingerprint of this model, whose absence would end
	// every attempt at once.
	print, err := m.fingerprint()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		content := append(print[:], b[min(len(b), len(print)):]...)
		for _, file := range [][]byte{b, sessionOf(content)} {
			check.Bounded(t, len(file), func() { tryRestore(t, m, file) })
		}
	})
}

// tryRestore restores a session and, if that goes well, continues it.
func tryRestore(t *testing.T, m *Model, file []byte) {
	s, err := m.NewSession(ContextSize(40))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Restore(bytes.NewReader(file)); err != nil {
		if !errors.Is(err, ErrSession) || s.Len() != 0 {
			t.Fatalf("%v, and %d tokens", err, s.Len())
		}
		return
	}
	if s.Len() > s.ContextSize() || len(s.Tokens()) != s.Len() {
		t.Fatalf("%d tokens in a context of %d", s.Len(), s.ContextSize())
	}
	if s.Len() < s.ContextSize() {
		if err := s.Eval(context.Background(), []int32{5}); err != nil {
			t.Fatal(err)
		}
	}
}

// contentOf returns what a saved session holds before it is compressed.
func contentOf(t testing.TB, s *Session) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sessionOf returns the file with the given content.
func sessionOf(content []byte) []byte {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	return z.EncodeAll(content, []byte(sessionMagic))
}

// TestRestoreHostile has saved sessions whose checksum is right and whose content is
// not.
func TestRestoreHostile(t *testing.T) {
	m := mini().open(t)
	s := m.session(t, ContextSize(maxContext))
	if err := s.Eval(context.Background(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	good := contentOf(t, s)
	change := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"nothing", nil, "EOF"},
		{"head only", good[:44], "EOF"},
		{"another model", change(0, ^good[0]), "a different model"},
		{"another cache", change(32, 2), "of the types Q4_0 and F16"},
		{"another cache of values", change(36, 2), "of the types F16 and Q4_0"},
		{"a cache of no type", change(32, 255), "of the types type(255) and F16"},
		{"more tokens than there are", change(40, 255, 255, 255), "EOF"},
		{"more tokens than the context", change(40, 255, 255, 255, 255), "do not fit into a context"},
		{"a token below the vocabulary", change(44, 255, 255, 255, 255), "token -1"},
		{"a token beyond the vocabulary", change(48, 1, 1), "token 257"},
		{"logits of no token", append(append(bytes.Clone(good[:40]), 0, 0, 0, 0), good[56:]...), "no token that they would belong to"},
		{"half of the cache", good[:len(good)-100], "EOF"},
		{"more than a session", append(bytes.Clone(good), 0), "more in it than a session"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := m.session(t, ContextSize(maxContext))
			check.Bounded(t, len(c.content), func() {
				err := s.Restore(bytes.NewReader(sessionOf(c.content)))
				if !errors.Is(err, ErrSession) || !bytes.Contains([]byte(err.Error()), []byte(c.want)) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
			if s.Len() != 0 || s.Logits() != nil {
				t.Error("what was refused changed the session")
			}
		})
	}
	if err := m.session(t).Restore(bytes.NewReader(sessionOf(good))); err != nil {
		t.Errorf("the original: %v", err)
	}
}

// TestRestoreBomb has streams that would take more memory than they may: of zeros
// without end, of tokens whose keys and values are missing, and with a window of two
// gigabytes.
func TestRestoreBomb(t *testing.T) {
	m := mini().open(t)
	print, err := m.fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	zeros := append(append(print[:], 1, 0, 0, 0, 1, 0, 0, 0), make([]byte, 100<<20)...)
	window := []byte(sessionMagic + "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00") // frame header: 2^(10+21) bytes
	const n = 1 << 22
	tokens := append(append(print[:], 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, n>>16, 0), make([]byte, 4*n+1)...)
	for _, file := range [][]byte{sessionOf(zeros), sessionOf(tokens), window} {
		s := m.session(t, ContextSize(maxContext))
		check.Bounded(t, len(file), func() {
			if err := s.Restore(bytes.NewReader(file)); !errors.Is(err, ErrSession) {
				t.Errorf("%d bytes: %v", len(file), err)
			}
		})
	}
}

// TestRestoredNaN continues from a cache of what is not a number: that must be seen.
func TestRestoredNaN(t *testing.T) {
	m := mini().open(t)
	s := m.session(t)
	if err := s.Eval(context.Background(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	content := contentOf(t, s)
	for i := range content[44+12+1+4*257:] {
		content[44+12+1+4*257+i] = 0xff
	}
	if err := s.Restore(bytes.NewReader(sessionOf(content))); err != nil {
		t.Fatal(err)
	}
	if err := s.Eval(context.Background(), []int32{4}); err != nil {
		t.Fatal(err)
	}
	if x := s.Logits()[0]; !math.IsNaN(float64(x)) {
		t.Errorf("logit %v", x)
	}
	for _, err := range s.Generate(context.Background(), GenerateOptions{MaxTokens: 1}) {
		if err == nil {
			t.Error("a token was chosen")
		}
	}
}
