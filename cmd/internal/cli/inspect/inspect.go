// Package inspect is the command mpt inspect: it shows what is in model files, checkpoints and
// adapters, looks for damage in weights, and shows what the CPU has. [NewCommand] is all that
// others need.
package inspect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/lora"
)

const inspectLong = `Print what is in a model: its metadata, its tensors, and how much space they take.

FILE is a GGUF file (the first one, if it is split), a checkpoint folder, a LoRA adapter
(a GGUF file or a folder of PEFT), or one safetensors or torch file.

With --check, look at all weights, and fail if there are values, or scales of blocks,
that are infinite or not a number.

With --cpu, and without FILE, print what the CPU has: its caches, its extensions
of the instruction set, and which kernels run on it.`

// NewCommand returns mpt inspect.
func NewCommand() *cobra.Command {
	var (
		only inspectParts
		out  cmdline.Format
		cpu  bool
		test bool
		isa  flags.ISA
	)
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what is in a model file or a checkpoint, or what the CPU has",
		Long:  inspectLong,
		Args: func(cmd *cobra.Command, args []string) error {
			if cpu {
				return cmdline.WantArgs(0)(cmd, args)
			}
			return cmdline.WantArgs(1)(cmd, args)
		},
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			if cpu {
				return inspectCPU(cmd, &isa, out)
			}
			if test {
				return inspectWeights(cmd, args[0], out)
			}
			inv, err := takeInventory(args[0])
			if err != nil {
				return err
			}
			if out.JSON() {
				return console.PrintJSON(cmd, inv.forJSON(only))
			}
			return inv.print(cmd.OutOrStdout(), only)
		}),
	}
	cmd.Flags().BoolVar(&only.meta, "meta", false, "only the metadata")
	cmd.Flags().BoolVar(&only.tensors, "tensors", false, "only the tensors")
	cmd.Flags().BoolVar(&test, "check", false, "look for weights that are infinite or not a number")
	cmd.Flags().BoolVar(&cpu, "cpu", false, "show the CPU instead of a file, and the kernels for it")
	isa.Add(cmd)
	out.Add(cmd, "text")
	cmd.MarkFlagsMutuallyExclusive("cpu", "check", "meta", "tensors")
	return cmd
}

// takeInventory reads what is in the file or folder at path.
func takeInventory(path string) (*inventory, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	if info.IsDir() && lora.IsFolder(path) {
		return adapterInventory(path)
	}
	if info.IsDir() {
		return checkpointInventory(path)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors", ".bin", ".pt", ".pth", ".ckpt":
		return containerInventory(checkpoint.OpenWeights(path))
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	inv := &inventory{File: path, Format: fmt.Sprintf("GGUF version %d", f.Version()), Bytes: f.Size(), Meta: f.Meta()}
	for _, t := range f.Tensors() {
		inv.add(t.Name, t.Type.String(), t.Shape, int64(t.Size()))
	}
	if isAdapterFile(f) {
		inv.Format += ", LoRA adapter"
		inv.explainAdapter(path)
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
	inv := &inventory{File: c.Path(), Format: c.Format(), Bytes: info.Size()}
	for _, key := range sortedKeys(c.Metadata()) {
		inv.Meta = append(inv.Meta, gguf.KV{Key: key, Value: c.Metadata()[key]})
	}
	for _, t := range c.Tensors() {
		inv.add(t.Name, t.DType, t.Shape, int64(t.Bytes()))
	}
	return inv, nil
}
