package cli

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/mpt/measure"
)

// checkSelf refuses what cannot be combined with self-calibration, or with a choice of types by it.
func (f *quantizeFlags) checkSelf(cmd *cobra.Command, args []string) error {
	flag := "--self"
	if f.allocate {
		flag = "--allocate"
		switch {
		case cmd.Flags().Changed("self") && !f.self:
			return errors.New("--allocate measures with --self: leave out one of --allocate and --self=false")
		case f.Choices.Pure || f.TargetBPW != 0:
			return errors.New("--allocate chooses types, as --target-bpw and --pure do: leave out one of them")
		}
		f.self = true
	}
	if !f.self {
		return nil
	}
	err := measure.SelfConflict(args[0], &f.Options)
	switch {
	case errors.Is(err, measure.ErrHasProducts):
		return fmt.Errorf("%s measures input correlations, which the importance matrix has already: leave out --imatrix or %[1]s", flag)
	case errors.Is(err, measure.ErrReference):
		return fmt.Errorf("%s is for better codes than ggml's: leave out one of %[1]s and --search reference", flag)
	case err != nil, f.shape != "":
		return fmt.Errorf("%s needs a model that is quantised: leave it out", flag)
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
		unit := map[string]string{"prepared": "MiB", "written": "tokens", "measured": "matrices"}[what]
		show.Show("%s %d of %d %s", what, done, total, unit)
	}}
	switch {
	case f.allocate:
		opt.Allocate = measure.SelfAlways
	case cmd.Flags().Changed("allocate"):
		opt.Allocate = measure.SelfNever
	}
	hint := "; --self=false leaves that out"
	switch {
	case f.self:
		opt.Self, hint = measure.SelfAlways, ""
	case cmd.Flags().Changed("self"):
		opt.Self = measure.SelfNever
		return opt
	}
	opt.Started = func(parameters int64) {
		if long := f.expected(parameters); long != "" || hint != "" {
			console.Note(cmd.ErrOrStderr(), "quantize: calibrating on text that %s generates%s%s", src, long, hint)
		}
	}
	return opt
}

// selfTime is what a thread takes for a weight of a model that is self-calibrated and quantised,
// measured with one of 1.3 G parameters (bench/results/2026-11-30-zen5-self.md). Other CPUs take
// other times.
const selfTime = 300 * time.Nanosecond

// expected says about how long quantising with self-calibration takes, or nothing if that is not
// worth saying.
func (f *quantizeFlags) expected(parameters int64) string {
	threads := f.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	minutes := math.Round((time.Duration(parameters) * selfTime / time.Duration(threads)).Minutes())
	switch {
	case minutes < 1:
		return ""
	case minutes == 1:
		return ", about a minute"
	}
	return fmt.Sprintf(", about %.0f minutes", minutes)
}
