package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/internal/newfile"
	"mptgo/mpt/measure"
	"mptgo/quantize/imatrix"
)

const imatrixLong = `Compute an importance matrix: the mean squared input of every weight column while the model
reads a calibration text. mpt quantize --imatrix FILE makes better files with it.

Examples:
  mpt imatrix -m 7b-f16.gguf -f text -o 7b.imatrix
  mpt imatrix -m 7b-f16.gguf --self --products -o 7b-imatrix.gguf         without a text
  mpt imatrix -m 7b-f16.gguf -f text -o 7b.imatrix --in-file 7b.imatrix   go on
  mpt imatrix --in-file a.imatrix --in-file b.imatrix -o both.gguf        merge
  mpt imatrix --in-file 7b.imatrix --stats                                look at it

The model should be F16, BF16 or F32. The text should be like what the model will be
used for; 100 chunks are plenty. With --self the model writes the text: %[1]d chunks, unless
--chunks says otherwise, each token drawn with the probability that the model gives it.
What it writes depends on the model and --seed alone.

The file is one of llama.cpp's: GGUF if its name ends in .gguf, which llama.cpp reads
since the middle of 2025, and the older kind otherwise.
It is saved every few chunks, whole each time.`

// imatrixFlags are what a command line says.
type imatrixFlags struct {
	model  flags.Model
	prompt flags.Prompt
	opt    measure.ImatrixOptions
	in     []string
	out    string
	format string
	save   int
	keep   int
	self   bool
	seed   uint64
	goOn   continued

	products string // "", "auto" or a number
	stats    bool
	printed  cmdline.Format
}

func newImatrix() *cobra.Command {
	var f imatrixFlags
	cmd := &cobra.Command{
		Use:   "imatrix -m FILE -f TEXT -o OUT",
		Short: "Compute an importance matrix of a model",
		Long:  fmt.Sprintf(imatrixLong, measure.SelfChunks),
		Args:  cmdline.NoArgs,
		RunE:  interrupt.Handled(func(cmd *cobra.Command, _ []string) error { return f.run(cmd) }),
	}
	fs := cmd.Flags()
	f.prompt.Add(cmd)
	fs.BoolVar(&f.self, "self", false, "calibrate on text that the model generates")
	fs.Uint64Var(&f.seed, "seed", 1, "generate that text with the seed `N`")
	fs.StringVarP(&f.out, "output", "o", "", "write the importance matrix to `FILE`")
	fs.StringVar(&f.format, "output-format", "",
		"write a file of the `KIND` dat or gguf; default: gguf if the name ends so, else dat")
	fs.StringArrayVar(&f.in, "in-file", nil,
		"begin with what `FILE` holds; may be given several times. If it is OUT, its chunks of the text are skipped")
	fs.IntVarP(&f.opt.Context, "ctx-size", "c", 512, "cut the text into chunks of `N` tokens")
	fs.IntVar(&f.opt.Chunks, "chunks", 0, "stop after `N` chunks; 0: all")
	fs.IntVar(&f.opt.Skip, "chunk", 0, "leave out the first `N` chunks")
	fs.BoolVar(&f.opt.Documents, "documents", false, "the text is a list of documents between lines <|endoftext|>")
	fs.BoolVar(&f.opt.Output, "process-output", false, "measure the matrix that makes the logits, too")
	fs.StringVar(&f.products, "products", "", "also record input correlations, in groups of `N` columns (--products=N) or of as many as fit in 1 GiB: for much better files")
	fs.Lookup("products").NoOptDefVal = "auto"
	fs.IntVar(&f.save, "output-frequency", 10, "save every `N` chunks")
	fs.IntVar(&f.keep, "save-frequency", 0, "keep a copy OUT.at_CHUNKS every `N` chunks; 0: never")
	fs.BoolVar(&f.stats, "stats", false, "print figures of every matrix")
	cmdline.AddChoice(cmd, &f.printed.Name, "stats-format", "", "print the figures as `FORMAT`", "text", "json")
	f.printed.Name = "text"
	f.model.Add(cmd)
	return cmd
}

func (f *imatrixFlags) run(cmd *cobra.Command) error {
	text := f.prompt.File != "" || cmd.Flags().Changed("prompt")
	err := f.checkSelf(cmd, text)
	if err == nil {
		err = f.setProducts()
	}
	if err == nil {
		err = f.check(text || f.self)
	}
	if err != nil {
		return fmt.Errorf("imatrix: %w", err)
	}
	all, err := f.read()
	if err != nil {
		return err
	}
	if text || f.self {
		if err := f.collect(cmd, all); err != nil {
			return err
		}
	}
	if f.out != "" {
		if err := f.write(all, f.out); err != nil {
			return err
		}
	}
	if f.stats {
		return f.print(cmd, all)
	}
	return nil
}

// check refuses command lines that leave nothing to do.
func (f *imatrixFlags) check(text bool) error {
	switch {
	case !text && len(f.in) == 0:
		return errors.New("nothing to measure: give a text with -f FILE, --self, or files to merge with --in-file")
	case f.out == "" && !f.stats:
		return errors.New("no output: add -o FILE, or --stats")
	case f.format != "" && f.format != string(imatrix.DAT) && f.format != string(imatrix.GGUF):
		return fmt.Errorf("--output-format %s: want dat or gguf", f.format)
	case f.opt.Products && f.out != "" && f.kind() != imatrix.GGUF:
		return fmt.Errorf("--products: only a GGUF file has a place for them: give the output a name that ends in .gguf")
	case f.save < 1:
		return fmt.Errorf("--output-frequency %d: must be at least 1", f.save)
	case f.keep < 0:
		return fmt.Errorf("--save-frequency %d: cannot be negative", f.keep)
	case f.opt.Context < 1:
		return fmt.Errorf("--ctx-size %d: must be at least 1", f.opt.Context)
	case newfile.Same(f.out, f.prompt.File) || newfile.Same(f.out, f.model.Path):
		return fmt.Errorf("%s: the output would replace the input: give it another name", f.out)
	case f.out != "":
		return fileio.Writable(f.out)
	}
	return nil
}

