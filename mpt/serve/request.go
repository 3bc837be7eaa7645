package serve

import (
	"time"

	"mptgo/mpt"
	"mptgo/sampling"
)

// Request is a prompt with what is wanted of it. The answer is a function of the request and
// the model alone: neither other requests nor the cache change a bit of it.
type Request struct {
	// Prompt holds the tokens to go on from, at least one.
	Prompt []int32

	// N is how many choices are generated from one evaluation of the prompt; 0 means 1.
	// Choice k is what a request with Params.Seed+k would give alone.
	N int
	// Params say how tokens are chosen.
	Params sampling.Params
	// MaxTokens limits the tokens of each choice; negative means no limit but the context.
	// With 0 nothing is generated, which makes sense with Echo.
	MaxTokens int
	// Stop ends a choice when one of the strings appears in its text; it is never sent,
	// not even in part. StopTokens do so as an end-of-text token does.
	Stop       []string
	StopTokens []int32
	IgnoreEOS  bool
	// Special shows control tokens in the text.
	Special bool

	// Logprobs, if not negative, has every token come with its log-probability and those of
	// so many best tokens: log-softmax of the model's own logits, before bias, penalties,
	// temperature and constraint; float64 sums in a fixed order.
	Logprobs int
	// Echo has the log-probabilities of the prompt's tokens told too, Logprobs of them:
	// events with Choice -1, before all others.
	Echo bool

	// Pooling, if set, has the prompt made into a vector, which comes in an event, and nothing
	// else done: N, MaxTokens and Echo do not count, nor does the cache.
	Pooling Pooling

	// Adapters are the LoRA adapters to use; nil means those of the model.
	Adapters []mpt.AdapterUse
	// NewConstraint, if set, is asked once for every choice for what says which tokens may
	// follow.
	NewConstraint func() mpt.Constraint

	// NoCache neither looks the prompt up in the prefix cache nor puts it there.
	NoCache bool
	// Salt separates prefixes: they are shared only among requests with equal salts.
	Salt string
	// Priority is from -1 to 1: higher ones are admitted first. A waiting request rises by
	// one after ten seconds.
	Priority int
	// Key is who asks: waiting requests of different keys take turns.
	Key string

	// Progress has events tell how much of the prompt is evaluated.
	Progress bool
}

// Event is one thing that happened to a request, in order.
type Event struct {
	// Choice counts from 0; -1 is the prompt.
	Choice int

	// Token is one that was chosen, or a token of the prompt with Echo; ID is -1 if the
	// event has none: text that was held back for a stop string, a progress, an end.
	Token mpt.Token
	// Logprob is what was asked for with Logprobs. Of the first token of a prompt it is nil.
	Logprob *Logprob

	// Progress, if set, tells of the prompt.
	Progress *Progress

	// Embedding is what was asked for with Pooling, [mpt.Config].Embedding values. They are as
	// the model has them: the vector has any length.
	Embedding []float32

	// Why is set in the last event of a choice. Err is set beside it if it is mpt.EndedError.
	Why mpt.Reason
	Err error
	// Stop is the string that ended the choice, beside mpt.EndedStop.
	Stop string
}

// Logprob is the log-probability of a token, natural logarithm, and of the best ones.
type Logprob struct {
	ID  int32
	P   float64     // at most 0; -Inf where a logit is
	Top []TokenProb // best first, equal ones by id
}

// TokenProb is a token with its log-probability.
type TokenProb struct {
	ID int32
	P  float64
}

// Progress tells how far a prompt is: Total tokens, of which Cached came from the cache and
// Done, these included, are evaluated.
type Progress struct {
	Total, Cached, Done int
	Time                time.Duration // since the first of its tokens was evaluated
}

// Usage is what a request took.
type Usage struct {
	PromptTokens     int // of the prompt, counted once
	CachedTokens     int // of them, found in the cache
	CompletionTokens int // chosen tokens of all choices; an end-of-text token counts

	Queue   time.Duration // waiting for its turn
	Prefill time.Duration // from then until the prompt was evaluated
	Decode  time.Duration // from then until the last choice ended

	Drafted  int // guesses of tokens that were evaluated
	Accepted int // of them, those that came true: tokens that took no step
}
