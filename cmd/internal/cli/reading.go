package cli

import (
	"context"

	"mptgo/mpt"
)

// readTokens appends ids to a session in steps, and shows how far it has come:
// a large model reads a long text for minutes.
func readTokens(ctx context.Context, s *mpt.Session, ids []int32, show *status) error {
	defer show.clear()
	for done := 0; done < len(ids); {
		if len(ids) > quickly {
			show.show("reading: %d of %d tokens", done, len(ids))
		}
		next := min(done+mpt.DefaultBatch, len(ids))
		if err := s.Eval(ctx, ids[done:next]); err != nil {
			return err
		}
		done = next
	}
	return nil
}

// quickly is the number of tokens that are not worth a line.
const quickly = 32
