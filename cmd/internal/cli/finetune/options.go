package finetune

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/pull"
	"mptgo/mpt/tune"
	"mptgo/mpt/tune/foundry"
)

// options are what a command line says.
type options struct {
	model   string
	hub     pull.Flags
	threads int
	exact   bool
	memory  bool // ignore how much there is

	files, evalFiles []string
	evalSplit        float64
	format           string
	text             string
	prompt           string
	response         string
	template         string
	plainMarkers     bool
	targetPrompts    string
	targetResponses  string
	onInputs         bool
	length           int
	long             string
	strict           bool
	noShuffle        bool
	packing          bool
	noPacking        bool

	rank       int
	alpha      float64
	dropout    float64
	targets    []string
	layers     string
	rslora     bool
	ranks      map[string]string
	alphas     map[string]string
	init       string
	optim      string
	lr         float64
	betas      []float64
	eps        float64
	decay      float64
	norm       float64
	schedule   string
	warmup     string
	alphaF     float64
	batch      int
	micro      int
	epochs     float64
	maxSteps   int
	duration   string
	preset     string
	seed       uint64
	keepValues string

	out       string
	gguf      string
	unfused   bool
	typ       string
	baseName  string
	evalEvery string
	evalFirst bool
	patience  int
	saveEvery string
	saveTime  time.Duration
	keep      int
	logEvery  int
	samples   []string
	output    string

	tensorboard string
	resume      string
	force       bool
	dryRun      bool
	plan        string
	dumpGrads   string
}

// renamed are other names of flags.
var renamed = map[string]string{
	"train-data": "file", "max-seq-len": "ctx-size", "rank": "lora-r", "learning-rate": "lr", "output-dir": "lora-out",
	"per-device-train-batch-size": "batch", "num-train-epochs": "epochs",
}

func (f *options) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if to := renamed[name]; to != "" {
			name = to
		}
		return pflag.NormalizedName(name)
	})
	fs.VarP((*cmdline.FileName)(&f.model), "model", "m", "the model, a GGUF `FILE` of any type (default: the small model that is built in)")
	f.hub.Add(cmd)
	fs.StringArrayVarP(&f.files, "file", "f", nil, "train on the rows of `FILE`; may be given several times (also --train-data)")
	fs.StringVar(&f.out, "lora-out", "", "write the adapter to the folder `DIR`")
	f.addData(fs)
	f.addAdapter(fs)
	f.addTraining(fs)
	f.addRun(fs)
	fs.StringVar(&f.plan, "plan", "", "repeat the run of a file: its rows, order and settings")
	fs.StringVar(&f.dumpGrads, "dump-grads", "", "write the gradients of the first step to `FILE`, and stop")
	fs.StringVar(&f.keepValues, "keep-activations", "auto", "what is kept for the way back: auto, none or all")
	for _, name := range []string{"plan", "dump-grads", "keep-activations"} {
		fs.MarkHidden(name)
	}
}

func (f *options) addData(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.evalFiles, "eval-file", nil, "evaluate on the rows of `FILE`; may be given several times")
	fs.Float64Var(&f.evalSplit, "eval-split", 0, "evaluate on the share `X` of the rows, or so many if it is not below 1, and train on the others")
	fs.StringVar(&f.format, "format", "", "the `KIND` of the rows, where their keys leave it open")
	fs.StringVar(&f.text, "text-field", "", "the `KEY` of texts")
	fs.StringVar(&f.prompt, "prompt-field", "", "the `KEY` of prompts")
	fs.StringVar(&f.response, "response-field", "", "the `KEY` of responses")
	fs.StringVar(&f.template, "chat-template", "", "write conversations in the format `NAME`; default: the model's own, else chatml")
	fs.BoolVar(&f.plainMarkers, "allow-plain-markers", false, "accept a format whose markers are no tokens of the vocabulary")
	fs.StringVar(&f.targetPrompts, "target-prompts", "none", "learn of prompts `none`, all, or length>=N")
	fs.StringVar(&f.targetResponses, "target-responses", "last", "learn the `last` response of a conversation, or all")
	fs.BoolVar(&f.onInputs, "train-on-inputs", false, "the same as --target-prompts all")
	fs.IntVarP(&f.length, "ctx-size", "c", 0, "rows of up to `N` tokens; 0: the model's context, up to 2048 (also --max-seq-len)")
	fs.StringVar(&f.long, "long", "", "what becomes of longer rows: `truncate`, drop, error or split")
	fs.BoolVar(&f.strict, "strict", false, "rows that would be left out are errors")
	fs.BoolVar(&f.packing, "packing", true, "rows share a micro-batch, and never see each other. No result depends on it")
	fs.BoolVar(&f.noPacking, "no-packing", false, "each row is a micro-batch by itself: slower, less memory")
	fs.BoolVar(&f.noShuffle, "no-shuffle", false, "keep the order of the rows")
}

