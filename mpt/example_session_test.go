package mpt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/tokenizer"
)

// begun returns the built-in model, and a session that has read a text.
func begun(text string) (*mpt.Model, *mpt.Session) {
	m, err := builtin.Open()
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Eval(context.Background(), m.Tokenizer().Encode(text, tokenizer.EncodeOptions{})); err != nil {
		log.Fatal(err)
	}
	return m, s
}

// written returns what a session continues with.
func written(s *mpt.Session, tokens int) (text string) {
	for tok, err := range s.Generate(context.Background(), mpt.GenerateOptions{MaxTokens: tokens}) {
		if err != nil {
			log.Fatal(err)
		}
		text += tok.Text
	}
	return text
}

// Try several continuations of a prompt that is evaluated once.
func ExampleSession_Fork() {
	m, s := begun("Once upon a time there was a")
	defer m.Close()
	defer s.Close()
	for _, animal := range []string{" cat", " dog"} {
		f, err := s.Fork()
		if err != nil {
			log.Fatal(err)
		}
		if err := f.Eval(context.Background(), m.Tokenizer().Encode(animal, tokenizer.EncodeOptions{})); err != nil {
			log.Fatal(err)
		}
		fmt.Println("a" + animal + written(f, 8))
		f.Close()
	}
	// Output:
	// a cat called Tom. Tom was always very fearful
	// a dog called Oliver. Oliver played in the garden
}

// Keep a session in a file, and go on with it later without reading its text again.
func ExampleSession_Save() {
	m, s := begun("Once upon a time there was a little girl.")
	defer m.Close()
	defer s.Close()
	var file bytes.Buffer // an *os.File as well
	if err := s.Save(&file); err != nil {
		log.Fatal(err)
	}

	later, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer later.Close()
	if err := later.Restore(&file); err != nil {
		log.Fatal(err) // errors.Is(err, mpt.ErrSession): of another model, or damaged
	}
	fmt.Println(later.Len(), "tokens:", written(later, 8))
	// Output: 10 tokens:  She was very happy and she had an
}

// Generate token by token, and learn why the text ended.
func ExampleGeneration() {
	m, s := begun("Once upon a time")
	defer m.Close()
	defer s.Close()
	g, err := s.NewGeneration(mpt.GenerateOptions{Stop: []string{"."}, MaxTokens: 100})
	if err != nil {
		log.Fatal(err)
	}
	for tok, ok := g.Next(context.Background()); ok; tok, ok = g.Next(context.Background()) {
		fmt.Print(tok.Text)
	}
	fmt.Printf("\n%d tokens, ended by %q\n", g.Tokens(), g.Why())
	// Output:
	// , there was a little girl named Lily
	// 9 tokens, ended by "stop"
}

// Evaluate two sessions in one pass over the weights.
func ExampleModel_Run() {
	m, cat := begun("The cat")
	defer m.Close()
	defer cat.Close()
	dog, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer dog.Close()
	encode := func(text string) []int32 { return m.Tokenizer().Encode(text, tokenizer.EncodeOptions{}) }
	steps := []mpt.Step{
		{Session: cat, IDs: encode(" saw a")},
		{Session: dog, IDs: encode("The dog wanted to")},
	}
	if err := m.Run(context.Background(), steps); err != nil {
		log.Fatal(err)
	}
	fmt.Println("cat:", written(cat, 5))
	fmt.Println("dog:", written(dog, 5))
	// Output:
	// cat:  big box. The cat
	// dog:  play too. He jumped
}

// Tell a model that needs more memory than there is from other errors.
func ExampleMemoryError() {
	m, err := builtin.Open(mpt.MemoryBudget(60 << 20))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	_, err = m.NewSession(mpt.ContextSize(1 << 20))
	if memory := (*mpt.MemoryError)(nil); errors.As(err, &memory) {
		fmt.Println(memory.Fits < memory.Context)
	}
	// Output: true
}

// Use a LoRA adapter in one session. Here it is one that changes nothing, made on the spot; see
// package tune for how to train one.
func ExampleModel_LoadAdapter() {
	m, s := begun("")
	defer m.Close()
	defer s.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "adapter.gguf")
	if err := writeAdapter(path, m.Config().Embedding); err != nil {
		log.Fatal(err)
	}

	a, err := m.LoadAdapter(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.SetAdapters(mpt.AdapterUse{Adapter: a, Scale: 1}); err != nil {
		log.Fatal(err)
	}
	rank, _ := a.Ranks()
	fmt.Printf("%d matrix of rank %d, in %d session\n", a.Matrices(), rank, len(s.Adapters()))
	// Output: 1 matrix of rank 1, in 1 session
}

// writeAdapter writes an adapter of rank 1 of a square matrix: B, and with it the change, is 0.
func writeAdapter(path string, width int) error {
	b, err := gguf.Encode([]gguf.KV{
		{Key: "general.architecture", Value: mpt.Architecture}, {Key: "general.type", Value: "adapter"},
		{Key: "adapter.type", Value: "lora"}, {Key: "adapter.lora.alpha", Value: float32(1)},
	}, []gguf.TensorInfo{
		{Name: "blk.0.attn_output.weight.lora_a", Type: gguf.F32, Shape: []int{width, 1}},
		{Name: "blk.0.attn_output.weight.lora_b", Type: gguf.F32, Shape: []int{1, width}},
	}, [][]byte{make([]byte, 4*width), make([]byte, 4*width)})
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}
