package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/lora"
)

// modelFlags are the flags of the subcommands that run a model.
type modelFlags struct {
	path    string
	threads int
	batch   int
	exact   bool
	isa     isaFlag
	cache   cacheFlags
	lora    loraFlag
	hub     hubFlags
	memory  bool // ignore how much there is
}

func (m *modelFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.VarP((*fileName)(&m.path), "model", "m", "the model, a GGUF `FILE` (default: the small model that is built in)")
	fs.IntVarP(&m.threads, "threads", "t", 0, "work with `N` threads; 0: one per core")
	m.hub.add(cmd)
	m.addEngine(cmd)
	m.isa.add(cmd)
}

// fileName is the value of a flag for which the empty name means that it was not
// given: a script that gives one has lost the name.
type fileName string

func (f *fileName) String() string { return string(*f) }
func (f *fileName) Type() string   { return "string" }

func (f *fileName) Set(s string) error {
	if s == "" {
		return errors.New("the name is empty")
	}
	*f = fileName(s)
	return nil
}

// addEngine adds the flags that do not say which model, how many threads, and
// which kernels.
func (m *modelFlags) addEngine(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.IntVarP(&m.batch, "batch-size", "b", 512, "read the prompt in steps of `N` tokens")
	fs.BoolVar(&m.exact, "exact", false, "calculate in float32 throughout: slower, closest to the reference")
	fs.BoolVar(&m.memory, "ignore-memory", false, "start even if the model and its context need more memory than there is")
	m.cache.add(cmd)
	m.lora.add(cmd)
}

// open opens the model that the flags name.
func (m *modelFlags) open() (*mpt.Model, error) {
	if err := m.hub.locate(&m.path); err != nil {
		return nil, err
	}
	opts, err := m.options()
	if err != nil {
		return nil, err
	}
	model, err := m.openWith(opts)
	if err != nil {
		return nil, err
	}
	m.lora.note(model)
	return model, nil
}

// openDraft opens a draft model as the flags open the model, but for adapters.
func (m *modelFlags) openDraft(path string) (*mpt.Model, error) {
	d := *m
	d.path, d.lora = path, loraFlag{}
	opts, err := d.options()
	if err != nil {
		return nil, err
	}
	return d.openWith(opts)
}

// errNoModel is what a slim build says where no model is named.
var errNoModel = errors.New("no model: this build has none in it; name a file with -m FILE, or one of HuggingFace's hub with -hf USER/MODEL")

func (m *modelFlags) openWith(opts []mpt.Option) (*mpt.Model, error) {
	if m.path == "" {
		if !builtin.Included {
			return nil, errNoModel
		}
		return builtin.Open(opts...)
	}
	if err := notModel(m.path); err != nil {
		return nil, err
	}
	model, err := mpt.Open(m.path, opts...)
	if err != nil {
		return nil, explain(m.path, err)
	}
	return model, nil
}

// options returns the flags as options of the engine.
func (m *modelFlags) options() ([]mpt.Option, error) {
	if m.threads < 0 {
		return nil, fmt.Errorf("--threads %d: cannot be negative", m.threads)
	}
	if m.batch < 1 {
		return nil, fmt.Errorf("--batch-size %d: must be at least 1", m.batch)
	}
	isa, err := m.isa.choose()
	if err != nil {
		return nil, err
	}
	adapters, err := m.lora.options()
	if err != nil {
		return nil, err
	}
	opts := []mpt.Option{mpt.BatchSize(m.batch), mpt.ISA(isa)}
	if m.threads > 0 {
		opts = append(opts, mpt.Threads(m.threads))
	}
	if m.exact {
		opts = append(opts, mpt.Exact())
	}
	if m.memory {
		opts = append(opts, mpt.IgnoreMemory())
	}
	opts = append(opts, m.cache.options()...)
	return append(opts, adapters...), nil
}

// name returns what people call the model.
func (m *modelFlags) name() string {
	if m.path == "" {
		return builtin.Name + " (built in)"
	}
	return filepath.Base(m.path)
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

// explain adds to err, from opening path as a model, the command that would
// convert it if path is a part of a checkpoint.
func explain(path string, err error) error {
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
