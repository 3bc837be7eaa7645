package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/mpt"
)

// promptCache is a file that keeps the state of a session from one run to the next.
type promptCache struct {
	path     string
	all      bool // the state after the answer, not only after the prompt
	readOnly bool
	changed  bool // the prompt has more than the file
}

func (p *promptCache) add(f *pflag.FlagSet) {
	f.Var((*cmdline.FileName)(&p.path), "prompt-cache",
		"save the prompt's state in `FILE`; later prompts with the same prefix start from it")
	f.BoolVar(&p.all, "prompt-cache-all", false, "keep the answer, too")
	f.BoolVar(&p.readOnly, "prompt-cache-ro", false, "use the file, but do not change it")
}

// check refuses flags that say nothing, or two things.
func (p *promptCache) check(cmd *cobra.Command) error {
	if p.path == "" && (p.all || p.readOnly) {
		return fmt.Errorf("%s: --prompt-cache-all and --prompt-cache-ro say how to use a file: name it with --prompt-cache", cmd.Name())
	}
	if err := cmdline.OneOnly(cmd, "prompt-cache-all", "prompt-cache-ro"); err != nil || p.path == "" || p.readOnly {
		return err
	}
	if err := fileio.Writable(p.path); err != nil { // before the prompt is read: that may take minutes
		return fmt.Errorf("--prompt-cache: %w", err)
	}
	return nil
}

// load restores the session from the file, as far as its tokens are those of the prompt,
// and returns how many are: not the last one of the prompt, unless its logits are there.
func (p *promptCache) load(s *mpt.Session, ids []int32) (int, error) {
	p.changed = true
	if p.path == "" {
		return 0, nil
	}
	f, err := fileio.Open(p.path)
	if errors.Is(err, fs.ErrNotExist) && !p.readOnly {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("--prompt-cache: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() == 0 {
		return 0, nil // a new one, from mktemp or touch, as in llama.cpp
	}
	if err := s.Restore(f); err != nil {
		return 0, fmt.Errorf("--prompt-cache %s: %w: name another file, or remove this one if it is an old cache",
			p.path, err)
	}
	n := mpt.CommonPrefix(s.Tokens(), ids)
	p.changed = n < len(ids)
	if n == len(ids) && (n < s.Len() || s.Logits() == nil) {
		n--
	}
	return n, s.Truncate(n)
}

// savePrompt writes the state after the prompt, if the file has not got it.
func (p *promptCache) savePrompt(s *mpt.Session) error {
	if !p.changed {
		return nil
	}
	return p.save(s)
}

// saveAll writes the state after the answer, if that is wanted.
func (p *promptCache) saveAll(s *mpt.Session) error {
	if !p.all {
		return nil
	}
	return p.save(s)
}

func (p *promptCache) save(s *mpt.Session) error {
	if p.path == "" || p.readOnly {
		return nil
	}
	if err := fileio.Write(p.path, func(w io.Writer) error { return s.Save(w) }); err != nil {
		return fmt.Errorf("--prompt-cache %s: %w", p.path, err)
	}
	return nil
}