func (f *options) addAdapter(fs *pflag.FlagSet) {
	fs.IntVar(&f.rank, "lora-r", 16, "rank `N` of the adapter")
	fs.Float64Var(&f.alpha, "lora-alpha", 32, "the adapter is scaled by `X`/rank")
	fs.Float64Var(&f.dropout, "lora-dropout", 0, "leave out the share `X` of the adapter's inputs")
	fs.StringSliceVar(&f.targets, "lora-target", []string{tune.AllLinear}, "change the `MODULES`: Wqkv, out_proj, up_proj, gate_proj, down_proj")
	fs.StringVar(&f.layers, "lora-layers", "", "change the layers `A-B`, from 0 on")
	fs.BoolVar(&f.rslora, "rslora", false, "scale by alpha/sqrt(rank)")
	fs.StringToStringVar(&f.ranks, "rank-pattern", nil, "another rank for some modules, `MODULE=R`")
	fs.StringToStringVar(&f.alphas, "alpha-pattern", nil, "another alpha for some modules, `MODULE=A`")
	fs.StringVar(&f.init, "lora-init", "", "begin with the adapter in `DIR`")
}

func (f *options) addTraining(fs *pflag.FlagSet) {
	fs.StringVar(&f.preset, "preset", "", "the settings that others are known for: `qlora`, foundry-lora or peft")
	fs.StringVar(&f.optim, "optim", tune.AdamW, "optimiser `NAME`: adamw, decoupled_adamw, decoupled_lionw")
	fs.Float64Var(&f.lr, "lr", math.NaN(), "learning rate `X`; default 2e-4, of decoupled_lionw 2e-5")
	fs.Float64SliceVar(&f.betas, "betas", nil, "the optimiser's `B1,B2`; default: as its authors have them")
	fs.Float64Var(&f.eps, "eps", math.NaN(), "the optimiser's eps `X`; default 1e-8")
	fs.Float64Var(&f.decay, "weight-decay", math.NaN(), "weight decay `X`; default 0")
	fs.Float64Var(&f.norm, "max-grad-norm", 1, "limit the norm of the gradients to `X`; 0: do not")
	fs.StringVar(&f.schedule, "lr-schedule", "linear", "how the rate falls: constant, `linear` or cosine")
	fs.StringVar(&f.warmup, "warmup", "0.03", "raise the rate for `N` steps; below 1: a share of the run; 50ba, 0.02dur")
	fs.Float64Var(&f.alphaF, "alpha-f", 0, "the rate ends at the factor `X`")
	fs.IntVar(&f.batch, "batch", 16, "`N` rows a step")
	fs.IntVar(&f.micro, "micro-batch", 0, "compute `N` tokens together; 0: as memory allows. No result depends on it")
	fs.Float64Var(&f.epochs, "epochs", 3, "go over the rows `N` times")
	fs.IntVar(&f.maxSteps, "max-steps", 0, "do `N` steps, whatever --epochs says")
	fs.StringVar(&f.duration, "duration", "", "the length of the run, such as `2ep` or 500ba")
	fs.Uint64Var(&f.seed, "seed", 1, "the seed `N` of all that is random")
}

func (f *options) addRun(fs *pflag.FlagSet) {
	fs.StringVar(&f.evalEvery, "eval-every", "", "evaluate after every `TIME`, such as 50 steps or 2ep; default: every epoch")
	fs.BoolVar(&f.evalFirst, "eval-first", true, "evaluate before the first step, too")
	fs.IntVar(&f.patience, "patience", 0, "stop after `N` evaluations that are not better than the best; 0: never")
	fs.StringVar(&f.saveEvery, "save-every", "", "write a checkpoint after every `TIME`, such as 50 steps; default: every epoch, and --save-time")
	fs.DurationVar(&f.saveTime, "save-time", 30*time.Minute, "write a checkpoint at least after so much `TIME`")
	fs.IntVar(&f.keep, "keep", 2, "keep the last `N` checkpoints; 0: all")
	fs.IntVar(&f.logEvery, "log-every", 1, "print every `N`th step")
	fs.StringArrayVar(&f.samples, "sample", nil, "continue `TEXT` at each evaluation, to see the change; may be given several times")
	fs.StringVar(&f.gguf, "gguf-out", "", "write the adapter as GGUF to `FILE`, too")
	fs.BoolVar(&f.unfused, "unfused", false, "write Wq, Wk and Wv in place of Wqkv, for a base whose checkpoint has fused_qkv false")
	fs.StringVar(&f.typ, "adapter-type", "F32", "store the GGUF adapter as `TYPE` F32, F16 or BF16")
	fs.StringVar(&f.baseName, "base-name", "", "what PEFT is to call the base model, `NAME`; default: what its file says")
	fs.StringVarP(&f.output, "output", "o", "text", "print what happens as `text`, or as lines of json")
	fs.StringVar(&f.tensorboard, "tensorboard", "", "write events for TensorBoard to the folder `DIR`")
	fs.StringVar(&f.resume, "resume", "", "go on with the run in `DIR`, with the flags that it had")
	fs.BoolVar(&f.force, "force", false, "write to a folder that holds another adapter")
	fs.BoolVar(&f.dryRun, "dry-run", false, "read the data, print what training takes of memory, and stop")
	fs.IntVarP(&f.threads, "threads", "t", 0, "work with `N` threads; 0: one per core")
	fs.BoolVar(&f.exact, "exact", false, "calculate in float32 throughout: slower, closest to the reference")
	fs.BoolVar(&f.memory, "ignore-memory", false, "start even if training needs more memory than there is")
}

