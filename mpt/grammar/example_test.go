package grammar_test

import (
	"fmt"
	"log"

	"mptgo/mpt/grammar"
)

// A schema becomes a grammar. As mpt.GenerateOptions.Constraint, a Matcher of it has a model
// write nothing else; package talk does that in one call.
func ExampleParseSchema() {
	g, err := grammar.ParseSchema(`{"type":"object","properties":{"cats":{"type":"integer"}},"required":["cats"],"additionalProperties":false}`)
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{`{"cats":3}`, `{"cats":"many"}`, `{}`} {
		ok, err := g.Matches(text)
		fmt.Println(text, ok, err)
	}
	// Output:
	// {"cats":3} true <nil>
	// {"cats":"many"} false <nil>
	// {} false <nil>
}
