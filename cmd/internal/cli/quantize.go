package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/mpt/convert"
	"mptgo/quantize"
)

const quantizeLong = `Make the GGUF file OUT from SRC: a HuggingFace checkpoint folder (safetensors or
torch files, one or several), or another GGUF file.

Examples:
  %[1]s mpt-7b-chat/ 7b.gguf --type Q4_0
  %[1]s 7b-f16.gguf 7b-q8.gguf --type Q8_0

Types, the largest first: %[2]s.
Q8_0 is as good as the original for most purposes; Q4_0 is half as large and twice as fast.

OUT appears when it is complete, or not at all.`

// newQuantize returns the subcommand of mpt.
func newQuantize() *cobra.Command { return quantizeCommand("quantize", "mpt quantize") }

// quantizeCommand returns the command called name, which people start as path.
func quantizeCommand(name, path string) *cobra.Command {
	opt := convert.Options{}
	names := recipeNames()
	cmd := &cobra.Command{
		Use:   name + " SRC OUT.gguf --type TYPE",
		Short: "Make a model file from a checkpoint, or from another model file",
		Long:  fmt.Sprintf(quantizeLong, path, strings.Join(names, ", ")),
		Args:  cobra.ExactArgs(2),
		RunE: interruptible(func(cmd *cobra.Command, args []string) error {
			return runQuantize(cmd, args[0], args[1], opt)
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&opt.Type, "type", "", "the `TYPE` of the weights in OUT")
	fs.BoolVar(&opt.Force, "force", false, "replace OUT if it exists")
	fs.BoolVar(&opt.AllowRequantize, "allow-requantize", false, "accept a SRC whose weights are quantised already; quality is lost twice")
	fs.IntVarP(&opt.Threads, "threads", "t", 0, "work with `N` threads; 0: one per core")
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func recipeNames() []string {
	var names []string
	for _, r := range quantize.Recipes() {
		names = append(names, r.Name)
	}
	return names
}

func runQuantize(cmd *cobra.Command, src, out string, opt convert.Options) error {
	switch {
	case opt.Type == "":
		return fmt.Errorf("quantize: no type: add --type with one of %s", strings.Join(recipeNames(), ", "))
	case opt.Threads < 0:
		return fmt.Errorf("quantize: --threads %d: cannot be negative", opt.Threads)
	}
	talk := cmd.ErrOrStderr()
	p := newProgress(talk, "quantize")
	opt.Progress = p.set
	opt.Logf = p.logf
	start := time.Now()
	sum, err := convert.Convert(cmd.Context(), src, out, opt)
	p.clear()
	if err != nil {
		return err
	}
	fmt.Fprintf(talk, "%s: %s parameters in %d tensors, %s made of %s in %s\n", out, count(sum.Parameters), sum.Tensors,
		byteSize(sum.Bytes), byteSize(sum.SourceBytes), time.Since(start).Round(100*time.Millisecond))
	return nil
}
