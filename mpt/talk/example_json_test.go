package talk_test

import (
	"context"
	"fmt"
	"log"

	"mptgo/mpt/builtin"
	"mptgo/mpt/talk"
)

// Ask for a value of a type.
func ExampleJSON() {
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
	c, err := talk.New(s, nil)
	if err != nil {
		log.Fatal(err)
	}
	type verdict struct {
		Happy bool `json:"happy"`
		Cats  int8 `json:"cats"`
	}
	v, err := talk.JSON[verdict](context.Background(), c, "Once upon a time there was a happy cat. How many cats?")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", v)
	// Output: {Happy:true Cats:14}
}
