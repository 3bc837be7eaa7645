// Package pull gets models from HuggingFace's hub: the commands mpt pull ([NewCommand]) and mpt
// cache ([NewCacheCommand]), and [Flags], with which other commands take their model from there.
package pull

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/mpt/convert"
	"mptgo/mpt/hub"
	"mptgo/quantize/recipes"
)

const pullLong = `Download a model from HuggingFace's hub into the cache that Python's huggingface_hub and
llama.cpp use, and print where it is. REPO is USER/MODEL, USER/MODEL:TAG for one of several
GGUF files, or a URL of the site; @REV names a branch, a tag or a commit.

Examples:
  mpt pull mosaicml/mpt-7b-chat                 the checkpoint, for mpt quantize
  mpt pull mosaicml/mpt-7b-chat --type Q4_0     a model file, made while the checkpoint comes
  mpt pull someone/mpt-7b-GGUF:Q4_K_M           a GGUF file
  mpt chat -hf someone/mpt-7b-GGUF:Q4_K_M       all at once

Every file is verified. A download that was cut off goes on where it stopped when the same
command is given again. With --type the weights are kept nowhere: the disk needs room for the
model file alone.

A checkpoint comes without programs and in one form of weights; --include takes other files.
HF_TOKEN is for repositories that ask for an account, HF_ENDPOINT for a mirror, HF_HOME for
another place of the cache.`

// pullFlags are the flags of mpt pull.
type pullFlags struct {
	hubAccess
	typ, out         string
	include, exclude []string
	connections      int
	dry, quiet, json bool
	force            bool
	threads          int
}

