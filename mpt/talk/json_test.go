package talk_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/talk"
	"mptgo/sampling"
)

// animal is what a question asks for.
type animal struct {
	Name  string   `json:"name"`
	Legs  uint8    `json:"legs"`
	Wild  bool     `json:"wild"`
	Eats  []string `json:"eats"`
	Owner *struct {
		Age int `json:"age"`
	} `json:"owner,omitempty"`
}

func conversation(t testing.TB) *talk.Conversation {
	t.Helper()
	m, err := builtin.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c, err := talk.New(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hot returns options that choose tokens nearly at random.
func hot(t *testing.T, seed uint64) mpt.GenerateOptions {
	t.Helper()
	p := sampling.DefaultParams()
	p.Temp, p.TopK, p.TopP, p.MinP, p.Seed = 1.5, 0, 1, 0, seed
	chain, err := sampling.New(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return mpt.GenerateOptions{Sampler: chain, MaxTokens: 120}
}

// An answer is a value of the type that was asked for, whatever tokens are chosen, and the
// conversation goes on behind it.
func TestJSON(t *testing.T) {
	c := conversation(t)
	whole := 0
	for seed := range uint64(12) {
		a, err := talk.JSON[animal](t.Context(), c, "Tell me about an animal.", hot(t, seed))
		if errors.Is(err, talk.ErrCutOff) {
			continue
		}
		text := c.Turns()[len(c.Turns())-1].Answer
		var all map[string]any
		if e := json.Unmarshal([]byte(text), &all); err != nil || e != nil || all["eats"] == nil && !strings.Contains(text, "null") {
			t.Errorf("seed %d: %v, %v: %s", seed, err, e, text)
		}
		if a.Name != all["name"] {
			t.Errorf("%+v of %s", a, text)
		}
		whole++
	}
	if whole == 0 {
		t.Error("all answers were cut off")
	}
	if _, err := talk.JSON[chan int](t.Context(), c, "?"); err == nil || !strings.Contains(err.Error(), "chan int") {
		t.Errorf("a channel: %v", err)
	}
	type odd struct {
		When time.Time
		Raw  json.RawMessage
		N    json.Number
		Big  *big.Int
		From netip.Addr
		Long []int64
		Map  map[string]uint64
		Fix  [2]uint16
	}
	for seed := range uint64(6) {
		if _, err := talk.JSON[odd](t.Context(), c, "?", hot(t, seed)); err != nil && !errors.Is(err, talk.ErrCutOff) {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if _, err := c.Obey(t.Context(), "?", `{"not":{}}`); err == nil || !strings.Contains(err.Error(), "/not") {
		t.Errorf("a schema that is not kept: %v", err)
	}
	if _, err := talk.JSON[animal](t.Context(), c, "?", mpt.GenerateOptions{MaxTokens: 3}); !errors.Is(err, talk.ErrCutOff) {
		t.Errorf("three tokens: %v", err)
	}
}
