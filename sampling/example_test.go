package sampling_test

import (
	"fmt"
	"log"

	"mptgo/sampling"
)

// Choose tokens by their logits. The same parameters, logits and tokens give the same choices.
func Example() {
	params, err := sampling.Parse("top_k=3,temp=0.8,seed=1")
	if err != nil {
		log.Fatal(err)
	}
	chain, err := sampling.New(params, nil)
	if err != nil {
		log.Fatal(err)
	}
	logits := []float32{1, 3, 2, -1, 2.5}
	for range 5 {
		id, err := chain.Sample(logits)
		if err != nil {
			log.Fatal(err)
		}
		chain.Accept(id) // so that penalties see it
		fmt.Print(id, " ")
	}
	fmt.Println()
	// Output: 2 4 2 2 4
}

// Parameters have a text, of what differs from the defaults.
func ExampleParams_Set() {
	p := sampling.DefaultParams()
	if err := p.Set("min-p", "0.1"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p)
	fmt.Println(p.Set("min-q", "0.1") != nil)
	// Output:
	// min_p=0.1
	// true
}
