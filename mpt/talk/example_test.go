package talk_test

import (
	"context"
	"fmt"
	"log"

	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/talk"
)

// Chat with the model that is built in. For another model, replace builtin.Open() by
// mpt.Open("model.gguf").
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
	c, err := talk.New(s, nil) // in the model's own chat format
	if err != nil {
		log.Fatal(err)
	}
	answer, err := c.Say(context.Background(), "Once upon a time there was a cat.", mpt.GenerateOptions{MaxTokens: 12})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
	// Output: The cat was very silly and wouldn't play with a mouse
}
