package mpt_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/tokenizer"
)

// Guesses by the text pay where a text copies, and cost next to nothing where it does not. Steps
// are not run here: they take what a table says for their rows, of which the first is 1.
func TestLookupPays(t *testing.T) {
	machines := map[string][]float64{
		"reads": line(1, 0.02), "two cores": line(1.2, 0.11), "slow beyond two": {1, 1.05, 2, 3, 4, 5, 6, 7}, "computes": line(2, 1),
	}
	for _, x := range lookupTexts(t) {
		for name, cost := range machines {
			got := mpt.SimulateLookup(x.prompt, x.answer, cost)
			least := 0.97
			if x.copies && name != "computes" {
				least = map[string]float64{"reads": 5, "two cores": 2, "slow beyond two": 1.5}[name]
			}
			t.Logf("%s, %s: %.2f times as fast", x.name, name, got)
			if got < least {
				t.Errorf("%s, %s: %.2f times as fast, want at least %.2f", x.name, name, got, least)
			}
		}
	}
}

// line returns the costs of 1 to 20 rows: second for two, more for each that follows.
func line(second, more float64) []float64 {
	cost := []float64{1}
	for i := range 19 {
		cost = append(cost, second+more*float64(i))
	}
	return cost
}

// lookupText is a prompt and its answer.
type lookupText struct {
	name           string
	prompt, answer []int32
	copies         bool
}

func lookupTexts(t *testing.T) []lookupText {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]int32, 800)
	for i := range noise {
		noise[i] = int32(r.IntN(60)) // pairs come again often
	}
	texts := []lookupText{{"noise", noise[:200], noise[200:], false}, {"noise again", noise[:400], noise[:400], true}}
	file, err := os.ReadFile(check.Shared(t, "eval", "valid.txt"))
	if err != nil {
		t.Fatal(err)
	}
	m := opened(t, converted(t, stories(t), "BF16"))
	for i := range 4 {
		ids := m.Tokenizer().Encode(string(file[20_000*i:][:6000]), tokenizer.EncodeOptions{})
		edited := slices.Clone(ids[:400])
		for k := 30; k < len(edited); k += 40 {
			edited[k] = ids[500+k] // a word is changed here and there
		}
		texts = append(texts, lookupText{"a story", ids[:100], ids[100:500], false}, lookupText{"a story edited", ids[:400], edited, true})
	}
	return texts
}
