package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/internal/newfile"
	"mptgo/mpt"
	"mptgo/mpt/measure"
)

const perplexityLong = `Measure how well a model predicts a text: the lower the better.

The tokens of the text are cut into chunks of the context size. As in llama.cpp,
the second half of each chunk is scored, given what stands before it in the chunk.

With --documents the text is a list of documents separated by lines <|endoftext|>.
Each is trimmed and followed by that token, and in every chunk all tokens but
the first are scored.

How much a quantised model differs from the original is seen far more clearly by
comparing all their predictions:
  mpt perplexity -m 7b-f16.gguf -f text --save-logits 7b.logits
  mpt perplexity -m 7b-q4.gguf -f text --kl-divergence 7b.logits
The file takes almost two bytes for each scored token and entry of the vocabulary.`

// perplexityFlags are what a command line says.
type perplexityFlags struct {
	model  flags.Model
	prompt flags.Prompt
	opt    measure.PerplexityOptions
	save   string
	base   string
	form   string
}

func newPerplexity() *cobra.Command {
	var f perplexityFlags
	cmd := &cobra.Command{
		Use:   "perplexity [-m FILE] -f TEXT",
		Short: "Measure how well a model predicts a text",
		Long:  perplexityLong,
		Args:  cmdline.NoArgs,
		RunE:  interrupt.Handled(func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }),
	}
	f.prompt.Add(cmd)
	fs := cmd.Flags()
	fs.IntVarP(&f.opt.Context, "ctx-size", "c", 512, "cut the text into chunks of `N` tokens; 0: 512")
	fs.IntVar(&f.opt.Chunks, "chunks", 0, "stop after `N` chunks; 0: all")
	fs.BoolVar(&f.opt.Documents, "documents", false, "the text is a list of documents")
	fs.StringVar(&f.save, "save-logits", "", "write all predictions to `FILE`, to compare other models with")
	fs.StringVar(&f.base, "kl-divergence", "", "compare the predictions with those in `FILE`, made by --save-logits")
	f.form = "text"
	cmdline.AddChoice(cmd, &f.form, "output", "o", "print `FORMAT`", "text", "json", "md")
	f.model.Add(cmd)
	return cmd
}

func (f *perplexityFlags) run(cmd *cobra.Command) error {
	if err := cmdline.OneOnly(cmd, "save-logits", "kl-divergence"); err != nil {
		return err
	}
	if f.opt.Context == 0 {
		f.opt.Context = 512 // what the engine takes, so that it is also what is printed
	}
	text, err := f.prompt.Read(cmd)
	if err != nil {
		return err
	}
	if f.save != "" {
		if err := fileio.Writable(f.save); err != nil {
			return fmt.Errorf("perplexity: --save-logits: %w", err)
		}
	}
	if f.save != "" && (newfile.Same(f.save, f.prompt.File) || newfile.Same(f.save, f.model.Path)) {
		return fmt.Errorf("perplexity: %s: the output would replace the input: give it another name", f.save)
	}
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	flags.NoteLength(cmd, m, f.opt.Context)
	show := console.NewStatus(cmd.ErrOrStderr())
	defer show.Clear()
	f.opt.Progress = func(done, total int, ppl float64) { show.Show("chunk %d of %d: %.4f", done, total, ppl) }
	if f.base != "" {
		r, err := f.compare(cmd, m, text)
		show.Clear()
		if err != nil {
			return err
		}
		return f.printDivergence(cmd, r)
	}
	r, err := f.measure(cmd, m, text)
	show.Clear()
	if err != nil {
		return err
	}
	return f.printPerplexity(cmd, r)
}

// measure measures the perplexity and saves the logits if that is wanted.
func (f *perplexityFlags) measure(cmd *cobra.Command, m *mpt.Model, text string) (r measure.PerplexityResult, err error) {
	if f.save == "" {
		return measure.Perplexity(cmd.Context(), m, text, f.opt)
	}
	err = fileio.Write(f.save, func(w io.Writer) (err error) {
		r, err = measure.SaveLogits(cmd.Context(), m, text, w, f.opt)
		return err
	})
	if err != nil {
		err = fmt.Errorf("perplexity: %s: %w", f.save, err)
	}
	return r, err
}

