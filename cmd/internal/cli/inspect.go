package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
)

const inspectLong = `Print what is in a model: its metadata, its tensors, and how much space they take.

FILE is a GGUF file (the first one, if it is split), a checkpoint folder, or one
safetensors or torch file.`

func newInspect() *cobra.Command {
	var (
		only inspectParts
		out  formatFlag
	)
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what is in a model file or a checkpoint",
		Long:  inspectLong,
		Args:  wantArgs(1),
		RunE: interruptible(func(cmd *cobra.Command, args []string) error {
			inv, err := takeInventory(args[0])
			if err != nil {
				return err
			}
			if out.json() {
				return printJSON(cmd, inv.forJSON(only))
			}
			return inv.print(cmd.OutOrStdout(), only)
		}),
	}
	cmd.Flags().BoolVar(&only.meta, "meta", false, "only the metadata")
	cmd.Flags().BoolVar(&only.tensors, "tensors", false, "only the tensors")
	out.add(cmd, "text")
	return cmd
}

// takeInventory reads what is in the file or folder at path.
func takeInventory(path string) (*inventory, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	if info.IsDir() {
		return checkpointInventory(path)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors":
		return containerInventory(checkpoint.OpenSafetensors(path))
	case ".bin", ".pt", ".pth":
		return containerInventory(checkpoint.OpenTorch(path))
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	inv := &inventory{File: path, Format: fmt.Sprintf("GGUF version %d", f.Version()), Bytes: f.Size(), Meta: f.Meta()}
	for _, t := range f.Tensors() {
		inv.add(t.Name, t.Type.String(), t.Ne, int64(t.Size()))
	}
	return inv, nil
}

// containerInventory reads what is in a file of a checkpoint.
func containerInventory(c *checkpoint.Container, err error) (*inventory, error) {
	if err != nil {
		return nil, err
	}
	defer c.Close()
	info, err := os.Stat(c.Path())
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	format := "torch"
	if strings.EqualFold(filepath.Ext(c.Path()), ".safetensors") {
		format = "safetensors"
	}
	inv := &inventory{File: c.Path(), Format: format, Bytes: info.Size()}
	for _, key := range sortedKeys(c.Metadata()) {
		inv.Meta = append(inv.Meta, gguf.KV{Key: key, Value: c.Metadata()[key]})
	}
	for _, t := range c.Tensors() {
		inv.add(t.Name, t.DType, t.Shape, int64(t.Bytes()))
	}
	return inv, nil
}
