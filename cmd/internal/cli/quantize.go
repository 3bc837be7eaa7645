package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/gguf"
	"mptgo/mpt/convert"
	"mptgo/mpt/lora"
	"mptgo/mpt/measure"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
	"mptgo/quantize/recipes"
)

const quantizeLong = `Make the GGUF file OUT from SRC: a HuggingFace checkpoint folder (safetensors or
torch files, one or several), one file of weights, such as a trainer's checkpoint, beside
the config.json and the tokenizer of such a folder, or another GGUF file.

Examples:
  %[1]s mpt-7b-chat/ 7b.gguf --type Q4_0
  %[1]s my-mpt/ep1-ba500-rank0.pt my.gguf --type Q8_0
  %[1]s 7b-f16.gguf 7b-q8.gguf --type Q8_0

Types, the largest first: %[2]s;
or COPY, which keeps them. TYPE may also be the third argument, as for llama-quantize.
Q8_0 is as good as the original for most purposes; Q4_0 is half as large and faster.
Calibrating on text that the model generates (--self) makes files much better at the same
size. It is the default for types with a K or IQ in their names; --self=false leaves it out
and is some five times as fast. Meanwhile a temporary file of half the size of the model in F16
lies beside OUT, if there is room for it.
Types with a K, IQ or TQ in their names are mixes: which tensor gets which type is decided as
llama-quantize did it in February 2025, or from Q3_K to Q5_K and for IQ4_XS, where the model
calibrates itself, by what errors cost, at no more bytes (--allocate). Rows that do not divide into their blocks of 256 get
other types, and a line says so.

OUT appears when it is complete, or not at all.

From the folder of a LoRA adapter that PEFT wrote it makes an adapter file, for --lora and for
llama.cpp; there --type may be left out, or is F32, F16, BF16 or Q8_0:
  %[1]s my-adapter/ my-adapter.gguf

To measure a machine before downloading 60 GB, make a model with random weights instead:
  %[1]s --synthetic mpt-30b --type Q4_0 30b.gguf
Its shape is one of %[3]s, or D,H,L: width, heads and layers. It is as large and as fast
as a real model of that shape, here and in llama.cpp, and writes nonsense.`

// quantizeFlags are what a command line says.
type quantizeFlags struct {
	convert.Options
	search    string
	reference bool   // search is "reference"
	imatrix   string // a file
	tensors   []string
	embedding string // a type, or ""
	output    string // likewise
	self      bool   // the model writes its importance matrix
	allocate  bool   // it also measures what errors cost, and types are chosen by that
	shape     string // of a synthetic model; "" for a conversion
	seed      uint64
}

// newQuantize returns the subcommand of mpt.
func newQuantize() *cobra.Command { return quantizeCommand("quantize", "mpt quantize") }