// optimisers are other names that recipes use: the arithmetic is that of AdamW.
var optimisers = map[string]string{
	"adamw8bit": tune.AdamW, "paged_adamw_8bit": tune.AdamW, "paged_adamw_32bit": tune.AdamW, "adamw_torch": tune.AdamW, "lion": tune.DecoupledLionW,
}

// settle fills in what a recipe and a preset say, and what follows from other flags. The command line is
// stronger than the recipe, and that than the preset.
func (f *options) settle(fs *pflag.FlagSet, args []string, note func(string, ...any)) error {
	if len(args) == 1 {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return fmt.Errorf("finetune: a recipe: %w", err)
		}
		recipe, err := foundry.Read(args[0], text)
		if err != nil {
			return err
		}
		for _, n := range recipe.Notes {
			note("%s: %s", args[0], n)
		}
		if err := apply(fs, &recipe.Settings); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	if f.preset != "" {
		settings, err := foundry.Preset(f.preset)
		if err == nil {
			err = apply(fs, settings)
		}
		if err != nil {
			return fmt.Errorf("--preset: %w", err)
		}
	}
	if to := optimisers[f.optim]; to != "" {
		note("--optim %s is %s here: the adapter's moments are few enough to be float32", f.optim, to)
		f.optim = to
	}
	if f.onInputs {
		f.targetPrompts = "all"
	}
	return nil
}

// lengths are flags that all say how long a run is: who names one of them decides for all.
var lengths = []string{"epochs", "max-steps", "duration"}

// decided returns which flags a weaker source has no say in.
func decided(fs *pflag.FlagSet) func(*pflag.Flag) bool {
	length := slices.ContainsFunc(lengths, fs.Changed)
	return func(x *pflag.Flag) bool { return x.Changed || length && slices.Contains(lengths, x.Name) }
}

