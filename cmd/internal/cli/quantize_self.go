package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/mpt/lora"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
)

// selfParameters is up to how many parameters a model writes its own importance matrix
// without being asked: those of MPT-125M, for which it should take some two minutes on two
// cores, by the half minute of one of 29M.
const selfParameters = 1 << 27

// How many tokens a model writes for one quantisation, in texts of which length. That
// takes as long as quantising then does; with 16 times as many tokens the divergence would
// be 8 % less (docs/quantization.md).
const (
	selfTokens = 4096
	selfLength = 512
)

// checkSelf refuses what does not go with an importance matrix that the model measures
// itself.
func (f *quantizeFlags) checkSelf(args []string) error {
	switch {
	case !f.self:
		return nil
	case f.hasProducts():
		return errors.New("--self measures the products of columns, which the importance matrix has already: leave out --imatrix or --self")
	case f.Search == quantize.Reference:
		return errors.New("--self makes better codes than ggml's: leave out one of --self and --search reference")
	case f.shape != "" || lora.IsFolder(args[0]) || !f.quantizes():
		return errors.New("--self is about a model that is quantised: leave it out")
	}
	return nil
}

// wantsSelf reports whether src is to measure its own importance matrix: if the user says
// so, or says nothing and the model is small and its type one that gains from it.
func (f *quantizeFlags) wantsSelf(cmd *cobra.Command, src string) (convert.Source, bool) {
	if cmd.Flags().Changed("self") && !f.self || f.shape != "" || f.hasProducts() || lora.IsFolder(src) {
		return convert.Source{}, false
	}
	s, err := convert.Examine(src)
	if err != nil || s.Exact == "" && !f.AllowRequantize {
		return s, false // converting it says why
	}
	return s, f.self || s.Exact != "" && s.Parameters <= selfParameters && f.gains()
}

// hasProducts reports whether an importance matrix is given that tells everything.
func (f *quantizeFlags) hasProducts() bool { return f.Imatrix != nil && f.Imatrix.HasProducts() }

// quantizes reports whether the type has blocks.
func (f *quantizeFlags) quantizes() bool {
	if strings.EqualFold(f.Type, convert.Copy) {
		return false
	}
	r, err := quantize.ParseRecipe(f.Type)
	if err != nil {
		return true // bits, or what converting refuses
	}
	n, _ := r.Base.Block()
	return n > 1
}

// gains reports whether the type is one that is searched for with what is known of the
// columns, unless other bytes are asked for.
func (f *quantizeFlags) gains() bool {
	r, err := quantize.ParseRecipe(f.Type)
	if err != nil {
		return f.TargetBPW > 0 && f.Type == "" && f.Search != quantize.Reference
	}
	return f.quantizes() && r.Base != gguf.TQ1_0 && r.Base != gguf.TQ2_0 && r.Search(f.Search) == quantize.Better
}

// setSelf measures, if it is wanted, the importance matrix, or what the one that is given
// does not tell. A model that cannot do it is quantised without, unless the user has asked
// for it.
func (f *quantizeFlags) setSelf(cmd *cobra.Command, args []string) error {
	src, out, talk := args[0], args[len(args)-1], cmd.ErrOrStderr()
	s, wanted := f.wantsSelf(cmd, src)
	if !wanted || !f.canWrite(src, out) {
		return nil
	}
	if !f.self {
		note(talk, "quantize: %s writes a text that shows which of its weights matter; --self=false leaves that out", src)
	}
	m, err := f.measureSelf(cmd, src, out, s)
	switch {
	case err != nil && (f.self || cmd.Context().Err() != nil):
		return fmt.Errorf("quantize: --self: %s: %w", src, err)
	case err != nil:
		note(talk, "quantize: without that text: %v", err)
	case f.Imatrix != nil:
		f.Imatrix.BorrowProducts(m)
	default:
		f.Imatrix, f.ImatrixFile = m, selfDataset
	}
	return nil
}

// canWrite reports whether there is a place for out, so that nothing is measured for a
// conversion that will be refused.
func (f *quantizeFlags) canWrite(src, out string) bool {
	if writable(out) != nil || sameFile(src, out) {
		return false
	}
	_, err := os.Lstat(out)
	return f.Force || err != nil
}

// measureSelf measures the model at src, as it is before it becomes out. That of a
// folder is made a file first.
func (f *quantizeFlags) measureSelf(cmd *cobra.Command, src, out string, s convert.Source) (*imatrix.Matrix, error) {
	if info, err := os.Stat(src); err == nil && info.IsDir() {
		file, remove, err := convert.Aside(cmd.Context(), src, out, convert.Options{Type: s.Exact, Threads: f.Threads})
		if err != nil {
			return nil, err
		}
		defer remove()
		src = file
	}
	var opts []mpt.Option
	if f.Threads > 0 {
		opts = append(opts, mpt.Threads(f.Threads))
	}
	m, err := mpt.Open(src, opts...)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return collectSelf(cmd, m)
}

// collectSelf lets a model write a text and measures that.
func collectSelf(cmd *cobra.Command, m *mpt.Model) (*imatrix.Matrix, error) {
	show := newStatus(cmd.ErrOrStderr())
	defer show.clear()
	length := min(selfLength, m.Config().Context)
	all := imatrix.New(length)
	all.AddDataset(selfDataset)
	opt := mpt.ImatrixOptions{Context: length, Chunks: selfTokens / length, Products: true}
	opt.Chunk = func(done, total int) error {
		show.show("measured %d of %d chunks", done, total)
		return nil
	}
	return all, mpt.CollectImatrixSelf(cmd.Context(), m, 1, all, opt, func(done, total int) {
		show.show("written %d of %d tokens", done, total)
	})
}
