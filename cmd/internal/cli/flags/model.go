// Package flags has the flags that several subcommands share, and makes of them what they stand
// for. Start with [Model]: its Open opens the model that a command line names, for which
// [NewSession] makes a session. Each of the others, such as [Sampling], [Prompt], [ChatFormat]
// and [Grammar], has Add, and a method that returns what was asked for.
package flags

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/pull"
	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/lora"
)

// Model are the flags of the subcommands that run a model.
type Model struct {
	Path    string
	Threads int
	Batch   int
	Exact   bool
	ISA     ISA
	Cache   CacheTypes
	LoRA    LoRA
	hub     pull.Flags
	memory  bool // ignore how much there is

	Host *mpt.Host // for several models; nil: there is one
}

// Add adds all of the flags.
func (m *Model) Add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.VarP((*cmdline.FileName)(&m.Path), "model", "m", "the model, a GGUF `FILE` (default: the small model that is built in)")
	fs.IntVarP(&m.Threads, "threads", "t", 0, "work with `N` threads; 0: one per core")
	m.hub.Add(cmd)
	m.AddEngine(cmd)
	m.ISA.Add(cmd)
}

// AddEngine adds the flags that do not say which model, how many threads, and
// which kernels.
func (m *Model) AddEngine(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.IntVarP(&m.Batch, "batch-size", "b", 512, "read the prompt in steps of `N` tokens")
	fs.BoolVar(&m.Exact, "exact", false, "calculate in float32 throughout: slower, closest to the reference")
	fs.BoolVar(&m.memory, "ignore-memory", false, "start even if the model and its context need more memory than there is")
	m.Cache.add(cmd)
	m.LoRA.add(cmd)
}

// Open opens the model that the flags name.
func (m *Model) Open() (*mpt.Model, error) {
	if err := m.hub.Locate(&m.Path); err != nil {
		return nil, err
	}
	opts, err := m.options()
	if err != nil {
		return nil, err
	}
	model, err := m.OpenWith(opts)
	if err != nil {
		return nil, err
	}
	m.LoRA.note(model)
	return model, nil
}

// openDraft opens a draft model as the flags open the model, but for adapters.
func (m *Model) openDraft(path string) (*mpt.Model, error) {
	d := *m
	d.Path, d.LoRA = path, LoRA{}
	opts, err := d.options()
	if err != nil {
		return nil, err
	}
	return d.OpenWith(opts)
}

// ErrNoModel is what a slim build says where no model is named.
var ErrNoModel = errors.New("no model: this build has none in it; name a file with -m FILE, or one of HuggingFace's hub with -hf USER/MODEL")

// Locate gets the file, if it is to come from the hub.
func (m *Model) Locate() error { return m.hub.Locate(&m.Path) }

// OpenFile opens the file of a model, without the model. There has to be one.
func (m *Model) OpenFile() (*gguf.File, error) {
	if err := notModel(m.Path); err != nil {
		return nil, err
	}
	f, err := gguf.Open(m.Path)
	if err != nil {
		return nil, Explain(m.Path, err)
	}
	return f, nil
}

// OpenWith opens the model of -m with options of the caller.
func (m *Model) OpenWith(opts []mpt.Option) (*mpt.Model, error) {
	if m.Path == "" {
		if !builtin.Included {
			return nil, ErrNoModel
		}
		return builtin.Open(opts...)
	}
	if err := notModel(m.Path); err != nil {
		return nil, err
	}
	model, err := mpt.Open(m.Path, opts...)
	if err != nil {
		return nil, Explain(m.Path, err)
	}
	return model, nil
}

// options returns the flags as options of the engine.
func (m *Model) options() ([]mpt.Option, error) {
	if m.Threads < 0 {
		return nil, fmt.Errorf("--threads %d: cannot be negative", m.Threads)
	}
	if m.Batch < 1 {
		return nil, fmt.Errorf("--batch-size %d: must be at least 1", m.Batch)
	}
	isa, err := m.ISA.Choose()
	if err != nil {
		return nil, err
	}
	adapters, err := m.LoRA.options()
	if err != nil {
		return nil, err
	}
	opts := []mpt.Option{mpt.BatchSize(m.Batch), mpt.Tier(isa)}
	if m.Threads > 0 {
		opts = append(opts, mpt.Threads(m.Threads))
	}
	if m.Exact {
		opts = append(opts, mpt.Exact())
	}
	if m.memory {
		opts = append(opts, mpt.IgnoreMemory())
	}
	if m.Host != nil {
		opts = append(opts, mpt.OnHost(m.Host))
	}
	opts = append(opts, m.Cache.options()...)
	return append(opts, adapters...), nil
}

// Name returns what people call the model.
func (m *Model) Name() string {
	if m.Path == "" {
		return builtin.Name + " (built in)"
	}
	return filepath.Base(m.Path)
}

// notModel returns an error if path is a folder, where a file is wanted.
func notModel(path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return nil // what else is wrong shows when the file is opened
	}
	if lora.IsFolder(path) {
		return fmt.Errorf("%s: a LoRA adapter, not a model: give it with --lora, and its base model with -m", path)
	}
	if _, err := os.Stat(filepath.Join(path, "config.json")); err != nil {
		return fmt.Errorf("%s: a folder, not a model file: name the .gguf file in it", path)
	}
	return fmt.Errorf("%s: a checkpoint folder, not a model file: convert it first: %s", path, convertCommand(path))
}

// Explain adds to err, from opening path as a model, the command that would
// convert it if path is a part of a checkpoint.
func Explain(path string, err error) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors", ".bin", ".pt", ".pth", ".ckpt":
		if errors.Is(err, gguf.ErrFormat) {
			return fmt.Errorf("%w: %s", err, convertCommand(checkpointOf(path)))
		}
	}
	return err
}

// checkpointOf returns what to convert of a file of weights: its folder, if that is where
// they are looked for, or the file itself.
func checkpointOf(path string) string {
	dir := filepath.Dir(path)
	if checkpoint.HasWeights(dir) {
		return dir
	}
	return path
}

func convertCommand(dir string) string {
	return fmt.Sprintf("mpt quantize %s OUT.gguf --type Q8_0", dir)
}
