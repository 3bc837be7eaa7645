package chat_test

import (
	"fmt"
	"log"

	"mptgo/mpt/chat"
)

// Write a conversation in a format that is known by name. Special pieces are control tokens.
func ExampleFormat_Render() {
	f, err := chat.Named("chatml")
	if err != nil {
		log.Fatal(err)
	}
	f = f.WithSystem("You tell stories.")
	pieces, err := f.Render([]chat.Message{{Role: chat.User, Content: "Hello!"}}, true)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range pieces {
		fmt.Print(p.Text)
	}
	fmt.Println()
	// Output:
	// <|im_start|>system
	// You tell stories.<|im_end|>
	// <|im_start|>user
	// Hello!<|im_end|>
	// <|im_start|>assistant
}

// A model's template tells its format; one that is not known by name is run as it is. For a
// model that is open, talk.Model returns the chat.Model.
func ExampleModel_Detect() {
	m := chat.Model{Template: "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "}
	f, err := m.Detect()
	if err != nil {
		log.Fatal(err)
	}
	pieces, err := f.Render([]chat.Message{{Role: chat.User, Content: "Hello!"}}, true)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range pieces {
		fmt.Print(p.Text)
	}
	fmt.Println()
	// Output:
	// [user] Hello!
	// [assistant]
}
