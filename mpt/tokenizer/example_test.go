package tokenizer_test

import (
	"fmt"
	"log"

	"mptgo/mpt/builtin"
	"mptgo/mpt/tokenizer"
)

// stories returns the tokenizer of the built-in model.
func stories() *tokenizer.Tokenizer {
	f, err := builtin.File() // or gguf.Open("model.gguf")
	if err != nil {
		log.Fatal(err)
	}
	t, err := tokenizer.FromGGUF(f)
	if err != nil {
		log.Fatal(err)
	}
	return t
}

// Turn a text into tokens and back.
func Example() {
	t := stories()
	ids := t.Encode("Once upon a time", tokenizer.EncodeOptions{})
	for _, id := range ids {
		fmt.Printf("%q\n", t.Text(id))
	}
	fmt.Println(t.Decode(ids))
	// Output:
	// "Once"
	// " upon"
	// " a"
	// " time"
	// Once upon a time
}

// Text from users never becomes control tokens unless it is asked for.
func ExampleEncodeOptions() {
	t := stories()
	text := "<|endoftext|>"
	fmt.Println(len(t.Encode(text, tokenizer.EncodeOptions{})) > 1)
	fmt.Println(len(t.Encode(text, tokenizer.EncodeOptions{ParseSpecial: true})))
	// Output:
	// true
	// 1
}

// Decode tokens as they come: a character that spans several is held back until it is whole.
func ExampleDecoder() {
	t := stories()
	d := t.NewDecoder(tokenizer.DecodeOptions{})
	for _, id := range t.Encode("a 🐈!", tokenizer.EncodeOptions{}) {
		fmt.Printf("%q ", d.Next(id))
	}
	fmt.Printf("%q\n", d.Flush())
	// Output: "a" " " "" "" "" "🐈" "!" ""
}
