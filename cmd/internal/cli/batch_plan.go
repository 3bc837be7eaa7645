package cli

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/batch"
	"mptgo/cmd/internal/cli/console"
	"mptgo/mpt"
	"mptgo/mpt/serve"
)

// plan counts what the work takes, and estimates how long.
func (f *batchFlags) plan(cmd *cobra.Command, m *mpt.Model, j *batch.Job) error {
	w, e, err := f.worker(cmd, m)
	if err != nil {
		return err
	}
	defer e.Close()
	p, err := j.Plan(cmd.Context(), w, e.Options().ContextSize)
	if err != nil {
		return err
	}
	flaws, _ := j.Flaws()
	n := 0
	for _, k := range flaws {
		n += k
	}
	var text strings.Builder
	fmt.Fprintf(&text, "requests         %d\n", p.Requests)
	fmt.Fprintf(&text, "refused          %d\n", p.Refused)
	fmt.Fprintf(&text, "flawed lines     %d\n", n)
	fmt.Fprintf(&text, "prompt tokens    %d\n", p.PromptTokens)
	more := ""
	if p.More {
		more = " or less"
	}
	fmt.Fprintf(&text, "distinct         %d%s\n", p.DistinctTokens, more)
	fmt.Fprintf(&text, "answer tokens    %d at most\n", p.AnswerTokens)
	if p.Requests > 0 {
		read, write, err := rates(cmd.Context(), e, min(f.lines(), p.Requests))
		if err != nil {
			return err
		}
		seconds := float64(p.DistinctTokens)/read + float64(p.AnswerTokens)/write
		fmt.Fprintf(&text, "time             %s at most, by a short test here\n", console.Duration(math.Ceil(seconds)))
	}
	fmt.Fprintf(&text, "prefix cache     %s\n", console.ByteSize(max(e.Options().CacheBytes, 0)))
	_, err = fmt.Fprint(cmd.OutOrStdout(), text.String())
	return err
}

// rates measures how many tokens a second are read, and written by n sequences together.
func rates(ctx context.Context, e *serve.Engine, n int) (read, write float64, err error) {
	const prompt, answer = 32, 8
	var all []*serve.Stream
	for i := range n {
		ids := make([]int32, min(prompt, e.Options().ContextSize-1))
		for k := range ids {
			ids[k] = int32((i*prompt + k) % e.Model().Config().Vocab)
		}
		s, err := e.Submit(ctx, serve.Request{Prompt: ids, MaxTokens: answer, IgnoreEOS: true, NoCache: true})
		if err != nil {
			return 0, 0, err
		}
		defer s.Close()
		all = append(all, s)
	}
	for _, s := range all {
		for ok := true; ok; {
			_, ok = s.Next()
		}
		if err := s.Err(); err != nil {
			return 0, 0, err
		}
	}
	s := e.Stats()
	rate := func(n int64, seconds float64) float64 { return float64(max(n, 1)) / max(seconds, 1e-6) }
	return rate(s.PromptTokens, s.PromptTime.Seconds()), rate(s.DecodeTokens, s.DecodeTime.Seconds()), nil
}
