package inspect

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/quantize"
)

// weightCheck is what was found among the weights of a file or folder.
type weightCheck struct {
	File    string      `json:"file"`
	Checked int         `json:"checked"` // tensors
	Bad     []badTensor `json:"bad"`
	Skipped []string    `json:"skipped,omitempty"` // tensors of types that hold no weights
}

// badTensor is a tensor with values, or blocks with scales, that are not finite.
type badTensor struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Blocks int    `json:"blocks"` // of one value each if the type has no blocks
	Count  int    `json:"not_finite"`
	First  int    `json:"first"` // the index of the first such block
}

// inspectWeights is mpt inspect --check.
func inspectWeights(cmd *cobra.Command, path string, out cmdline.Format) error {
	c := &weightCheck{File: path, Bad: []badTensor{}}
	if err := c.read(cmd.Context(), path); err != nil {
		return err
	}
	print := func() error { return c.print(cmd.OutOrStdout()) }
	if out.JSON() {
		print = func() error { return console.PrintJSON(cmd, c) }
	}
	if err := print(); err != nil {
		return err
	}
	if len(c.Bad) > 0 {
		return fmt.Errorf("inspect: %s: %d of %s hold what is no finite number: the model is damaged",
			path, len(c.Bad), console.Plural(c.Checked, "tensor", "tensors"))
	}
	return nil
}

// read looks at all tensors in the file or folder at path.
func (c *weightCheck) read(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	if info.IsDir() {
		ck, err := checkpoint.Open(path)
		if err != nil {
			return err
		}
		defer ck.Close()
		return c.containers(ctx, ck.Tensors())
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors", ".bin", ".pt", ".pth", ".ckpt":
	default:
		return c.gguf(ctx, path)
	}
	f, err := checkpoint.OpenWeights(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.containers(ctx, f.Tensors())
}

// pieceBytes is about how much is looked at between two looks at the context.
const pieceBytes = 4 << 20

func (c *weightCheck) gguf(ctx context.Context, path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Guard(func() error {
		for _, t := range f.Tensors() {
			row := t.RowBytes()
			read := func(r0, r1 int) ([]byte, error) { return t.Data()[r0*row : r1*row], nil }
			if err := c.tensor(ctx, t.Name, t.Type, t.Rows(), row, read); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *weightCheck) containers(ctx context.Context, tensors []*checkpoint.Tensor) error {
	var buf []byte
	for _, t := range tensors {
		typ, err := t.Type()
		if err != nil {
			c.Skipped = append(c.Skipped, t.Name)
			continue
		}
		read := func(r0, r1 int) ([]byte, error) {
			n := (r1 - r0) * t.RowBytes()
			if cap(buf) < n {
				buf = make([]byte, n)
			}
			return buf[:n], t.ReadRows(buf[:n], r0, r1)
		}
		if err := c.tensor(ctx, t.Name, typ, t.Rows(), t.RowBytes(), read); err != nil {
			return err
		}
	}
	return nil
}

// tensor looks at a tensor of so many rows of so many bytes, which read returns.
func (c *weightCheck) tensor(ctx context.Context, name string, typ gguf.Type, rows, rowBytes int, read func(r0, r1 int) ([]byte, error)) error {
	if _, ok := quantize.Lookup(typ); !ok {
		c.Skipped = append(c.Skipped, name)
		return nil
	}
	_, size := typ.Block()
	bad := badTensor{Name: name, Type: typ.String(), Blocks: rows * (rowBytes / size)}
	step := max(1, pieceBytes/max(rowBytes, 1))
	for r := 0; r < rows; r += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := read(r, min(r+step, rows))
		if err != nil {
			return err
		}
		n, first, err := quantize.NotFinite(typ, b)
		if err != nil {
			return fmt.Errorf("inspect: tensor %s: %w", name, err)
		}
		if n > 0 && bad.Count == 0 {
			bad.First = r*(rowBytes/size) + first
		}
		bad.Count += n
	}
	c.Checked++
	if bad.Count > 0 {
		c.Bad = append(c.Bad, bad)
	}
	return nil
}

func (c *weightCheck) print(w io.Writer) error {
	var text strings.Builder
	for _, b := range c.Bad {
		what := "values are"
		if typ, err := gguf.ParseType(b.Type); err == nil {
			if n, _ := typ.Block(); n > 1 {
				what = fmt.Sprintf("blocks of %d values have a scale that is", n)
			}
		}
		fmt.Fprintf(&text, "%s: %s: %d of %d %s infinite or NaN, the first is number %d\n",
			console.OneLine(b.Name), b.Type, b.Count, b.Blocks, what, b.First)
	}
	for _, name := range c.Skipped {
		fmt.Fprintf(&text, "%s: not checked: its type does not hold weights\n", console.OneLine(name))
	}
	if len(c.Bad) == 0 {
		fmt.Fprintf(&text, "%s: %s checked: all weights are finite\n",
			console.OneLine(c.File), console.Plural(c.Checked, "tensor", "tensors"))
	}
	_, err := io.WriteString(w, text.String())
	return err
}
