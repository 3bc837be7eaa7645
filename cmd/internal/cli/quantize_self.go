package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/mpt/lora"
	"mptgo/quantize"
	"mptgo/quantize/imatrix"
)

// selfParameters is up to how many parameters a model writes its own importance matrix
// without being asked: those of MPT-125M, for which it takes a minute or two on two cores.
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
	case f.imatrix != "":
		return errors.New("--self is for when there is no importance matrix: leave out --imatrix or --self")
	case f.Search == quantize.Reference:
		return errors.New("--self makes better codes than ggml's: leave out one of --self and --search reference")
	case f.shape != "" || lora.IsFolder(args[0]):
		return errors.New("--self is about a model that is quantised: leave it out")
	}
	return nil
}

// wantsSelf reports whether src is to measure its own importance matrix: if the user says
// so, or says nothing and the model is small and its type one that gains from it.
func (f *quantizeFlags) wantsSelf(cmd *cobra.Command, src string) (convert.Source, bool) {
	if cmd.Flags().Changed("self") && !f.self || f.shape != "" || f.Imatrix != nil || lora.IsFolder(src) {
		return convert.Source{}, false
	}
	s, err := convert.Examine(src)
	if err != nil {
		return s, false // converting it says why
	}
	return s, f.self || s.Exact != "" && s.Parameters <= selfParameters && f.gains()
}

// gains reports whether the type is one that is searched for with what is known of the
// columns, unless other bytes are asked for.
func (f *quantizeFlags) gains() bool {
	r, err := quantize.ParseRecipe(f.Type)
	if err != nil {
		return f.TargetBPW > 0 && f.Type == "" && f.Search != quantize.Reference
	}
	n, _ := r.Base.Block()
	return n > 1 && r.Base != gguf.TQ1_0 && r.Base != gguf.TQ2_0 && r.Search(f.Search) == quantize.Better
}

// measureSelf lets the model at src, as it is before it becomes out, write a text and
// measures the importance of its columns with that.
func (f *quantizeFlags) measureSelf(cmd *cobra.Command, src, out string, s convert.Source) (err error) {
	talk := cmd.ErrOrStderr()
	if !cmd.Flags().Changed("self") {
		note(talk, "quantize: %s writes a text that shows which of its weights matter; --self=false leaves that out", src)
	}
	if info, err := os.Stat(src); err == nil && info.IsDir() {
		dir, err := os.MkdirTemp(filepath.Dir(out), ".mpt-self-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "model.gguf")
		if _, err := convert.Convert(cmd.Context(), src, file, convert.Options{Type: s.Exact, Threads: f.Threads}); err != nil {
			return err
		}
		src = file
	}
	var opts []mpt.Option
	if f.Threads > 0 {
		opts = append(opts, mpt.Threads(f.Threads))
	}
	m, err := mpt.Open(src, opts...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	show := newStatus(talk)
	defer show.clear()
	length := min(selfLength, m.Config().Context)
	all := imatrix.New(length)
	all.AddDataset(selfDataset)
	opt := mpt.ImatrixOptions{Context: length, Chunks: selfTokens / length, Products: true}
	opt.Chunk = func(done, total int) error {
		show.show("measured %d of %d chunks", done, total)
		return nil
	}
	err = mpt.CollectImatrixSelf(cmd.Context(), m, 1, all, opt, func(done, total int) {
		show.show("written %d of %d tokens", done, total)
	})
	f.Imatrix, f.ImatrixFile = all, selfDataset
	return err
}

// setSelf measures the importance matrix if it is wanted. A model that cannot do it is
// quantised without, unless the user has asked for it.
func (f *quantizeFlags) setSelf(cmd *cobra.Command, args []string) error {
	s, wanted := f.wantsSelf(cmd, args[0])
	if !wanted {
		return nil
	}
	err := f.measureSelf(cmd, args[0], args[len(args)-1], s)
	switch {
	case err == nil:
		return nil
	case f.self || cmd.Context().Err() != nil:
		return fmt.Errorf("quantize: --self: %s: %w", args[0], err)
	}
	f.Imatrix, f.ImatrixFile = nil, ""
	note(cmd.ErrOrStderr(), "quantize: without that text: %v", err)
	return nil
}