// compare compares the model with the base.
func (f *perplexityFlags) compare(cmd *cobra.Command, m *mpt.Model, text string) (r measure.DivergenceResult, err error) {
	in, err := fileio.Open(f.base)
	if err != nil {
		return r, fmt.Errorf("perplexity: %w", err)
	}
	defer in.Close()
	r, err = measure.Divergence(cmd.Context(), m, text, in, f.opt)
	if errors.Is(err, measure.ErrLogits) {
		err = fmt.Errorf("perplexity: %s: %w", f.base, err)
	}
	return r, err
}

func (f *perplexityFlags) printPerplexity(cmd *cobra.Command, r measure.PerplexityResult) (err error) {
	out := cmd.OutOrStdout()
	switch f.form {
	case "json":
		return console.PrintJSON(cmd, r)
	case "md":
		_, err = fmt.Fprintf(out,
			"| model | perplexity | tokens | chunks |\n|---|---|---|---|\n| %s | %.4f +/- %.4f | %d | %d of %d |\n",
			console.OneLine(f.model.Name()), r.Perplexity, r.StdErr, r.Tokens, r.Chunks, f.opt.Context)
		return err
	}
	_, err = fmt.Fprintf(out, "perplexity %.4f +/- %.4f (%s in %s of %d)\n",
		r.Perplexity, r.StdErr, console.Plural(r.Tokens, "token", "tokens"), console.Plural(r.Chunks, "chunk",
			"chunks"), f.opt.Context)
	return err
}

func (f *perplexityFlags) printDivergence(cmd *cobra.Command, r measure.DivergenceResult) error {
	if f.form == "json" {
		return console.PrintJSON(cmd, r)
	}
	line := "%-20s %s\n"
	if f.form == "md" {
		line = "| %s | %s |\n"
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "| %s | %s in %s of %d |\n|---|---|\n",
			console.OneLine(f.model.Name()), console.Plural(r.Perplexity.Tokens, "token",
				"tokens"), console.Plural(r.Perplexity.Chunks, "chunk", "chunks"), f.opt.Context); err != nil {
			return err
		}
	}
	for _, x := range divergenceLines(r) {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), line, x[0], x[1]); err != nil {
			return err
		}
	}
	return nil
}

// divergenceLines returns what there is to tell, name and figure.
func divergenceLines(r measure.DivergenceResult) [][2]string {
	between := func(format string, v, err float64) string { return fmt.Sprintf(format+" +/- "+format, v, err) }
	percent := func(v, err float64) string { return fmt.Sprintf("%.3f +/- %.3f %%", 100*v, 100*err) }
	lines := [][2]string{
		{"perplexity", between("%.4f", r.Perplexity.Perplexity, r.Perplexity.StdErr)},
		{"base perplexity", between("%.4f", r.BasePerplexity.Perplexity, r.BasePerplexity.StdErr)},
		{"ln ppl ratio", between("%.5f", r.LogRatio, r.LogRatioErr)},
		{"ln ppl correlation", fmt.Sprintf("%.3f %%", 100*r.Correlation)},
		{"mean divergence", between("%.6f", r.KLD, r.KLDErr)},
	}
	for i := len(r.KLDQuantile) - 1; i >= 0; i-- {
		q := r.KLDQuantile[i]
		lines = append(lines, [2]string{quantileName(q.Share) + " divergence", fmt.Sprintf("%.6f", q.Value)})
	}
	lines = append(lines,
		[2]string{"same top token", percent(r.SameTop, r.SameTopErr)},
		[2]string{"mean delta p", fmt.Sprintf("%.3f %%", 100*r.MeanDelta)},
		[2]string{"rms delta p", percent(r.RMSDelta, r.RMSDeltaErr)})
	for i := len(r.DeltaP) - 1; i >= 0; i-- {
		q := r.DeltaP[i]
		lines = append(lines, [2]string{quantileName(q.Share) + " delta p", fmt.Sprintf("%.3f %%", 100*q.Value)})
	}
	return lines
}

// quantileName returns what people call a quantile.
func quantileName(share float64) string {
	switch share {
	case 0:
		return "least"
	case 0.5:
		return "median"
	case 1:
		return "largest"
	}
	return fmt.Sprintf("%.4g %%", 100*share)
}
