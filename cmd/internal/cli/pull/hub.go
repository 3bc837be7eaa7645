package pull

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/version"
	"mptgo/mpt/convert"
	"mptgo/mpt/hub"
	"mptgo/quantize/recipes"
)

// hubAccess are the flags that say how to get at the hub.
type hubAccess struct {
	token   string
	offline bool
}

func (a *hubAccess) add(fs *pflag.FlagSet) {
	fs.StringVar(&a.token, "hf-token", "",
		"-hft, the access `TOKEN` of the hub (default: HF_TOKEN, or the one that Python's hf auth login keeps)")
	fs.BoolVar(&a.offline, "offline", false, "use what the cache of the hub holds, and no network")
}

// client returns a client of the hub that talks through p.
func (a *hubAccess) client(p *console.Progress) *hub.Client {
	c := hub.FromEnv()
	if a.token != "" {
		c.Token, c.TokenFrom = a.token, "--hf-token"
	}
	c.Offline = c.Offline || a.offline
	c.UserAgent = strings.Replace(c.UserAgent, "mptgo/dev", "mptgo/"+version.String(), 1)
	c.Logf = p.Logf
	return c
}

// Flags say that a model is to come from the hub.
type Flags struct {
	hubAccess
	repo, file string
	cmd        *cobra.Command
}

// Add adds the flags.
func (f *Flags) Add(cmd *cobra.Command) {
	f.cmd = cmd
	fs := cmd.Flags()
	fs.VarP((*cmdline.FileName)(&f.repo), "hf-repo", "",
		"-hf, take the model `USER/MODEL[:TAG][@REV]` of HuggingFace's hub; TAG: which file, such as Q4_K_M")
	fs.VarP((*cmdline.FileName)(&f.file), "hf-file", "", "-hff, take this `FILE` of the repository")
	f.hubAccess.add(fs)
	cmd.RegisterFlagCompletionFunc("hf-repo", completeRepo)
}

