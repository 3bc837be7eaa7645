package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/mpt/measure"
)

// checkSelf refuses what cannot be combined with self-calibration.
func (f *quantizeFlags) checkSelf(args []string) error {
	if !f.self {
		return nil
	}
	err := measure.SelfConflict(args[0], &f.Options)
	switch {
	case errors.Is(err, measure.ErrHasProducts):
		return errors.New("--self measures input correlations, which the importance matrix has already: leave out --imatrix or --self")
	case errors.Is(err, measure.ErrReference):
		return errors.New("--self is for better codes than ggml's: leave out one of --self and --search reference")
	case err != nil, f.shape != "":
		return errors.New("--self needs a model that is quantised: leave it out")
	}
	return nil
}

// selfOptions returns whether the model at src is self-calibrated, which show tells of.
func (f *quantizeFlags) selfOptions(cmd *cobra.Command, show *console.Status, src string) measure.SelfOptions {
	opt := measure.SelfOptions{Progress: func(what string, done, total int) {
		if done == total {
			show.Clear()
			return
		}
		unit := map[string]string{"written": "tokens", "measured": "chunks"}[what]
		show.Show("%s %d of %d %s", what, done, total, unit)
	}}
	switch {
	case f.self:
		opt.Self = measure.SelfAlways
	case cmd.Flags().Changed("self"):
		opt.Self = measure.SelfNever
	default:
		opt.Started = func(int64) {
			console.Note(cmd.ErrOrStderr(),
				"quantize: calibrating on text that %s generates; --self=false leaves that out", src)
		}
	}
	return opt
}
