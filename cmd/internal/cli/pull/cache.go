package pull

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/mpt/hub"
)

const cacheLong = `Show and clean the cache of models that came from HuggingFace's hub. It is that of Python's
huggingface_hub and of llama.cpp: what one of them has downloaded, the others find.

  mpt cache ls                    the repositories, their sizes and when they were last used
  mpt cache verify [REPO]         read all contents and compare them with their hashes
  mpt cache rm REPO[@REV]         remove a repository, or one revision of it
  mpt cache prune                 remove unfinished downloads, and what no branch leads to`

// NewCacheCommand returns mpt cache.
func NewCacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show and clean the cache of downloaded models",
		Long:  cacheLong,
		Args:  cmdline.NoCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	verify, remove := newCacheVerify(), newCacheRemove()
	verify.ValidArgsFunction, remove.ValidArgsFunction = completeRepo, completeRepo
	cmd.AddCommand(newCacheList(), verify, remove, newCachePrune())
	return cmd
}

func newCacheList() *cobra.Command {
	var out cmdline.Format
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the repositories in the cache",
		Args:  cmdline.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := hub.FromEnv()
			repos, err := c.List()
			if err != nil {
				return err
			}
			if out.JSON() {
				return console.PrintJSON(cmd, cachedRepos(repos))
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), cacheTable(c.Cache, repos))
			return err
		},
	}
	out.Add(cmd, "text")
	return cmd
}

// cachedRepo is a repository in the cache as JSON.
type cachedRepo struct {
	Repo       string           `json:"repo"`
	Path       string           `json:"path"`
	Bytes      int64            `json:"bytes"`
	Unfinished int64            `json:"unfinished_bytes"`
	Used       time.Time        `json:"last_used"`
	Revisions  []cachedRevision `json:"revisions"`
}

type cachedRevision struct {
	Commit string   `json:"commit"`
	Names  []string `json:"names"`
	Files  int      `json:"files"`
	Bytes  int64    `json:"bytes"`
}

func cachedRepos(repos []hub.CachedRepo) []cachedRepo {
	list := []cachedRepo{}
	for _, r := range repos {
		x := cachedRepo{r.Repo, r.Path, r.Bytes, r.Part, r.Used, []cachedRevision{}}
		for _, v := range r.Revisions {
			x.Revisions = append(x.Revisions,
				cachedRevision{v.Commit, append([]string{}, v.Names...), v.Files, v.Bytes})
		}
		list = append(list, x)
	}
	return list
}

// cacheTable lists repositories and their revisions, a line each.
func cacheTable(folder string, repos []hub.CachedRepo) string {
	var b strings.Builder
	var sum int64
	for _, r := range repos {
		sum += r.Bytes
		used := "never used"
		if !r.Used.IsZero() {
			used = "used " + r.Used.Format("2006-01-02")
		}
		fmt.Fprintf(&b, "%10s  %s  %s\n", console.ByteSize(r.Bytes), r.Repo, used)
		for _, v := range r.Revisions {
			fmt.Fprintf(&b, "%10s    %.12s  %s  %s\n", console.ByteSize(v.Bytes), v.Commit,
				console.Plural(v.Files, "file", "files"), strings.Join(v.Names, ", "))
		}
		if r.Part > 0 {
			fmt.Fprintf(&b, "%10s    unfinished\n", console.ByteSize(r.Part))
		}
	}
	fmt.Fprintf(&b, "%10s  in %s\n", console.ByteSize(sum), folder)
	return b.String()
}

func newCacheVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [REPO]",
		Short: "Compare the contents of the cache with their hashes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return cmdline.WantArgs(1)(cmd, args)
		},
		RunE: interrupt.Handled(func(cmd *cobra.Command, args []string) error {
			c := hub.FromEnv()
			repos, err := c.List()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if repos, err = onlyRepo(c, repos, args[0]); err != nil {
					return err
				}
			}
			return verifyRepos(cmd, c, repos)
		}),
	}
}

// onlyRepo returns the repository of that name alone.
func onlyRepo(c *hub.Client, repos []hub.CachedRepo, name string) ([]hub.CachedRepo, error) {
	ref, err := c.ParseRef(name)
	if err != nil {
		return nil, err
	}
	for _, r := range repos {
		if r.Repo == ref.Repo {
			return []hub.CachedRepo{r}, nil
		}
	}
	return nil, fmt.Errorf("cache: %s is not in %s", ref.Repo, c.Cache)
}

func verifyRepos(cmd *cobra.Command, c *hub.Client, repos []hub.CachedRepo) error {
	p := console.NewProgress(cmd.ErrOrStderr(), "verify")
	defer p.Clear()
	right, wrong := 0, 0
	for _, r := range repos {
		n, problems, err := c.Verify(cmd.Context(), r.Repo, func(done int64) { p.Set(min(done, r.Bytes), r.Bytes) })
		if err != nil {
			return fmt.Errorf("cache: %w", err)
		}
		right += n
		for _, x := range problems {
			wrong++
			p.Logf("%v", x.Err)
		}
	}
	p.Clear()
	if wrong > 0 {
		return fmt.Errorf("cache: %s wrong, %d right: remove what is wrong, then pull it again",
			console.Plural(wrong, "file is", "files are"), right)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s right\n", console.Plural(right, "file is", "files are"))
	return err
}

func newCacheRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "rm REPO[@REV]",
		Short: "Remove a repository from the cache, or one revision of it",
		Args:  cmdline.WantArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := hub.FromEnv()
			ref, err := c.ParseRef(args[0])
			if err != nil {
				return err
			}
			if ref.Tag != "" || ref.File != "" {
				return errors.New("cache: rm removes a repository or a revision, not a single file")
			}
			rev := ref.Revision
			if !strings.Contains(args[0], "@") && rev == hub.DefaultRevision {
				rev = ""
			}
			return freed(cmd, func() (int64, error) { return c.Remove(ref.Repo, rev) })
		},
	}
}

func newCachePrune() *cobra.Command {
	return &cobra.Command{
		Use:   "prune",
		Short: "Remove unfinished downloads, and what no branch or tag leads to",
		Args:  cmdline.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := hub.FromEnv()
			c.Logf = console.NewProgress(cmd.ErrOrStderr(), "cache").Logf
			return freed(cmd, c.Prune)
		},
	}
}

// freed calls remove and says how many bytes there are less.
func freed(cmd *cobra.Command, remove func() (int64, error)) error {
	n, err := remove()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s are free\n", console.ByteSize(n))
	return err
}
