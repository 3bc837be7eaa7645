package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mptgo/internal/filelock"
)

// A CachedRepo is a repository of which the cache holds something.
type CachedRepo struct {
	Repo      string
	Path      string           // of its folder
	Revisions []CachedRevision // that are there
	Bytes     int64            // on the disk, of all files
	Part      int64            // of them, in unfinished downloads
	Used      time.Time        // when a file was last read, as far as the system keeps that
}

// A CachedRevision is a commit of which the cache holds files.
type CachedRevision struct {
	Commit string
	Names  []string // branches and tags that stand for it
	Files  int
	Bytes  int64
}

// List returns the repositories that the cache holds, by name.
func (c *Client) List() ([]CachedRepo, error) {
	entries, err := os.ReadDir(c.Cache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	var repos []CachedRepo
	for _, e := range entries {
		if repo, ok := repoName(e.Name()); ok && e.IsDir() {
			r, err := c.inspect(repo)
			if err != nil {
				return nil, fmt.Errorf("hub: %w", err)
			}
			repos = append(repos, r)
		}
	}
	return repos, nil
}

// inspect says what the cache holds of a repository.
func (c *Client) inspect(repo string) (CachedRepo, error) {
	r := CachedRepo{Repo: repo, Path: c.repoDir(repo)}
	err := walkFiles(r.Path, func(path string, info fs.FileInfo) error {
		size := info.Size()
		if blob, ok := strings.CutSuffix(path, ".mptgo.part"); ok {
			size = partBytes(blob) // the file has holes
		}
		r.Bytes += size
		if unfinished(info.Name()) {
			r.Part += size
		}
		if used := lastUse(info); used.After(r.Used) {
			r.Used = used
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	refs, err := c.refs(repo)
	if err != nil {
		return r, err
	}
	commits, err := os.ReadDir(filepath.Join(r.Path, "snapshots"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	for _, e := range commits {
		if !e.IsDir() || !commitHash.MatchString(e.Name()) {
			continue
		}
		v := CachedRevision{Commit: e.Name(), Names: refs[e.Name()]}
		files, _ := c.snapshotFiles(&Revision{Repo: repo, Commit: e.Name()})
		for _, f := range files {
			v.Files++
			v.Bytes += f.Size
		}
		r.Revisions = append(r.Revisions, v)
	}
	return r, nil
}

// walkFiles calls f with every regular file in a folder, but not what links lead to.
func walkFiles(dir string, f func(path string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else removes files too
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return f(path, info)
	})
}

// refs returns the branches and tags of a repository by the commit that they stand for.
func (c *Client) refs(repo string) (map[string][]string, error) {
	dir, refs := filepath.Join(c.repoDir(repo), "refs"), map[string][]string{}
	err := walkFiles(dir, func(path string, _ fs.FileInfo) error {
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		r := &Revision{Repo: repo, Name: filepath.ToSlash(name)}
		if commit, ok := c.readRef(r); ok {
			refs[commit] = append(refs[commit], r.Name)
		}
		return nil
	})
	return refs, err
}

// A Problem is something that is wrong with a file in the cache.
type Problem struct {
	Path string
	Err  error
}

// Verify reads all contents of a repository in the cache and compares them with the
// hashes that they are named for. It returns what is wrong, and how many are right.
// Progress, if not nil, is told the bytes that have been read.
func (c *Client) Verify(ctx context.Context, repo string, progress func(bytes int64)) (right int, wrong []Problem, err error) {
	var read int64
	err = walkFiles(filepath.Join(c.repoDir(repo), "blobs"), func(path string, info fs.FileInfo) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if unfinished(info.Name()) {
			return nil
		}
		if err := verifyBlob(path); err != nil {
			wrong = append(wrong, Problem{path, err})
		} else {
			right++
		}
		if read += info.Size(); progress != nil {
			progress(read)
		}
		return nil
	})
	if err == nil {
		err = c.verifySnapshots(repo, &right, &wrong)
	}
	return right, wrong, err
}

// unfinished reports whether a file among the blobs is one that has not come whole.
func unfinished(name string) bool {
	return strings.Contains(name, ".mptgo.") || strings.HasSuffix(name, ".incomplete") ||
		strings.HasSuffix(name, ".tmp")
}

// verifySnapshots looks at the links of a repository, and at files that are in their
// place where there are no links.
func (c *Client) verifySnapshots(repo string, right *int, wrong *[]Problem) error {
	dir := filepath.Join(c.repoDir(repo), "snapshots")
	commits, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range commits {
		rev := &Revision{Repo: repo, Commit: e.Name()}
		hash := map[string]string{}
		tree, _ := c.readTree(rev)
		for _, f := range tree {
			hash[f.Path] = f.Hash
		}
		err := filepath.WalkDir(c.Dir(rev), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(c.Dir(rev), path)
			if err != nil {
				return err
			}
			c.verifyEntry(path, d, hash[filepath.ToSlash(rel)], right, wrong)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// verifyEntry looks at one entry of a snapshot, whose hash is want if that is known.
func (c *Client) verifyEntry(path string, d fs.DirEntry, want string, right *int, wrong *[]Problem) {
	var err error
	switch {
	case d.Type()&fs.ModeSymlink == 0 && want != "":
		if err = verifyFile(path, want); err == nil {
			*right++
			return
		}
	case d.Type()&fs.ModeSymlink != 0:
		var to string
		if to, err = filepath.EvalSymlinks(path); err == nil && want != "" && filepath.Base(to) != want {
			err = fmt.Errorf("%s: %w: it leads to %s, not %s", path, ErrCorrupt, filepath.Base(to), want)
		}
	}
	if err != nil {
		*wrong = append(*wrong, Problem{path, err})
	}
}

// Remove removes a repository from the cache, or only one revision of it: the name of a
// branch or tag, or a commit. Contents that another revision has too stay. It returns
// how many bytes there are less.
func (c *Client) Remove(repo, rev string) (bytes int64, err error) {
	if err := checkRepo(repo); err != nil {
		return 0, fmt.Errorf("hub: %q: %w", repo, err)
	}
	before, err := c.inspect(repo)
	if _, e := os.Stat(before.Path); e != nil {
		return 0, fmt.Errorf("hub: %s: %w", repo, ErrOffline)
	}
	if err != nil {
		return 0, fmt.Errorf("hub: %w", err)
	}
	release, err := c.lockAll(repo)
	if err != nil {
		return 0, err
	}
	defer release()
	if rev == "" {
		// Links go first: Python takes one that leads nowhere for damage.
		err := errors.Join(os.RemoveAll(filepath.Join(before.Path, "refs")),
			os.RemoveAll(filepath.Join(before.Path, "snapshots")),
			os.RemoveAll(before.Path))
		release() // Windows does not remove files that are open
		return before.Bytes, errors.Join(err, os.RemoveAll(filepath.Join(c.Cache, ".locks", folderName(repo))))
	}
	at := slices.IndexFunc(before.Revisions, func(v CachedRevision) bool { return v.Commit == rev || slices.Contains(v.Names, rev) })
	if at < 0 {
		return 0, fmt.Errorf("hub: %s at %s: %w", repo, rev, ErrOffline)
	}
	err = errors.Join(c.removeRevision(repo, before.Revisions[at]), c.sweep(repo, false))
	return c.less(before, err)
}

// less returns how many bytes a repository has less than before.
func (c *Client) less(before CachedRepo, err error) (int64, error) {
	after, e := c.inspect(before.Repo)
	return before.Bytes - after.Bytes, errors.Join(err, e)
}

// lockAll makes sure that nobody downloads a repository, and that nobody begins.
func (c *Client) lockAll(repo string) (release func(), err error) {
	var held []*os.File
	release = func() {
		for _, f := range held {
			f.Close()
		}
	}
	paths, _ := filepath.Glob(filepath.Join(c.Cache, ".locks", folderName(repo), "*.lock"))
	for _, p := range paths {
		f, err := tryLock(p)
		if errors.Is(err, filelock.ErrLocked) {
			release()
			return nil, fmt.Errorf("hub: %s: another process downloads it: wait for that, or end it", repo)
		}
		if err == nil {
			held = append(held, f)
		}
	}
	return release, nil
}

func (c *Client) removeRevision(repo string, v CachedRevision) error {
	var errs []error
	for _, name := range v.Names {
		errs = append(errs, os.Remove(c.refPath(&Revision{Repo: repo, Name: name})))
	}
	r := &Revision{Repo: repo, Commit: v.Commit}
	errs = append(errs, os.RemoveAll(c.Dir(r)), os.RemoveAll(filepath.Join(c.repoDir(repo), madeFolder, v.Commit)),
		os.RemoveAll(filepath.Join(c.repoDir(repo), ".no_exist", v.Commit)))
	if err := os.Remove(c.treePath(r)); !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sweep removes the blobs that no link leads to, and, if parts, unfinished ones.
func (c *Client) sweep(repo string, parts bool) error {
	used := map[string]bool{}
	dir := filepath.Join(c.repoDir(repo), "snapshots")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if d != nil && d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			used[filepath.Base(to)] = true
		}
		return nil
	})
	if err != nil {
		return err // nothing is removed of what may be in use
	}
	return walkFiles(filepath.Join(c.repoDir(repo), "blobs"), func(path string, info fs.FileInfo) error {
		if used[info.Name()] || unfinished(info.Name()) && !parts {
			return nil
		}
		return os.Remove(path)
	})
}

// Prune removes what nothing stands for: commits that no branch or tag leads to, blobs
// that are in no commit, and unfinished downloads. It returns the bytes that there are
// less, and skips repositories that somebody downloads just now.
func (c *Client) Prune() (bytes int64, err error) {
	repos, err := c.List()
	if err != nil {
		return 0, err
	}
	for _, r := range repos {
		release, err := c.lockAll(r.Repo)
		if err != nil {
			c.say("%v", err)
			continue
		}
		n, err := c.pruneRepo(r)
		release()
		if bytes += n; err != nil {
			return bytes, fmt.Errorf("hub: %w", err)
		}
	}
	return bytes, nil
}

func (c *Client) pruneRepo(r CachedRepo) (int64, error) {
	for _, v := range r.Revisions {
		if len(v.Names) > 0 {
			continue
		}
		if err := c.removeRevision(r.Repo, v); err != nil {
			return 0, err
		}
	}
	left, _ := filepath.Glob(filepath.Join(r.Path, ".*.tmp"))
	for _, path := range left {
		os.Remove(path)
	}
	return c.less(r, errors.Join(c.sweep(r.Repo, true), c.sweepMade(r.Repo)))
}

// madeFolder is the folder of a repository in the cache, which other programs do not
// look at, for what is made of a commit: model files of checkpoints.
const madeFolder = "mptgo"

// Made returns the name of a file that is made of a commit. It goes when the commit is
// removed.
func (c *Client) Made(rev *Revision, name string) string {
	return filepath.Join(c.repoDir(rev.Repo), madeFolder, rev.Commit, name)
}

// sweepMade removes what conversions left behind that were stopped.
func (c *Client) sweepMade(repo string) error {
	return walkFiles(filepath.Join(c.repoDir(repo), madeFolder), func(path string, info fs.FileInfo) error {
		if !strings.HasPrefix(info.Name(), ".") {
			return nil
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if errors.Is(filelock.LockFirstByte(f), filelock.ErrLocked) {
			return nil
		}
		return os.Remove(path)
	})
}

func (c *Client) say(format string, args ...any) {
	if c.Logf != nil {
		c.Logf(format, args...)
	}
}
