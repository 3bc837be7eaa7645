package grammar

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"mptgo/internal/check"
)

// neoX returns the vocabulary of GPT-NeoX, 50,277 tokens, whose bytes are written as characters.
func neoX(b *testing.B) *Vocabulary {
	b.Helper()
	text, err := os.ReadFile(check.Shared(b, "testdata", "tokenizer", "gpt-neox-20b.tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	var file struct {
		Model struct{ Vocab map[string]int }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		b.Fatal(err)
	}
	byteOf, next := map[rune]byte{}, rune(256)
	for c := range rune(256) {
		switch {
		case c >= '!' && c <= '~', c >= 0xa1 && c <= 0xac, c >= 0xae:
			byteOf[c] = byte(c)
		default:
			byteOf[next] = byte(c)
			next++
		}
	}
	tokens := make([]string, 50_432)
	for word, id := range file.Model.Vocab {
		var bytes []byte
		for _, r := range word {
			bytes = append(bytes, byteOf[r])
		}
		tokens[id] = string(bytes)
	}
	tokens[0] = ""
	return NewVocabulary(tokens)
}

// BenchmarkSchemaMask writes texts of all cases, with random tokens and with those of their
// valid texts, and measures what a token costs: with grammars that are new, and again.
func BenchmarkSchemaMask(b *testing.B) {
	v := neoX(b)
	cases := schemaCases(b)
	for b.Loop() {
		grammars := make([]*Grammar, len(cases))
		var compile []time.Duration
		for i, x := range cases {
			from := time.Now()
			g, err := ParseSchema(string(x.Schema))
			if err != nil {
				b.Fatal(err)
			}
			compile = append(compile, time.Since(from))
			grammars[i] = g
		}
		report(b, "compile", compile)
		for _, kind := range []string{"cold", "warm"} {
			var times []time.Duration
			for i, x := range cases {
				for _, text := range x.Valid {
					times = append(times, follow(b, grammars[i], v, text)...)
				}
			}
			report(b, kind, times)
		}
		r := rand.New(rand.NewPCG(1, 2))
		for _, kind := range []string{"random-cold", "random-warm"} {
			var times []time.Duration
			for _, g := range grammars {
				for range 4 {
					times = append(times, wander(b, g, v, r)...)
				}
			}
			report(b, kind, times)
		}
	}
}

func report(b *testing.B, name string, times []time.Duration) {
	sum := time.Duration(0)
	for _, t := range times {
		sum += t
	}
	slices.Sort(times)
	micro := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	b.ReportMetric(micro(sum)/float64(len(times)), name+"-mean-us")
	b.ReportMetric(micro(times[len(times)*99/100]), name+"-p99-us")
	b.ReportMetric(micro(times[len(times)-1]), name+"-max-us")
}

// follow measures the masks of a text, read in the longest tokens.
func follow(b *testing.B, g *Grammar, v *Vocabulary, text string) (times []time.Duration) {
	m := g.Matcher(v, []int32{0})
	allowed := make([]uint64, (v.size+63)/64)
	for rest := text; ; {
		for i := range allowed {
			allowed[i] = ^uint64(0)
		}
		from := time.Now()
		if err := m.Allow(allowed); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(from))
		if rest == "" {
			return times
		}
		id := longest(v, rest, allowed)
		if err := m.Accept(id); err != nil {
			b.Fatal(text, rest, err)
		}
		rest = rest[len(v.bytes[id]):]
	}
}

// longest returns the longest token that a text begins with and that may follow.
func longest(v *Vocabulary, rest string, allowed []uint64) int32 {
	id := int32(-1)
	for _, t := range []*tree{&v.ordinary, &v.special} {
		for at, i := int32(0), 0; i < len(rest); i++ {
			if at = t.child(at, rest[i]); at < 0 {
				break
			}
			n := t.nodes[at]
			for _, x := range t.tokens[n.token : n.token+n.more] {
				if allowed[x/64]>>(x%64)&1 != 0 && (id < 0 || len(v.bytes[x]) > len(v.bytes[id])) {
					id = x
				}
			}
		}
	}
	return id
}

// wander measures the masks of a text of random tokens.
func wander(b *testing.B, g *Grammar, v *Vocabulary, r *rand.Rand) (times []time.Duration) {
	m := g.Matcher(v, []int32{0})
	allowed := make([]uint64, (v.size+63)/64)
	for range 60 {
		for i := range allowed {
			allowed[i] = ^uint64(0)
		}
		from := time.Now()
		if err := m.Allow(allowed); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(from))
		var may []int32
		for id := range int32(v.size) {
			if allowed[id/64]>>(id%64)&1 != 0 {
				may = append(may, id)
			}
		}
		id := may[r.IntN(len(may))]
		if id == 0 {
			return times
		}
		if err := m.Accept(id); err != nil {
			b.Fatal(err)
		}
	}
	return times
}
