package lora

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrFormat is wrapped by every error that is the fault of an adapter's content.
var ErrFormat = errors.New("malformed adapter")

// An Adapter is an open adapter. Its matrices are read on demand, from several
// goroutines if need be.
type Adapter struct {
	Path   string
	Format string // "PEFT" or "GGUF"
	Base   string // the model that it was made for, as the file says, or ""
	Pairs  []Pair
	Whole  []Whole  // tensors that replace those of the model
	Tied   bool     // what changes the embedding changes the output matrix that is tied to it, too
	Notes  []string // what a user should know although it is no error

	close func() error
}

// A Pair is the change of one matrix: A and B with their scale.
type Pair struct {
	// Target is the name of the matrix in a model file, such as
	// "blk.0.attn_qkv.weight". Where a model file has attn_qkv, attn_q, attn_k
	// and attn_v stand for its rows of queries, keys and values.
	Target        string
	Rank, In, Out int     // of token_embd.weight In is the number of tokens
	A, B          *Matrix // [Rank, In], of token_embd.weight [In, Rank]; [Out, Rank]
	Scale         float64 // of the product

	// Magnitude, [1, Out], makes the change a DoRA: each row of the changed matrix is
	// scaled to that length. Nil without it.
	Magnitude *Matrix
}

// A Whole is a tensor that takes the place of one of the model.
type Whole struct {
	Target string  // its name in a model file
	Value  *Matrix // of one row for a vector
	Below  bool    // it lies below a change of the same matrix: a copy of the model's own, unless that was resized
}

// embedding is the one target whose rows are selected by tokens; output may be the same
// matrix.
const (
	embedding = "token_embd.weight"
	output    = "output.weight"
)

// IsTable reports whether p changes the matrix that tokens select rows of.
func (p *Pair) IsTable() bool { return p.Target == embedding }

// Open opens the adapter at path: a folder that PEFT wrote or an adapter file.
func Open(path string) (*Adapter, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	open := openGGUF
	switch {
	case info.IsDir():
		open = openPEFT
	case isWeights(path):
		return nil, fmt.Errorf("lora: %s: a part of an adapter: name its folder, which holds adapter_config.json", path)
	}
	a, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("lora: %s: %w", path, err)
	}
	if err := a.check(); err != nil {
		a.Close()
		return nil, fmt.Errorf("lora: %s: %w", path, err)
	}
	return a, nil
}

func isWeights(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors", ".bin":
		return true
	}
	return false
}

// Close closes the adapter's file. Its matrices can no longer be read.
func (a *Adapter) Close() error { return a.close() }

// MergeOnly returns an error if a has parts that can be used only by merging the
// adapter into a model.
func (a *Adapter) MergeOnly() error {
	feature := ""
	for i := range a.Pairs {
		if a.Pairs[i].Magnitude != nil {
			feature = "DoRA magnitudes (use_dora)"
		}
		if a.Tied && (a.Pairs[i].IsTable() || a.Pairs[i].Target == output) {
			feature = "changes of tied embeddings together (ensure_weight_tying)"
		}
	}
	if len(a.Whole) > 0 {
		feature = fmt.Sprintf("the whole tensor %s (modules_to_save)", a.Whole[0].Target)
	}
	if feature == "" {
		return nil
	}
	return fmt.Errorf("lora: %s: the adapter has %s, which can only be merged: mpt merge-lora BASE %s OUT.gguf: %w",
		a.Path, feature, a.Path, errors.ErrUnsupported)
}

// check checks what both kinds of file must hold.
func (a *Adapter) check() error {
	if len(a.Pairs)+len(a.Whole) == 0 {
		return malformed("there are no tensors of an adapter in it")
	}
	seen := map[string]bool{}
	for i := range a.Pairs {
		p := &a.Pairs[i]
		if seen[p.Target] {
			return malformed("two changes of %s", p.Target)
		}
		seen[p.Target] = true
		if err := p.check(); err != nil {
			return err
		}
	}
	whole := map[string]bool{}
	for _, w := range a.Whole {
		switch {
		case seen[w.Target] && !w.Below:
			return malformed("%s is changed and replaced", w.Target)
		case whole[w.Target]:
			return malformed("%s is replaced twice", w.Target)
		}
		whole[w.Target] = true
	}
	return nil
}

// check compares the shapes of A and B and sets the sizes of p.
func (p *Pair) check() error {
	a, b := p.A, p.B
	p.Rank, p.In, p.Out = b.Cols, a.Cols, b.Rows
	rank := a.Rows
	if p.IsTable() {
		rank, p.In = a.Cols, a.Rows
	}
	switch {
	case rank != p.Rank:
		return malformed("%s: A has rank %d, B has rank %d", p.Target, rank, p.Rank)
	case p.Rank < 1 || p.In < 1 || p.Out < 1:
		return malformed("%s: a product of %d x %d and %d x %d", p.Target, p.Out, p.Rank, p.Rank, p.In)
	case p.Magnitude != nil && p.IsTable():
		return fmt.Errorf("DoRA of the embedding (%s) is not supported: %w", p.Magnitude.Name, errors.ErrUnsupported)
	case p.Magnitude != nil && p.Magnitude.Rows*p.Magnitude.Cols != p.Out:
		return malformed("%s has %d values for %d rows of %s", p.Magnitude.Name, p.Magnitude.Rows*p.Magnitude.Cols,
			p.Out, p.Target)
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrFormat}, args...)...)
}
