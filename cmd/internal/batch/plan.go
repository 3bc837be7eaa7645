package batch

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"net/http"

	"mptgo/mpt/serve"
)

// Plan is what a job would take.
type Plan struct {
	Requests int // that would be evaluated
	Refused  int // that would be answered with an error

	PromptTokens   int64
	DistinctTokens int64 // of them, those that have to be evaluated if the cache holds all of them
	More           bool  // they are more than could be counted
	AnswerTokens   int64 // at most
}

// mostDistinct is how many beginnings of prompts are remembered to count them.
const mostDistinct = 1 << 23

// Plan counts what the lines of this job take. Nothing is evaluated; room is that for the
// tokens of one sequence.
func (j *Job) Plan(ctx context.Context, l *Local, room int) (p Plan, err error) {
	known := prefixSet{seed: maphash.MakeSeed(), all: map[uint64]struct{}{}}
	for _, i := range j.opt.Shard.cut(j.index.order) {
		e := &j.index.entries[i]
		text, err := j.in.text(e)
		if err != nil {
			return p, err
		}
		r, _ := rules{j.opt.Models}.parse(int(e.line), text)
		w, err := l.ask(ctx, &r, func(q serve.Request) {
			p.PromptTokens += int64(len(q.Prompt))
			p.DistinctTokens += known.add(fmt.Sprintf("%q %v", q.Salt, q.Adapters), q.Prompt)
			left := room - len(q.Prompt)
			if q.MaxTokens >= 0 {
				left = min(left, q.MaxTokens)
			}
			p.AnswerTokens += int64(left * max(q.N, 1))
		})
		if err != nil {
			return p, err
		}
		if w.status == 0 || w.status == http.StatusOK {
			p.Requests++
		} else {
			p.Refused++
		}
		if ctx.Err() != nil {
			return p, ctx.Err()
		}
	}
	p.More = len(known.all) >= mostDistinct
	return p, nil
}

// prefixSet remembers beginnings of prompts.
type prefixSet struct {
	seed maphash.Seed
	all  map[uint64]struct{} // their hashes
}

// add returns how many beginnings of a prompt, of all its lengths, are new. Prompts of other
// groups share none.
func (s *prefixSet) add(group string, ids []int32) (n int64) {
	h := maphash.String(s.seed, group)
	for _, id := range ids {
		var b [12]byte
		binary.LittleEndian.PutUint64(b[:], h)
		binary.LittleEndian.PutUint32(b[8:], uint32(id))
		h = maphash.Bytes(s.seed, b[:])
		if _, known := s.all[h]; known {
			continue
		}
		n++
		if len(s.all) < mostDistinct {
			s.all[h] = struct{}{}
		}
	}
	return n
}
