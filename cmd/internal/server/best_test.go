package server

import (
	"fmt"
	"testing"

	"mptgo/mpt/serve"
)

// meanOf is the mean of what an answer's choice says of its tokens, from the first of its own.
func meanOf(choice any, echoed int) float64 {
	list := at(choice, "logprobs.token_logprobs").([]any)[echoed:]
	sum := 0.0
	for _, p := range list {
		sum += p.(float64)
	}
	return sum / float64(len(list))
}

// The best are those with the highest mean of log-probabilities: the choices of a request for all
// of them, each with the seed that it comes with alone.
func TestBestOf(t *testing.T) {
	_, h := start(t, serve.Options{Parallel: 8})
	ask := func(fields string) any {
		t.Helper()
		status, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":["Once upon a time","The dog"],"seed":11,"temperature":1.5,`+fields+`}`)
		if status != 200 {
			t.Fatalf("%s: %d %s", fields, status, b)
		}
		return object(t, b)
	}
	for _, x := range []struct {
		fields string
		echoed [2]int
	}{{`"max_tokens":12`, [2]int{}}, {`"max_tokens":30,"stop":[" a"]`, [2]int{}}, {`"max_tokens":5,"echo":true`, [2]int{4, 2}}} {
		all := ask(x.fields + `,"n":6,"logprobs":0`)
		got := ask(x.fields + `,"n":2,"best_of":6`)
		if at(got, "usage.completion_tokens") != at(all, "usage.completion_tokens") {
			t.Errorf("%s: %v, want the tokens of all choices: %v", x.fields, at(got, "usage"), at(all, "usage"))
		}
		if at(got, "choices.0.logprobs") != nil {
			t.Errorf("%s: log-probabilities that nobody asked for", x.fields)
		}
		for p := range 2 {
			var best, second int = -1, -1
			mean := func(k int) float64 { return meanOf(at(all, fmt.Sprint("choices.", 6*p+k)), x.echoed[p]) }
			for k := range 6 {
				if best < 0 || mean(k) > mean(best) {
					best, second = k, best
				} else if second < 0 || mean(k) > mean(second) {
					second = k
				}
			}
			for i, k := range []int{best, second} {
				c, want := at(got, fmt.Sprint("choices.", 2*p+i)), at(all, fmt.Sprint("choices.", 6*p+k))
				if at(c, "text") != at(want, "text") || at(c, "index") != float64(2*p+i) || at(c, "seed") != float64(11+k) {
					t.Errorf("%s: choice %d is %v, want number %d: %v", x.fields, 2*p+i, c, k, want)
				}
			}
		}
		if len(at(got, "choices").([]any)) != 4 {
			t.Errorf("%s: %d choices", x.fields, len(at(got, "choices").([]any)))
		}
	}
	if v := ask(`"max_tokens":2,"n":2,"best_of":2,"stream":false`); at(v, "choices.0.seed") != nil {
		t.Errorf("two of two: %v", v)
	}
	if status, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":"a","max_tokens":2,"n":1,"best_of":1,"stream":true}`); status != 200 {
		t.Errorf("one of one, streamed: %d %s", status, b)
	}
	if v := ask(`"max_tokens":0,"best_of":3`); at(v, "choices.1.finish_reason") != "length" {
		t.Errorf("without tokens: %v", v)
	}
}
