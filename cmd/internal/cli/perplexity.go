package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"mptgo/mpt"
)

const perplexityLong = `Measure how well a model predicts a text: the lower the better.

The tokens of the text are cut into chunks of the context size. As in llama.cpp,
the second half of each chunk is scored, given what stands before it in the chunk.

With --documents the text is a list of documents separated by lines <|endoftext|>.
Each is trimmed and followed by that token, and in every chunk all tokens but
the first are scored.`

func newPerplexity() *cobra.Command {
	var (
		flags  modelFlags
		prompt promptFlags
		opt    mpt.PerplexityOptions
		out    formatFlag
	)
	cmd := &cobra.Command{
		Use:   "perplexity [-m FILE] -f TEXT",
		Short: "Measure how well a model predicts a text",
		Long:  perplexityLong,
		Args:  noArgs,
		RunE: interruptible(func(cmd *cobra.Command, _ []string) error {
			text, err := prompt.read(cmd)
			if err != nil {
				return err
			}
			m, err := flags.open()
			if err != nil {
				return err
			}
			defer m.Close()
			noteLength(cmd, m, opt.Context)
			show := newStatus(cmd.ErrOrStderr())
			opt.Progress = func(done, total int, ppl float64) { show.show("chunk %d of %d: %.4f", done, total, ppl) }
			r, err := mpt.Perplexity(cmd.Context(), m, text, opt)
			show.clear()
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(cmd, r)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "perplexity %.4f +/- %.4f (%d tokens in %d chunks of %d)\n",
				r.Perplexity, r.StdErr, r.Tokens, r.Chunks, opt.Context)
			return err
		}),
	}
	prompt.add(cmd)
	fs := cmd.Flags()
	fs.IntVarP(&opt.Context, "ctx-size", "c", 512, "cut the text into chunks of `N` tokens")
	fs.IntVar(&opt.Chunks, "chunks", 0, "stop after `N` chunks; 0: all")
	fs.BoolVar(&opt.Documents, "documents", false, "the text is a list of documents")
	out.add(cmd, "text")
	flags.add(cmd)
	return cmd
}