// NewCommand returns mpt pull.
func NewCommand() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "pull REPO[:TAG][@REV]",
		Short: "Download a model from HuggingFace's hub",
		Long:  pullLong,
		Args:  cmdline.WantArgs(1),
		RunE:  interrupt.Handled(f.run),
	}
	fs := cmd.Flags()
	fs.StringVar(&f.typ, "type", "", "make a model file with weights of `TYPE`: see mpt quantize")
	fs.StringVarP(&f.out, "output", "o", "",
		"put it in `PATH` too: a folder, or with --type a file instead of the cache")
	fs.StringArrayVar(&f.include, "include", nil,
		"take the files that `GLOB` matches, and no others; may be given more than once")
	fs.StringArrayVar(&f.exclude, "exclude", nil,
		"leave out the files that `GLOB` matches; may be given more than once")
	fs.IntVar(&f.connections, "connections", 8, "have up to `N` connections open at once")
	fs.BoolVar(&f.dry, "dry-run", false, "print what would come, and do nothing")
	fs.BoolVar(&f.force, "force", false, "replace files of --output")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing but errors")
	fs.BoolVar(&f.json, "json", false, "print the result as JSON")
	fs.IntVarP(&f.threads, "threads", "t", 0, "with --type, work with `N` threads; 0: one per core")
	f.hubAccess.add(fs)
	cmd.ValidArgsFunction = completeRepo
	cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(recipes.Names(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (f *pullFlags) run(cmd *cobra.Command, args []string) error {
	if f.connections < 1 || f.connections > 64 {
		return fmt.Errorf("pull: --connections %d: want 1 to 64", f.connections)
	}
	if err := f.checkOutput(); err != nil {
		return fmt.Errorf("pull: --output %w", err)
	}
	if f.threads < 0 {
		return fmt.Errorf("pull: --threads %d: cannot be negative", f.threads)
	}
	if f.typ != "" {
		if _, err := recipes.Parse(f.typ); err != nil {
			return fmt.Errorf("pull: --type: %w", err)
		}
	}
	p := console.NewProgress(cmd.ErrOrStderr(), "pull")
	p.Quiet = f.quiet
	defer p.Clear()
	c := f.hubAccess.client(p)
	c.Connections = f.connections
	u, err := openPull(cmd.Context(), c, args[0], p)
	if err != nil {
		return err
	}
	files, err := f.choose(u)
	if err != nil {
		return err
	}
	if f.dry {
		return f.list(cmd, u, files)
	}
	path, err := f.get(cmd.Context(), u, files)
	if err != nil {
		return u.kept(err)
	}
	p.Clear()
	return f.print(cmd, u, files, path)
}

// checkOutput refuses an output that cannot be, before much has come.
func (f *pullFlags) checkOutput() error {
	info, err := os.Stat(f.out)
	switch {
	case f.out == "" || f.out == "-" || f.typ != "":
		return fileio.NoStdout(f.out)
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s: it is not a folder, and files are put into one", f.out)
	case err != nil && strings.EqualFold(filepath.Ext(f.out), ".gguf"):
		return fmt.Errorf("%s: without --type it is a folder, which files are put into under their own names", f.out)
	}
	return nil
}

// choose returns the files to get.
func (f *pullFlags) choose(u *pull) (files []hub.File, err error) {
	ckpt := hub.ChooseCheckpoint(u.files)
	if len(f.include) == 0 && u.ref.File == "" {
		if err := u.checkWeights(); err != nil {
			return nil, fmt.Errorf("pull: %w", err)
		}
	}
	switch {
	case f.typ != "" && (u.ref.Tag != "" || u.ref.File != "" || len(f.include) > 0):
		return nil, errors.New("pull: --type makes a model file of a checkpoint: leave out the tag, the file and --include")
	case f.typ != "" && ckpt == nil:
		return nil, fmt.Errorf("pull: %s holds no checkpoint, of which --type could make a model file", u.rev.Repo)
	case f.typ != "":
		return ckpt, nil
	case len(f.include) > 0:
		files = u.files
	case u.ref.Tag != "" || u.ref.File != "" || !slices.ContainsFunc(ckpt, func(f hub.File) bool { return isWeights(f.Path) }):
		if files, err = u.choose(); files == nil && err == nil && u.ref.Tag != "" {
			err = fmt.Errorf("pull: %s holds no GGUF files, one of which a tag could mean: "+
				"--type %s makes a model file of a checkpoint", u.rev.Repo, u.ref.Tag)
		} else if files == nil && err == nil {
			files = ckpt
		}
	default:
		files = ckpt
	}
	if err != nil {
		return nil, err
	}
	files, err = hub.Select(files, f.include, f.exclude)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("pull: %s: none of its %s is wanted: --include and --exclude say which are",
			u.rev.Repo, console.Plural(len(u.files), "file", "files"))
	}
	return files, err
}

// get downloads files, or converts them, and returns the path of the result.
func (f *pullFlags) get(ctx context.Context, u *pull, files []hub.File) (path string, err error) {
	if f.typ != "" {
		path, opt := u.made(f.typ), convert.Options{Type: f.typ, Threads: f.threads}
		if f.out != "" {
			if path, opt.Force = fileIn(f.out, filepath.Base(path)), f.force; fileio.IsFile(path) && !f.force {
				return "", fmt.Errorf("pull: %s exists: choose another name, or replace it with --force", path)
			}
		}
		return u.convert(ctx, files, path, opt)
	}
	dir, err := u.download(ctx, files)
	if err != nil {
		return "", err
	}
	if f.out != "" {
		if err := u.Place(u.rev, files, f.out, f.force); err != nil {
			return "", err
		}
		dir = f.out
	}
	if strings.HasSuffix(strings.ToLower(files[0].Path), ".gguf") || u.ref.File != "" {
		return filepath.Join(dir, filepath.FromSlash(files[0].Path)), nil
	}
	return dir, nil
}

// fileIn returns path, or, if that is a folder, a file of that name in it.
func fileIn(path, name string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() || os.IsPathSeparator(path[len(path)-1]) {
		return filepath.Join(path, name)
	}
	return path
}

// pulled is the result as JSON.
type pulled struct {
	Repo     string       `json:"repo"`
	Revision string       `json:"revision"`
	Commit   string       `json:"commit"`
	Path     string       `json:"path,omitempty"`
	Files    []pulledFile `json:"files"`
	Missing  *int64       `json:"missing_bytes,omitempty"` // of a dry run
}

type pulledFile struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	Hash string `json:"hash,omitempty"`
}

func (f *pullFlags) result(u *pull, files []hub.File) pulled {
	r := pulled{Repo: u.rev.Repo, Revision: u.rev.Name, Commit: u.rev.Commit, Files: []pulledFile{}}
	for _, x := range files {
		r.Files = append(r.Files, pulledFile{x.Path, x.Size, x.Hash})
	}
	return r
}

// print prints where the result is.
func (f *pullFlags) print(cmd *cobra.Command, u *pull, files []hub.File, path string) error {
	if f.json {
		r := f.result(u, files)
		r.Path = path
		return console.PrintJSON(cmd, r)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), path)
	return err
}

// list prints what would come.
func (f *pullFlags) list(cmd *cobra.Command, u *pull, files []hub.File) error {
	_, bytes := u.Missing(u.rev, files)
	if f.json {
		r := f.result(u, files)
		r.Missing = &bytes
		return console.PrintJSON(cmd, r)
	}
	var text strings.Builder
	for _, x := range files {
		fmt.Fprintf(&text, "%10s  %s\n", console.ByteSize(max(0, x.Size)), x.Path)
	}
	fmt.Fprintf(&text, "%10s  in %s of %s at %s, of which %s are to come\n", console.ByteSize(totalSize(files)),
		console.Plural(len(files), "file", "files"), u.rev.Repo, u.rev.Commit[:12], console.ByteSize(bytes))
	_, err := fmt.Fprint(cmd.OutOrStdout(), text.String())
	return err
}
