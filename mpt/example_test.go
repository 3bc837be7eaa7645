package mpt_test

import (
	"context"
	"fmt"
	"log"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/tokenizer"
)

// Continue a text with the model that is built in. For another model, replace
// builtin.Open() by mpt.Open("model.gguf").
func Example() {
	m, err := builtin.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	ctx := context.Background()
	prompt := m.Tokenizer().Encode("Once upon a time", tokenizer.EncodeOptions{})
	if err := s.Eval(ctx, prompt); err != nil {
		log.Fatal(err)
	}
	for tok, err := range s.Generate(ctx, mpt.GenerateOptions{MaxTokens: 20}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(tok.Text)
	}
	// Output: , there was a little girl named Lily. She loved to play with her toys and eat tasty food
}