// checkSelf refuses what does not go with a text that the model writes, or without it.
func (f *imatrixFlags) checkSelf(cmd *cobra.Command, text bool) error {
	switch {
	case f.self && text:
		return errors.New("--self is for when there is no text: leave out one of them")
	case f.self && f.opt.Documents:
		return errors.New("--documents is about a text, which --self does without: leave out one of them")
	case !f.self && cmd.Flags().Changed("seed"):
		return errors.New("--seed is for what the model writes: add --self, or leave it out")
	}
	return nil
}

// setProducts sets the options that --products names.
func (f *imatrixFlags) setProducts() error {
	if f.products == "" {
		return nil
	}
	f.opt.Products = true
	if f.products == "auto" {
		return nil
	}
	n, err := strconv.Atoi(f.products)
	if err != nil || n < 1 || n%256 != 0 {
		return fmt.Errorf("--products=%s: want a number of columns, a multiple of 256, or --products alone", f.products)
	}
	f.opt.Run = n
	return nil
}

// read returns what the input files hold. If one is the output, a run goes on that
// has been broken off: its chunks are skipped.
func (f *imatrixFlags) read() (*imatrix.Matrix, error) {
	all := imatrix.New(f.opt.Context)
	for i, name := range f.in {
		if err := fileio.Regular(name); err != nil {
			return nil, fmt.Errorf("imatrix: %w", err)
		}
		if slices.ContainsFunc(f.in[:i], func(other string) bool { return newfile.Same(name, other) }) {
			return nil, fmt.Errorf("imatrix: --in-file %s is there twice: what it holds would count twice", name)
		}
		m, err := imatrix.Read(name)
		if errors.Is(err, fs.ErrNotExist) && name == f.out {
			continue // the first run
		}
		if err != nil {
			return nil, err
		}
		if newfile.Same(name, f.out) {
			if err := f.goOn.from(name, m, f.opt.Context); err != nil {
				return nil, err
			}
		}
		m.AssumeChunkSize(f.opt.Context)
		if err := all.Add(m); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

// collect measures the text.
func (f *imatrixFlags) collect(cmd *cobra.Command, all *imatrix.Matrix) error {
	var text string
	if !f.self {
		var err error
		if text, err = f.prompt.Read(cmd); err != nil {
			return err
		}
	}
	origin := f.origin(text)
	skip, err := f.goOn.skip(cmd.ErrOrStderr(), origin, f.dataset())
	if err != nil {
		return err
	}
	m, err := f.model.Open()
	if err != nil {
		return err
	}
	defer m.Close()
	f.opt.Skip += skip
	if all.Origin = origin; all.Chunks != skip {
		all.Origin = "" // chunks of other texts are among them
	}
	if f.prompt.File != "" {
		all.AddDataset(f.dataset())
	}
	show := console.NewStatus(cmd.ErrOrStderr())
	f.opt.Chunk = func(done, total int) error {
		show.Show("chunk %d of %d", done, total)
		return f.saveSome(all, done)
	}
	if f.self {
		all.AddDataset(f.dataset())
		f.opt.Seed = f.seed
		f.opt.Written = func(done, total int) { show.Show("written %d of %d tokens", done, total) }
		err = measure.CollectImatrixSelf(cmd.Context(), m, all, f.opt)
	} else {
		err = measure.CollectImatrix(cmd.Context(), m, text, all, f.opt)
	}
	show.Clear()
	return err
}

// saveSome saves what there is after some of the chunks.
func (f *imatrixFlags) saveSome(all *imatrix.Matrix, done int) error {
	if f.out == "" {
		return nil
	}
	if f.keep > 0 && done%f.keep == 0 {
		if err := f.write(all, fmt.Sprintf("%s.at_%d", f.out, all.Chunks)); err != nil {
			return err
		}
	}
	if done%f.save != 0 {
		return nil
	}
	return f.write(all, f.out)
}

// kind returns the kind of file to write.
func (f *imatrixFlags) kind() imatrix.Format {
	if f.format != "" {
		return imatrix.Format(f.format)
	}
	return imatrix.FormatOf(f.out)
}

// write writes a file that is there whole or not at all.
func (f *imatrixFlags) write(all *imatrix.Matrix, name string) error {
	b, err := all.Encode(f.kind())
	if err == nil {
		err = fileio.Write(name, func(w io.Writer) error { _, err := w.Write(b); return err })
	}
	if err != nil {
		return fmt.Errorf("imatrix: %s: %w", name, err)
	}
	return nil
}

// print prints the figures of all entries.
func (f *imatrixFlags) print(cmd *cobra.Command, all *imatrix.Matrix) error {
	stats := all.Stats()
	if f.printed.JSON() {
		return console.PrintJSON(cmd, stats)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "tensor\tcolumns\trows\tmean\tmin\tmax\ttop 1 %\tzero\tentropy\tlike before\t")
	for _, s := range stats {
		fmt.Fprintf(w, "%s\t%d\t%d\t%.4g\t%.4g\t%.4g\t%.1f %%\t%d\t%.3f\t%.3f\t\n",
			console.OneLine(s.Name), s.Columns, s.Rows,
			s.Mean, s.Min, s.Max, 100*s.TopShare, s.Zero, s.Entropy, s.Similarity)
	}
	return w.Flush()
}
