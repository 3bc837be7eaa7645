package eval_test

import (
	"context"
	"fmt"
	"log"

	"mptgo/mpt/builtin"
	"mptgo/mpt/eval"
)

// Measure the model that is built in on the tasks that are. For others, replace
// builtin.Open() by mpt.Open("model.gguf") and LoadStories() by Load("tasks.yaml", ...).
func Example() {
	m, err := builtin.Open()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	tasks, err := eval.LoadStories()
	if err != nil {
		log.Fatal(err)
	}
	res, err := eval.Evaluate(context.Background(), m, tasks, eval.Options{Shots: []int{0}})
	if err != nil {
		log.Fatal(err)
	}
	for _, run := range res.Runs {
		fmt.Printf("%s: %.2f of %d rows\n", run.Name, run.Metrics[0].Value, run.Rows)
	}
	// Output:
	// story_choice/0-shot: 1.00 of 20 rows
	// story_cloze/0-shot: 0.87 of 15 rows
	// story_schema/0-shot: 0.70 of 10 rows
	// story_qa/0-shot: 0.67 of 6 rows
}
