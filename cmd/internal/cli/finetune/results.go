package finetune

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mptgo/cmd/internal/cli/fileio"
	"mptgo/mpt"
	"mptgo/mpt/convert"
	"mptgo/mpt/tokenizer"
	"mptgo/mpt/tune"
	"mptgo/mpt/tune/report"
)

// ggufName is the adapter for --lora and llama.cpp in the folder of PEFT.
const ggufName = "adapter.gguf"

// lastName is the folder of the last adapter, where the best one is another.
const lastName = "last"

// base returns the name of the base model for PEFT.
func (r *run) base() string { return cmp.Or(r.baseName, tune.BaseName(r.model)) }

// checkResults refuses what could not be written at the end of the run.
func (f *options) checkResults() error {
	types := []string{"F32", "F16", "BF16"}
	if !slices.Contains(types, strings.ToUpper(f.typ)) {
		return fmt.Errorf("finetune: --adapter-type %s: want one of %s", f.typ, strings.Join(types, ", "))
	}
	if f.gguf == "" {
		return nil
	}
	info, err := os.Stat(filepath.Dir(f.gguf))
	switch {
	case err != nil:
		return fmt.Errorf("finetune: --gguf-out: %w", err)
	case !info.IsDir():
		return fmt.Errorf("finetune: --gguf-out: %s is no folder", filepath.Dir(f.gguf))
	}
	to, err := os.Stat(f.gguf)
	if err != nil {
		return nil // a new file
	}
	base, err := os.Stat(f.model)
	switch {
	case to.IsDir():
		return fmt.Errorf("finetune: --gguf-out: %s is a folder: name a file", f.gguf)
	case err == nil && os.SameFile(to, base):
		return fmt.Errorf("finetune: --gguf-out: %s is the model: name another file for the adapter", f.gguf)
	case !f.force && f.resume == "":
		return fmt.Errorf("finetune: --gguf-out: %s exists: give --force to write over it", f.gguf)
	}
	return nil
}

// writeResults writes the adapter, or beside the best the last one, and what is made of it.
func (r *run) writeResults() error {
	dir := r.options.out
	last := dir
	if r.held != nil {
		last = filepath.Join(dir, lastName)
	}
	if err := os.MkdirAll(last, 0o755); err != nil {
		return err
	}
	if err := r.trainer.PlaceAdapter(last, r.base()); err != nil {
		return err
	}
	card := func(w io.Writer) error { _, err := io.WriteString(w, r.card()); return err }
	if err := fileio.Write(filepath.Join(dir, "README.md"), card); err != nil {
		return fmt.Errorf("README.md: %w", err)
	}
	targets := []string{filepath.Join(dir, ggufName)}
	if r.gguf != "" {
		targets = append(targets, r.gguf)
	}
	for _, to := range targets {
		opt := convert.Options{Type: strings.ToUpper(r.typ), Force: true, Logf: func(string, ...any) {}}
		if _, err := convert.Convert(context.WithoutCancel(r.ctx), dir, to, opt); err != nil {
			return err
		}
	}
	return nil
}

// card returns the model card.
func (r *run) card() string {
	var b strings.Builder
	fmt.Fprintf(&b, "---\nlibrary_name: peft\n")
	if base := r.base(); base != "" {
		fmt.Fprintf(&b, "base_model: %q\n", base)
	}
	fmt.Fprintf(&b, "tags:\n- lora\n- mpt\n---\n\n# LoRA adapter for %s\n\nMade with `mpt finetune` from %s, %d steps.\n\n", cmp.Or(r.base(), r.modelName()), r.sources(), r.trainer.Done())
	fmt.Fprintf(&b, "| step | loss | evaluation |\n|---|---|---|\n")
	for _, e := range r.figures() {
		loss, eval := "", ""
		if e.Loss != nil {
			loss = fmt.Sprintf("%.4f", *e.Loss)
		}
		if e.EvalLoss != nil {
			eval = fmt.Sprintf("%.4f", *e.EvalLoss)
		}
		fmt.Fprintf(&b, "| %d | %s | %s |\n", e.Step, loss, eval)
	}
	var flags map[string][]string
	if json.Unmarshal(r.given, &flags) == nil {
		fmt.Fprintf(&b, "\nFlags:\n\n")
		for _, name := range sorted(flags) {
			fmt.Fprintf(&b, "    --%s %s\n", name, strings.Join(flags[name], " "))
		}
	}
	fmt.Fprintf(&b, "\nUse: `mpt run -m MODEL.gguf --lora %s`, llama.cpp's `--lora %s`, or PEFT's `PeftModel.from_pretrained`.\n", filepath.Base(r.options.out), ggufName)
	return b.String()
}

// sources names the files of the rows.
func (r *run) sources() string {
	var names []string
	for _, f := range r.files {
		names = append(names, "`"+filepath.Base(f)+"`")
	}
	return cmp.Or(strings.Join(names, ", "), "a plan")
}

// figures returns some entries of the history: all evaluations, and about twenty steps.
func (r *run) figures() (list []tune.Entry) {
	all := r.trainer.History()
	every := max(1, r.trainer.Done()/20)
	for _, e := range all {
		if e.EvalLoss != nil || e.Step%every == 0 || e.Step == 1 {
			list = append(list, e)
		}
	}
	return list
}

func sorted(m map[string][]string) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// sampleTokens is the length of samples.
const sampleTokens = 64

// sample lets the model go on with the texts of --sample.
func (r *run) sample() error {
	if len(r.samples) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "mpt-adapter")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := r.trainer.WriteAdapter(dir, ""); err != nil {
		return err
	}
	a, err := r.model.LoadAdapter(dir)
	if err != nil {
		return err
	}
	for _, text := range r.samples {
		answer, err := r.goOn(text, a)
		if err != nil {
			return fmt.Errorf("finetune: --sample: %w", err)
		}
		r.logged(r.log.Sample(report.Sample{Step: r.trainer.Done(), Prompt: text, Text: answer}))
		if r.output == "json" {
			r.line(map[string]any{"step": r.trainer.Done(), "prompt": text, "text": answer})
		} else {
			fmt.Fprintf(r.out, "sample: %s⟦%s⟧\n", text, answer)
		}
	}
	return nil
}

// goOn returns what the model with an adapter adds to a text.
func (r *run) goOn(text string, a *mpt.Adapter) (string, error) {
	tok := r.model.Tokenizer()
	ids := tok.Encode(text, tokenizer.EncodeOptions{AddSpecial: true})
	s, err := r.model.NewSession(mpt.ContextSize(len(ids) + sampleTokens + 1))
	if err != nil {
		return "", err
	}
	defer s.Close()
	if err := s.SetAdapters(mpt.AdapterUse{Adapter: a, Scale: 1}); err != nil {
		return "", err
	}
	if err := s.Eval(r.ctx, ids); err != nil {
		return "", err
	}
	var b strings.Builder
	for token, err := range s.Generate(r.ctx, mpt.GenerateOptions{MaxTokens: sampleTokens}) {
		if err != nil {
			return "", err
		}
		b.WriteString(token.Text)
	}
	return b.String(), nil
}
