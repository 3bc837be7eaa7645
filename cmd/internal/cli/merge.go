package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/mpt/convert"
	"mptgo/quantize"
	"mptgo/quantize/recipes"
)

const mergeLong = `Make the GGUF file OUT from the model BASE, a checkpoint folder or a GGUF file, with LoRA
adapters in its weights. An adapter is a folder that PEFT wrote or a GGUF file; its change is
multiplied by SCALE.

Examples:
  mpt merge-lora mpt-7b/ my-adapter/ merged.gguf --type Q4_0
  mpt merge-lora 7b-f16.gguf style.gguf:0.5 facts.gguf merged.gguf

The weights are changed in float32 and stored as TYPE or, without --type, as the types of BASE.
Adapters with DoRA or with whole tensors (modules_to_save) can only be used in this way; others
may also be used with --lora, which needs no new file and leaves quantised weights as they are.
If an adapter brings along an embedding of another size, the model gets its rows and the
tokenizer that lies beside it.

OUT appears when it is complete, or not at all.`

// mergeFlags are the flags of mpt merge-lora.
type mergeFlags struct {
	convert.Options
	search string
}

func newMerge() *cobra.Command {
	var f mergeFlags
	names := recipes.Names()
	cmd := &cobra.Command{
		Use:   "merge-lora BASE ADAPTER[:SCALE]... OUT.gguf",
		Short: "Make a model file with LoRA adapters in its weights",
		Long:  mergeLong,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 3 {
				return fmt.Errorf("%s: %s, want BASE, at least one ADAPTER, and OUT: see %s --help",
					cmd.Name(), console.Plural(len(args), "argument", "arguments"), cmd.CommandPath())
			}
			return errors.Join(cmdline.NotEmptyArgs(cmd, args), fileio.NoStdout(args[len(args)-1]))
		},
		RunE: interrupt.Handled(f.run),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.Type, "type", "",
		"the `TYPE` of the weights in OUT, one of "+strings.Join(names, ", ")+" (default: as in BASE)")
	fs.StringVar(&f.search, "search", "auto",
		"quantisation search `HOW`: reference, better or auto; as for mpt quantize")
	fs.BoolVar(&f.Force, "force", false, "replace OUT if it exists")
	fs.BoolVar(&f.AllowRequantize, "allow-requantize", false,
		"accept a BASE whose weights are quantised already, with another --type")
	fs.IntVarP(&f.Threads, "threads", "t", 0, "work with `N` threads; 0: one per core")
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("search",
		cobra.FixedCompletions([]string{"auto", "reference", "better"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (f *mergeFlags) run(cmd *cobra.Command, args []string) (err error) {
	if f.Threads < 0 {
		return fmt.Errorf("merge-lora: --threads %d: cannot be negative", f.Threads)
	}
	if f.Search, err = quantize.ParseSearch(f.search); err != nil {
		return err
	}
	base, out := args[0], args[len(args)-1]
	var adapters []convert.AdapterFile
	for _, text := range args[1 : len(args)-1] {
		path, scale, err := flags.ParseAdapter(text)
		if err != nil {
			return fmt.Errorf("merge-lora: %s: %w", text, err)
		}
		adapters = append(adapters, convert.AdapterFile{Path: path, Scale: scale})
	}
	p := console.NewProgress(cmd.ErrOrStderr(), "merge-lora")
	f.Progress, f.Logf = p.Set, p.Logf
	start := time.Now()
	sum, err := convert.Merge(cmd.Context(), base, adapters, out, f.Options)
	p.Clear()
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s parameters in %d tensors, %s made in %s\n",
		console.OneLine(out), console.Count(sum.Parameters), sum.Tensors,
		console.ByteSize(sum.Bytes), time.Since(start).Round(100*time.Millisecond))
	return nil
}