// quantizeCommand returns the command called name, which people start as path.
func quantizeCommand(name, path string) *cobra.Command {
	var f quantizeFlags
	names, shapes := recipes.Names(), shapeNames()
	cmd := &cobra.Command{
		Use:   name + " SRC OUT.gguf --type TYPE",
		Short: "Make a model file from a checkpoint, or from another model file",
		Long:  fmt.Sprintf(quantizeLong, path, strings.Join(names, ", "), strings.Join(shapes, ", ")),
		Args:  f.checkArgs,
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, f.files(args))
		}),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.Type, "type", "", "the `TYPE` of the weights in OUT")
	fs.StringVar(&f.search, "search", "auto", "quantisation search `HOW`: reference (ggml's exact bytes), better (smaller error) or auto (better for K and IQ types, and with input correlations)")
	fs.BoolVar(&f.reference, "reference", false, "the same as --search reference")
	fs.StringVar(&f.imatrix, "imatrix", "", "use the importance matrix in `FILE`, made by mpt imatrix or llama-imatrix")
	fs.BoolVar(&f.self, "self", false, "calibrate on text that the model generates (default for K and IQ types; --self=false: never)")
	fs.BoolVar(&f.allocate, "allocate", false, "choose the types of matrices by what their errors cost, measured with --self, at the size of --type (default for Q3_K to Q5_K mixes and IQ4_XS; --allocate=false: never)")
	fs.StringArrayVar(&f.tensors, "tensor-type", nil, "`REGEX=TYPE` gives the matrices whose names match REGEX that type; may be given several times, the first match counts")
	fs.BoolVar(&f.Choices.Pure, "pure", false, "no mix: all matrices get the type that --type is named for")
	fs.StringVar(&f.output, "output-tensor-type", "", "the `TYPE` of the matrix that makes the logits")
	fs.StringVar(&f.embedding, "token-embedding-type", "", "the `TYPE` of token_embd.weight")
	fs.Float64Var(&f.TargetBPW, "target-bpw", 0, "choose the type of each matrix by its error so that a weight takes `X` bits on average; --type only names the file then")
	fs.BoolVar(&f.Force, "force", false, "replace OUT if it exists")
	fs.BoolVar(&f.AllowRequantize, "allow-requantize", false,
		"accept a SRC whose weights are quantised already; quality is lost twice")
	fs.IntVarP(&f.Threads, "threads", "t", 0, "work with `N` threads; 0: one per core")
	fs.StringVar(&f.shape, "synthetic", "", "make a model of this `SHAPE` with random weights, without SRC")
	fs.Uint64Var(&f.seed, "seed", 1, "draw the weights of a synthetic model with the seed `N`")
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("search",
		cobra.FixedCompletions([]string{"auto", "reference", "better"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("synthetic", cobra.FixedCompletions(shapes, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func shapeNames() []string {
	var names []string
	for _, s := range convert.Shapes() {
		names = append(names, s.Name)
	}
	return names
}

// checkArgs accepts SRC and OUT, or OUT alone for a synthetic model, and the flags
// that go with them.
func (f *quantizeFlags) checkArgs(cmd *cobra.Command, args []string) error {
	given := cmd.Flags().Changed
	switch {
	case !given("synthetic") && given("seed"):
		return fmt.Errorf("quantize: --seed is for the weights of a synthetic model: add --synthetic, or leave it out")
	case !given("synthetic"):
		return f.checkFiles(cmd, args)
	case given("imatrix"):
		return fmt.Errorf("quantize: --imatrix cannot be combined with --synthetic: leave out one of them")
	case given("allow-requantize"):
		return fmt.Errorf("quantize: --allow-requantize is about the weights of SRC, which --synthetic does without: leave out one of them")
	case len(args) == 2:
		return fmt.Errorf("quantize: --synthetic makes a model out of nothing: leave out the source %s", args[0])
	}
	if err := cmdline.WantArgs(1)(cmd, args); err != nil {
		return err
	}
	return fileio.NoStdout(args[0])
}

// run makes the file that the last argument names.
func (f *quantizeFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case f.Type == "" && !cmd.Flags().Changed("target-bpw") && !(len(args) == 2 && lora.IsFolder(args[0])):
		return fmt.Errorf("quantize: no type: add --type with one of %s", strings.Join(recipes.Names(), ", "))
	case f.Threads < 0:
		return fmt.Errorf("quantize: --threads %d: cannot be negative", f.Threads)
	}
	if strings.EqualFold(f.Type, convert.Copy) && len(args) == 2 && lora.IsFolder(args[0]) {
		f.Type = "" // which is that for adapters
	}
	if err := f.setSearch(cmd.Flags().Changed("search")); err != nil {
		return err
	}
	if err := f.readImatrix(); err != nil {
		return err
	}
	err := f.setChoices(cmd)
	if err == nil {
		err = f.checkSelf(cmd, args)
	}
	if err != nil {
		return fmt.Errorf("quantize: %w", err)
	}
	talk, out := cmd.ErrOrStderr(), args[len(args)-1]
	p := console.NewProgress(talk, "quantize")
	f.Progress = p.Set
	f.Logf = p.Logf
	start := time.Now()
	sum, err := f.write(cmd, args)
	p.Clear()
	if err != nil {
		return err
	}
	of := console.ByteSize(sum.SourceBytes)
	if cmd.Flags().Changed("synthetic") {
		of = "random numbers"
	} else if !lora.IsFolder(args[0]) {
		noteName(talk, out)
	}
	fmt.Fprintf(talk, "%s: %s parameters in %d tensors, %s made of %s in %s\n",
		console.OneLine(out), console.Count(sum.Parameters), sum.Tensors,
		console.ByteSize(sum.Bytes), of, time.Since(start).Round(100*time.Millisecond))
	return nil
}

// readImatrix reads the importance matrix, if one is given.
func (f *quantizeFlags) readImatrix() (err error) {
	if f.imatrix == "" {
		return nil
	}
	if err := fileio.Regular(f.imatrix); err != nil {
		return fmt.Errorf("quantize: --imatrix: %w", err)
	}
	f.Imatrix, err = imatrix.Read(f.imatrix)
	f.ImatrixFile = f.imatrix
	return err
}

// setChoices sets the types of matrices that flags name.
func (f *quantizeFlags) setChoices(cmd *cobra.Command) error {
	for _, text := range f.tensors {
		c, err := recipes.ParseChoice(text)
		if err != nil {
			return fmt.Errorf("--tensor-type: %w", err)
		}
		f.Choices.Tensors = append(f.Choices.Tensors, c)
	}
	for flag, x := range map[string]struct {
		name string
		to   **gguf.Type
	}{"output-tensor-type": {f.output, &f.Choices.Output}, "token-embedding-type": {f.embedding,
		&f.Choices.Embedding}} {
		if !cmd.Flags().Changed(flag) {
			continue
		}
		t, err := quantize.ParseWritable(x.name)
		if err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
		*x.to = &t
	}
	if cmd.Flags().Changed("target-bpw") && (f.Choices.Pure || !(f.TargetBPW > 0 && f.TargetBPW <= 32)) {
		return fmt.Errorf("--target-bpw %v: want a number of bits up to 32, and no --pure", f.TargetBPW)
	}
	return nil
}

// setSearch sets the search from the two flags; given says that --search is there.
func (f *quantizeFlags) setSearch(given bool) (err error) {
	switch {
	case f.reference && given && f.search != "reference":
		return fmt.Errorf("quantize: --reference contradicts --search %s: leave out one of them", f.search)
	case f.reference:
		f.search = "reference"
	}
	f.Search, err = quantize.ParseSearch(f.search)
	return err
}

// write converts, or makes a synthetic model.
func (f *quantizeFlags) write(cmd *cobra.Command, args []string) (*convert.Summary, error) {
	if !cmd.Flags().Changed("synthetic") {
		show := console.NewStatus(cmd.ErrOrStderr())
		defer show.Clear()
		return measure.Quantize(cmd.Context(), args[0], args[1], f.Options, f.selfOptions(cmd, show, args[0]))
	}
	shape, err := convert.ParseShape(f.shape)
	if err != nil {
		return nil, err
	}
	return convert.Synthetic(cmd.Context(), shape, f.seed, args[0], f.Options)
}
