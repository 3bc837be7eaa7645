package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The cache, as huggingface_hub lays it out:
//
//	models--USER--NAME/blobs/HASH              the contents
//	models--USER--NAME/refs/REV                a commit, without a newline
//	models--USER--NAME/snapshots/COMMIT/PATH   symbolic links to ../../blobs/HASH
//	models--USER--NAME/trees/COMMIT.json       the list of files
//	.locks/models--USER--NAME/HASH.lock        held while HASH is downloaded
//
// Where symbolic links cannot be made, contents lie in snapshots. Unfinished contents
// are blobs/HASH.mptgo.part, with what is known of them in blobs/HASH.mptgo.json.

func (c *Client) repoDir(repo string) string { return filepath.Join(c.Cache, folderName(repo)) }

func (c *Client) blob(repo, hash string) string {
	return filepath.Join(c.repoDir(repo), "blobs", hash)
}

// Dir returns the folder of the cache in which the files of a commit appear.
func (c *Client) Dir(rev *Revision) string {
	return filepath.Join(c.repoDir(rev.Repo), "snapshots", rev.Commit)
}

func (c *Client) snapshotPath(rev *Revision, f File) string {
	return filepath.Join(c.Dir(rev), filepath.FromSlash(f.Path))
}

func (c *Client) refPath(rev *Revision) string {
	return filepath.Join(c.repoDir(rev.Repo), "refs", filepath.FromSlash(rev.Name))
}

// readRef returns the commit that a branch had when the cache last saw it.
func (c *Client) readRef(rev *Revision) (string, bool) {
	b, err := os.ReadFile(c.refPath(rev))
	commit := strings.TrimSpace(string(b))
	return commit, err == nil && commitHash.MatchString(commit)
}

// writeRef notes the commit of a branch. It is written last: who finds it finds files.
func (c *Client) writeRef(rev *Revision) {
	if rev.Name == rev.Commit {
		return
	}
	if old, ok := c.readRef(rev); ok && old == rev.Commit {
		return
	}
	c.keep(rev, c.refPath(rev), []byte(rev.Commit))
}

// keep writes a small file of a repository. The cache works without it, so that one that
// cannot be written to is no error. Unfinished it lies where no other program looks.
func (c *Client) keep(rev *Revision, path string, b []byte) {
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = replaceFile(path, tempName(filepath.Join(c.repoDir(rev.Repo), filepath.Base(path))), b)
	}
	if err != nil {
		c.Logf("%v", err)
	}
}

// replaceFile writes a file under the name tmp first, so that nobody sees half of it.
func replaceFile(path, tmp string, b []byte) error {
	err := os.WriteFile(tmp, b, 0o666)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}

func tempName(path string) string {
	dir, base := filepath.Split(path)
	return fmt.Sprintf("%s.%s.%08x.tmp", dir, base, rand.Uint32())
}

// treeFile is the list of files as huggingface_hub keeps it.
type treeFile struct {
	Version int                  `json:"format_version"`
	Files   map[string]treeCache `json:"files"`
}

type treeCache struct {
	Size   int64   `json:"size"`
	Git    string  `json:"blob_id"`
	Sha256 *string `json:"lfs_sha256,omitempty"`
	Large  *int64  `json:"lfs_size,omitempty"`
	Xet    *string `json:"xet_hash,omitempty"`
}

func (c *Client) treePath(rev *Revision) string {
	return filepath.Join(c.repoDir(rev.Repo), "trees", rev.Commit+".json")
}

// readTree returns the list of files that is in the cache. One that does not hold, by
// whoever it was written, is as good as none.
func (c *Client) readTree(rev *Revision) ([]File, bool) {
	b, err := os.ReadFile(c.treePath(rev))
	var t treeFile
	if err != nil || json.Unmarshal(b, &t) != nil || t.Version != 1 {
		return nil, false
	}
	var files []File
	for path, e := range t.Files {
		f := File{Path: path, Size: e.Size, Hash: e.Git, Git: e.Git}
		if e.Sha256 != nil {
			f.Hash = *e.Sha256
		}
		if e.Sha256 != nil && e.Large != nil {
			f.Size = *e.Large
		}
		if e.Xet != nil {
			f.Xet = *e.Xet
		}
		if checkPath(path) != nil || !isHash(f.Hash) || f.Size < 0 {
			return nil, false
		}
		files = append(files, f)
	}
	sortFiles(files)
	return files, len(files) > 0 && len(files) <= maxFiles
}

func sortFiles(files []File) {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
}

// writeTree keeps a list of files, if it says all that is to be known.
func (c *Client) writeTree(rev *Revision, files []File) {
	t := treeFile{Version: 1, Files: map[string]treeCache{}}
	for _, f := range files {
		if f.Hash == "" || f.Git == "" || f.Size < 0 || f.Xet != "" && len(f.Xet) != 64 {
			return
		}
		e := treeCache{Size: f.Size, Git: f.Git}
		if f.large() {
			e.Sha256, e.Large = &f.Hash, &f.Size
		}
		if f.Xet != "" {
			e.Xet = &f.Xet
		}
		t.Files[f.Path] = e
	}
	b, err := json.MarshalIndent(t, "", " ")
	if err == nil {
		c.keep(rev, c.treePath(rev), b)
	}
}

// snapshotFiles lists what the cache holds of a commit when nobody can be asked.
func (c *Client) snapshotFiles(rev *Revision) ([]File, error) {
	var files []File
	dir := c.Dir(rev)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			return nil // a link to a blob that is gone
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			files = append(files, File{Path: filepath.ToSlash(rel), Size: info.Size()})
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("hub: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("hub: %s at %s: %w, and the network is not to be used", rev.Repo, rev.Name, ErrOffline)
	}
	return files, nil
}

// present reports whether a file is where it belongs, of the size that it must have.
func (c *Client) present(rev *Revision, f File) bool {
	return hasSize(c.snapshotPath(rev, f), f.Size)
}

// hasSize reports whether path is a file of size bytes, or of any if size is negative.
func hasSize(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (size < 0 || info.Size() == size)
}

// link makes a file of a commit appear: by a symbolic link to its blob, or else, where
// those cannot be made, by moving the blob there if it is new, or a copy.
func (c *Client) link(rev *Revision, f File, hash string, fresh bool) error {
	path, blob := c.snapshotPath(rev, f), c.blob(rev.Repo, hash)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	to := filepath.FromSlash(strings.Repeat("../", strings.Count(f.Path, "/")+2) + "blobs/" + hash)
	err := symlink(to, path)
	if err == nil {
		return nil
	}
	tmp := tempName(path)
	if errors.Is(err, fs.ErrExist) {
		err = symlink(to, tmp)
	}
	switch {
	case err == nil:
	case fresh:
		tmp, err = blob, nil
	default:
		err = copyFile(blob, tmp)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil && tmp != blob {
		os.Remove(tmp)
	}
	return err
}

// symlink is replaced by tests.
var symlink = os.Symlink

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(in)
	return errors.Join(err, out.Close())
}