// completeRepo completes the names of repositories that are in the cache.
func completeRepo(*cobra.Command, []string, string) (names []cobra.Completion, how cobra.ShellCompDirective) {
	repos, _ := hub.FromEnv().List() // without a cache there is nothing to complete
	for _, r := range repos {
		names = append(names, r.Repo)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// Locate sets *path to the model file if it is to come from the hub, and gets it.
func (f *Flags) Locate(path *string) error {
	switch {
	case f.repo == "" && f.file == "":
		return nil
	case f.repo == "":
		return errors.New("--hf-file is a file of a repository: add --hf-repo USER/MODEL")
	case *path != "":
		return errors.New("--model and --hf-repo: give only one of them")
	}
	p := console.NewProgress(f.cmd.ErrOrStderr(), "pull")
	defer p.Clear()
	u, err := openPull(f.cmd.Context(), f.hubAccess.client(p), f.repo, p)
	if err != nil {
		return err
	}
	if f.file != "" {
		u.ref.File = f.file
	}
	found, err := u.model(f.cmd.Context())
	if err != nil {
		return u.kept(err)
	}
	*path, f.repo, f.file = found, "", "" // the next time it is a file
	return nil
}

// A pull is a repository at a commit, and what is to be had of it.
type pull struct {
	*hub.Client
	ref      hub.Ref
	rev      *hub.Revision
	files    []hub.File
	progress *console.Progress
}

// openPull finds out what is in a repository.
func openPull(ctx context.Context, c *hub.Client, name string, p *console.Progress) (*pull, error) {
	ref, err := c.ParseRef(name)
	if err != nil {
		return nil, err
	}
	rev, err := c.Resolve(ctx, ref.Repo, ref.Revision)
	if err != nil {
		return nil, err
	}
	files, err := c.Files(ctx, rev)
	if err != nil {
		return nil, err
	}
	return &pull{c, ref, rev, files, p}, nil
}

// kept adds to an error that a download which was stopped can be gone on with.
func (u *pull) kept(err error) error {
	if errors.Is(err, context.Canceled) {
		u.progress.Clear()
		u.progress.Logf("what has come is kept: the same command goes on from there")
	}
	return err
}

// download gets files and returns the folder that they are in.
func (u *pull) download(ctx context.Context, files []hub.File) (dir string, err error) {
	return u.Download(ctx, u.rev, files, func(p hub.Progress) {
		u.progress.Describe(fmt.Sprintf("pull %d/%d", p.Files, p.TotalFiles))
		u.progress.Set(p.Done, p.Total)
	})
}

// model gets the model file that a reference means, and returns its name: a file, a GGUF
// with a tag, or what becomes of a checkpoint.
func (u *pull) model(ctx context.Context) (path string, err error) {
	files, err := u.choose()
	if err != nil {
		return "", err
	}
	if files != nil {
		dir, err := u.download(ctx, files)
		return filepath.Join(dir, filepath.FromSlash(files[0].Path)), err
	}
	if err := u.checkWeights(); err != nil {
		return "", err
	}
	ckpt := hub.ChooseCheckpoint(u.files)
	if ckpt == nil {
		return "", fmt.Errorf("%s holds neither a GGUF file nor a checkpoint", u.rev.Repo)
	}
	opt := convert.Options{Type: "Q8_0"}
	if u.ref.Tag != "" {
		opt.Type = u.ref.Tag
	}
	if _, err := recipes.Parse(opt.Type); err != nil {
		return "", fmt.Errorf("%s holds a checkpoint, not GGUF files: %w", u.rev.Repo, err)
	}
	if path = u.made(opt.Type); !fileio.IsFile(path) {
		u.progress.Logf("%s holds no GGUF file: its checkpoint of %s is made into one of type %s; at 100 Mbit/s that takes %v",
			u.rev.Repo, console.ByteSize(totalSize(ckpt)), strings.ToUpper(opt.Type), transferTime(totalSize(ckpt)))
	}
	return u.convert(ctx, ckpt, path, opt)
}

// checkWeights returns an error if there are weights, but none that are taken without
// being asked for.
func (u *pull) checkWeights() error {
	other := hub.OtherWeights(u.files)
	if len(other) == 0 || len(hub.GGUFs(u.files)) > 0 {
		return nil
	}
	found := fmt.Sprintf("%s (%s)", other[0].Path, console.ByteSize(max(0, other[0].Size)))
	if n := len(other) - 1; n > 0 {
		found += fmt.Sprintf(" and %s more", console.Plural(n, "file", "files"))
	}
	switch strings.ToLower(filepath.Ext(other[0].Path)) {
	case ".h5", ".msgpack", ".onnx", ".npz":
		return fmt.Errorf("%s holds weights only in a form that cannot be converted: %s: "+
			"safetensors, a torch checkpoint or GGUF is wanted", u.rev.Repo, found)
	}
	return fmt.Errorf("%s holds weights only under a name that is not usual: %s: get them with "+
		"mpt pull %[1]s --include '*.json' --include %q, then try mpt quantize with that file", u.rev.Repo, found, other[0].Path)
}

// choose returns the files of the model that a reference names, the first one first; nil
// if there are no GGUF files.
func (u *pull) choose() ([]hub.File, error) {
	if u.ref.File == "" {
		return hub.ChooseGGUF(u.files, u.ref.Tag)
	}
	for _, f := range u.files {
		if f.Path == u.ref.File {
			return []hub.File{f}, nil
		}
	}
	return nil, fmt.Errorf("%s at %s: there is no file %q: %w", u.rev.Repo, u.rev.Name, u.ref.File, hub.ErrFile)
}

// made returns the name of the model file of a type that is made of the checkpoint: it
// lies in the cache, beside what came.
func (u *pull) made(typ string) string {
	return u.Made(u.rev, u.name()+"-"+strings.ToUpper(typ)+".gguf")
}

// name returns the name of the repository without its owner.
func (u *pull) name() string { return u.rev.Repo[strings.LastIndexByte(u.rev.Repo, '/')+1:] }

// convert makes the model file path of a checkpoint, unless it is there. What the cache
// holds is used; the rest is converted as it comes.
func (u *pull) convert(ctx context.Context, ckpt []hub.File, path string, opt convert.Options) (string, error) {
	if fileio.IsFile(path) && !opt.Force {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", err
	}
	opt.Progress, opt.Logf = u.progress.Set, u.progress.Logf
	if missing, _ := u.Missing(u.rev, ckpt); len(missing) == 0 || isAdapter(ckpt) {
		dir, err := u.download(ctx, ckpt)
		if err == nil {
			_, err = convert.Convert(ctx, dir, path, opt)
		}
		return path, err
	}
	src, err := u.source(ctx, ckpt)
	if err != nil {
		return "", err
	}
	_, err = convert.Stream(ctx, src, path, opt)
	return path, err
}

// isAdapter reports whether files are those of a LoRA adapter alone: it is small.
func isAdapter(files []hub.File) bool {
	return !slices.ContainsFunc(files, func(f hub.File) bool { return f.Path == "config.json" })
}

func totalSize(files []hub.File) (n int64) {
	for _, f := range files {
		n += max(0, f.Size)
	}
	return n
}

// transferTime returns how long so many bytes take on an ordinary line.
func transferTime(bytes int64) time.Duration {
	d := time.Duration(float64(bytes) / (100e6 / 8) * float64(time.Second))
	return d.Round(max(time.Second, d/20).Round(time.Second))
}
