package serve_test

import (
	"context"
	"fmt"
	"log"

	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
	"mptgo/mpt/tokenizer"
)

// Many goroutines may do this at the same time; each gets what it would get alone.
func Example() {
	m, err := builtin.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	e, err := serve.New(m, serve.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	s, err := e.Submit(context.Background(), serve.Request{
		Prompt:    m.Tokenizer().Encode("Once upon a time", tokenizer.EncodeOptions{AddSpecial: true}),
		MaxTokens: 12,
		Logprobs:  -1, // none; the zero value of Params is greedy
	})
	if err != nil {
		log.Fatal(err)
	}
	for ev, ok := s.Next(); ok; ev, ok = s.Next() {
		fmt.Print(ev.Token.Text)
	}
	// Output: , there was a little girl named Lily. She loved to
}
