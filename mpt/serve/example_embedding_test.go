package serve_test

import (
	"context"
	"fmt"
	"log"

	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
	"mptgo/mpt/tokenizer"
)

// Make a vector of a text.
func Example_embedding() {
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
		Prompt:  m.Tokenizer().Encode("A cat sat on a mat.", tokenizer.EncodeOptions{}),
		Pooling: serve.MeanPooling,
	})
	if err != nil {
		log.Fatal(err)
	}
	for ev, ok := s.Next(); ok; ev, ok = s.Next() {
		if ev.Embedding != nil {
			fmt.Println(len(ev.Embedding) == m.Config().Embedding)
		}
	}
	// Output: true
}
