package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"mptgo/mpt/serve"
)

// Fixed says of a request what its answer would otherwise take from the machine or the moment.
// Its answer then comes in one piece, whatever the body says of streams, and has neither
// timings nor how much was found in the cache: it depends on nothing but the model, the
// request and what is told here.
type Fixed struct {
	ID        string // in the names of answers, in place of a random one
	Created   int64  // seconds since 1970
	MaxTokens int    // of each choice, whatever the body says; 0: no limit
	AnyModel  bool   // the model answers whatever name the body has

	// Plan, if set, is told what would be evaluated. Nothing is: the answer is empty then.
	Plan func(serve.Request)
}

type fixedKey struct{}

// In returns a context for requests.
func (x *Fixed) In(ctx context.Context) context.Context { return context.WithValue(ctx, fixedKey{}, x) }

// fixedOf returns what is fixed of a request; nil: nothing is.
func fixedOf(r *http.Request) *Fixed {
	x, _ := r.Context().Value(fixedKey{}).(*Fixed)
	return x
}

// name names an answer.
func (x *Fixed) name(prefix string) string {
	if x == nil {
		return prefix + rand.Text()
	}
	return prefix + x.ID
}

func (x *Fixed) created() int64 {
	if x == nil {
		return time.Now().Unix()
	}
	return x.Created
}

// limit limits what requests ask for.
func (x *Fixed) limit(list []serve.Request) {
	for i := range list {
		if n := &list[i].MaxTokens; x.MaxTokens > 0 && (*n < 0 || *n > x.MaxTokens) {
			*n = x.MaxTokens
		}
	}
}

// anyModel forgets which model a request names, if every name is good.
func (x *Fixed) anyModel(f *fields) {
	if x != nil && x.AnyModel && f.text("model") != "" {
		delete(f.all, "model")
	}
}

// strip takes out of an answer what depends on the machine and the moment.
func (x *Fixed) strip(answer map[string]any) {
	if x == nil {
		return
	}
	delete(answer, "timings")
	if u, ok := answer["usage"].(map[string]any); ok {
		delete(u, "prompt_tokens_details")
	}
}

// plan tells of requests instead of having them answered.
func (x *Fixed) plan(m *served, list []serve.Request) *apiError {
	var err error
	for _, r := range list {
		err = cmp.Or(err, m.Engine.Check(r))
	}
	if err != nil {
		return errorOf(err)
	}
	for _, r := range list {
		x.Plan(r)
	}
	return nil
}