// apply sets the flags that settings stand for and that are not set yet.
func apply(fs *pflag.FlagSet, s *foundry.Settings) error {
	skip := decided(fs)
	for _, flag := range s.Flags() {
		x := fs.Lookup(flag.Name)
		switch {
		case x == nil:
			return fmt.Errorf("%s is not supported yet", flag.Name)
		case skip(x):
			continue
		}
		for _, v := range flag.Values {
			if err := fs.Set(flag.Name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// steps returns how many steps the run has, and how many an epoch of some rows has.
func (f *options) steps(rows int) (all, epoch int, err error) {
	epoch = (rows + f.batch - 1) / f.batch
	length := foundry.Time{Value: f.epochs, Unit: foundry.Epochs}
	if f.duration != "" {
		if length, err = foundry.ParseTime(f.duration); err != nil {
			return 0, 0, fmt.Errorf("--duration: %w", err)
		}
	}
	if f.maxSteps > 0 {
		length = foundry.Time{Value: float64(f.maxSteps), Unit: foundry.Batches}
	}
	if length.Unit == foundry.Duration || !(length.Value > 0) || length.Value > 1e9 {
		return 0, 0, errors.New("--duration, --epochs, --max-steps: how long is the run? name epochs, such as 2ep, or steps, such as 500ba")
	}
	return max(1, length.Steps(0, epoch)), epoch, nil
}

// every returns after how many steps something is due that a flag says; without it after every epoch.
func (f *options) every(flag, value string, all, epoch int) (int, error) {
	if value == "" || value == "0" {
		return epoch, nil
	}
	t, err := foundry.ParseTime(value)
	if err != nil {
		return 0, fmt.Errorf("--%s: %w", flag, err)
	}
	return max(1, t.Steps(all, epoch)), nil
}

// optimizer returns what the flags say of it.
func (f *options) optimizer() (tune.Optimizer, error) {
	o, err := tune.Defaults(f.optim)
	if err != nil {
		return o, err
	}
	for _, x := range []struct {
		flag  float64
		value *float64
	}{{f.lr, &o.LR}, {f.eps, &o.Eps}, {f.decay, &o.WeightDecay}} {
		if !math.IsNaN(x.flag) {
			*x.value = x.flag
		}
	}
	if f.betas != nil {
		if len(f.betas) != 2 {
			return o, errors.New("--betas: want two numbers, such as 0.9,0.999")
		}
		o.Beta1, o.Beta2 = f.betas[0], f.betas[1]
	}
	return o, nil
}

// lora returns what the flags say of the adapter.
func (f *options) lora() (l tune.LoRA, err error) {
	l = tune.LoRA{Rank: f.rank, Alpha: f.alpha, Dropout: f.dropout, RSLoRA: f.rslora, Targets: f.targets}
	if f.layers != "" {
		a, b, ok := strings.Cut(f.layers, "-")
		if !ok {
			b = a
		}
		first, err1 := strconv.Atoi(a)
		last, err2 := strconv.Atoi(b)
		if err1 != nil || err2 != nil || first < 0 || last < first {
			return l, fmt.Errorf("--lora-layers %s: want two numbers of layers, such as 0-15", f.layers)
		}
		l.First, l.Last = first, last+1
	}
	if l.Ranks, err = patterns("--rank-pattern", f.ranks); err != nil {
		return l, err
	}
	l.Alphas, err = patterns("--alpha-pattern", f.alphas)
	return l, err
}

// patterns returns those of a flag, in the order of their names.
func patterns(flag string, of map[string]string) (list []tune.Pattern, err error) {
	var names []string
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v, err := strconv.ParseFloat(of[name], 64)
		if err != nil {
			return nil, fmt.Errorf("%s %s=%s: want a number", flag, name, of[name])
		}
		list = append(list, tune.Pattern{Match: name, Value: v})
	}
	return list, nil
}

// given returns the flags of a command line as JSON, for a run that goes on.
func given(fs *pflag.FlagSet) json.RawMessage {
	values := map[string][]string{}
	fs.Visit(func(x *pflag.Flag) {
		if slices.Contains([]string{"resume", "force", "threads"}, x.Name) {
			return
		}
		if list, ok := x.Value.(pflag.SliceValue); ok {
			values[x.Name] = list.GetSlice()
			return
		}
		values[x.Name] = []string{strings.Trim(x.Value.String(), "[]")}
	})
	text, _ := json.Marshal(values) // strings always can be
	return text
}

// mayChange refuses flags beside --resume that would change the result and that the trainer cannot see, and
// those that would have no effect.
func (f *options) mayChange(fs *pflag.FlagSet, saved json.RawMessage) error {
	values := map[string][]string{}
	if err := json.Unmarshal(saved, &values); err != nil {
		return fmt.Errorf("the flags in the checkpoint: %w", err)
	}
	for _, name := range []string{"warmup", "lora-init", "eval-every"} {
		x := fs.Lookup(name)
		was := x.DefValue
		if list := values[name]; len(list) > 0 {
			was = list[0]
		}
		if x.Changed && x.Value.String() != was {
			return fmt.Errorf("finetune: --%s is %s, was %q in the run that --resume goes on with: leave it out", name, x.Value, was)
		}
	}
	if fs.Changed("lora-out") && filepath.Clean(f.out) != filepath.Clean(f.resume) {
		return fmt.Errorf("finetune: --resume %s goes on in that folder: leave --lora-out out", f.resume)
	}
	return nil
}

// restore sets the flags of an earlier command line that this one does not have.
func restore(fs *pflag.FlagSet, saved json.RawMessage) error {
	values := map[string][]string{}
	if err := json.Unmarshal(saved, &values); err != nil {
		return fmt.Errorf("the flags in the checkpoint: %w", err)
	}
	skip := decided(fs)
	for name, list := range values {
		x := fs.Lookup(name)
		switch {
		case x == nil:
			return fmt.Errorf("the run had the flag --%s, which is not known", name)
		case skip(x):
			continue
		}
		if s, ok := x.Value.(pflag.SliceValue); ok {
			if err := s.Replace(list); err != nil {
				return err
			}
			x.Changed = true
			continue
		}
		for _, v := range list {
			if err := fs.Set(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}
