package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxPage and maxPages bound the answers of the site: bytes of one, and how many there
// may be of a list.
const (
	maxPage  = 16 << 20
	maxPages = 100
)

// maxSize bounds the bytes of a file that is believed: all of a list can be added up.
const maxSize = 1 << 48

// A Revision is a commit of a repository, and what it was asked for by.
type Revision struct {
	Repo   string
	Name   string // a branch, a tag or the commit itself
	Commit string // 40 hexadecimal digits
}

// A File is one of a repository at a commit.
type File struct {
	Path string
	Size int64  // in bytes; -1 if the site does not say
	Hash string // hexadecimal: of 64 digits, the SHA-256 of the content; of 40, git's SHA-1; "" if the site does not say
	Git  string // the hash by git, also of a pointer to a large file
	Xet  string // the hash by which the site stores it, "" for none
}

// large reports whether the file is kept outside of git.
func (f File) large() bool { return len(f.Hash) == 64 }

// Resolve returns the commit that rev stands for: a branch, a tag or a commit. Without
// network, or if it fails, that is the one which the cache knows.
func (c *Client) Resolve(ctx context.Context, repo, rev string) (*Revision, error) {
	c.start()
	if err := checkRepo(repo); err != nil {
		return nil, fmt.Errorf("hub: %q: %w", repo, err)
	}
	if err := checkRevision(rev); err != nil {
		return nil, err
	}
	r := &Revision{Repo: repo, Name: rev, Commit: rev}
	if commitHash.MatchString(rev) {
		return r, nil
	}
	known, cached := c.readRef(r)
	if c.Offline {
		if !cached {
			return nil, fmt.Errorf("hub: %s at %s: %w, and the network is not to be used", repo, rev, ErrOffline)
		}
		r.Commit = known
		return r, nil
	}
	commit, err := c.askCommit(ctx, repo, rev, cached)
	if err != nil && cached && ctx.Err() == nil && isUnreachable(err) {
		c.Logf("%s cannot be reached (%v): using %s of %s from the cache", c.Endpoint, err, known[:12], repo)
		commit, err = known, nil
	}
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	r.Commit = commit
	return r, nil
}

// isUnreachable reports whether the site could not be asked.
func isUnreachable(err error) bool {
	e, isStatus := errors.AsType[*statusError](err)
	return isStatus && e.passing() || !isStatus && isNetwork(err)
}

func (c *Client) askCommit(ctx context.Context, repo, rev string, cached bool) (string, error) {
	at := c.Endpoint + "/api/models/" + escape(repo)
	if rev != DefaultRevision {
		at += "/revision/" + url.PathEscape(rev)
	}
	var info struct {
		Sha      string `json:"sha"`
		Disabled bool   `json:"disabled"`
	}
	if _, err := c.getJSON(ctx, at, &info, cached); err != nil {
		return "", c.explain(err, repo, rev, "")
	}
	switch {
	case info.Disabled:
		return "", fmt.Errorf("%s/%s: %w", c.Endpoint, repo, ErrDisabled)
	case !commitHash.MatchString(info.Sha):
		return "", fmt.Errorf("%s: no commit in the answer: %w", at, ErrAnswer)
	}
	return info.Sha, nil
}

// Files returns the files of a commit. They are asked for once and then in the cache.
func (c *Client) Files(ctx context.Context, rev *Revision) ([]File, error) {
	c.start()
	if files, ok := c.readTree(rev); ok {
		return files, nil
	}
	if c.Offline {
		return c.localFiles(rev)
	}
	files, err := c.askTree(ctx, rev)
	if err != nil {
		if ctx.Err() == nil && isUnreachable(err) {
			if local, e := c.localFiles(rev); e == nil {
				return local, nil
			}
		}
		return nil, fmt.Errorf("hub: %w", err)
	}
	c.writeTree(rev, files)
	return files, nil
}

// localFiles lists what the cache holds of a commit when nobody can be asked for more.
func (c *Client) localFiles(rev *Revision) ([]File, error) {
	files, err := c.snapshotFiles(rev)
	if err == nil {
		c.Logf("%s: the list of its files is not in the cache: what is missing there is not known", rev.Repo)
	}
	return files, err
}

// treeEntry is a file in an answer of the site.
type treeEntry struct {
	Type string `json:"type"`
	Path string `json:"path"`
	Size *int64 `json:"size"`
	OID  string `json:"oid"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size *int64 `json:"size"`
	} `json:"lfs"`
	Xet string `json:"xetHash"`
}

func (c *Client) askTree(ctx context.Context, rev *Revision) ([]File, error) {
	at := fmt.Sprintf("%s/api/models/%s/tree/%s?recursive=true", c.Endpoint, escape(rev.Repo), rev.Commit)
	var files []File
	seen := map[string]File{}
	for range maxPages {
		var page []treeEntry
		next, err := c.getJSON(ctx, at, &page, false)
		if err != nil {
			return nil, c.explain(err, rev.Repo, rev.Name, "")
		}
		for _, e := range page {
			if e.Type != "file" {
				continue
			}
			f, err := e.file()
			if err != nil {
				return nil, fmt.Errorf("%s: %w: %w", rev.Repo, err, ErrHostile)
			}
			if old, ok := seen[f.Path]; ok && old != f {
				return nil, fmt.Errorf("%s: %q is there twice: %w", rev.Repo, f.Path, ErrHostile)
			} else if !ok {
				seen[f.Path] = f
				files = append(files, f)
			}
		}
		if len(files) > maxFiles {
			return nil, fmt.Errorf("%s: more than %d files: %w", rev.Repo, maxFiles, ErrHostile)
		}
		if at = next; next == "" {
			return files, nil
		}
	}
	return nil, fmt.Errorf("%s: the list of files has more than %d pages: %w", rev.Repo, maxPages, ErrAnswer)
}

// file returns what an entry says. A path or hash that could lead out of a folder is
// refused; what is missing is asked for later.
func (e *treeEntry) file() (File, error) {
	f := File{Path: e.Path, Size: -1, Git: strings.ToLower(e.OID), Xet: e.Xet}
	if err := checkPath(e.Path); err != nil {
		return f, err
	}
	size := e.Size
	f.Hash = f.Git
	if e.LFS != nil {
		f.Hash = strings.TrimPrefix(strings.ToLower(e.LFS.OID), "sha256:")
		if e.LFS.Size != nil {
			size = e.LFS.Size
		}
	}
	for _, h := range []string{f.Git, f.Hash} {
		if h != "" && !isHash(h) {
			return f, fmt.Errorf("%q has a malformed hash", e.Path)
		}
	}
	if e.LFS != nil && len(f.Hash) == 40 {
		return f, fmt.Errorf("%q has a malformed hash", e.Path)
	}
	if size != nil {
		if f.Size = *size; f.Size < 0 || f.Size > maxSize {
			return f, fmt.Errorf("%q has a size of %d bytes", e.Path, f.Size)
		}
	}
	return f, nil
}

// isHash reports whether s is a hash by git or a SHA-256, in lower case.
func isHash(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// getJSON asks for JSON and returns the URL of the next page, if there is one. If hasty,
// a network that fails is not tried again.
func (c *Client) getJSON(ctx context.Context, at string, v any, hasty bool) (next string, err error) {
	p := patience{c: c}
	for {
		next, err = c.getJSONOnce(ctx, at, v)
		if err == nil || hasty && isUnreachable(err) {
			return next, err
		}
		if err = p.after(ctx, err); err != nil {
			return "", err
		}
	}
}

func (c *Client) getJSONOnce(ctx context.Context, at string, v any) (next string, err error) {
	a, err := c.send(ctx, http.MethodGet, at, nil, false)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return "", newStatusError(a)
	}
	b, err := io.ReadAll(io.LimitReader(a.Body, maxPage+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxPage {
		return "", fmt.Errorf("%s: an answer of more than %d bytes: %w", plainURL(at), maxPage, ErrAnswer)
	}
	if err := json.Unmarshal(b, v); err != nil {
		what := "not the JSON that a hub sends"
		if strings.HasPrefix(strings.TrimSpace(string(b)), "<") {
			what = "a page for people, not JSON (does the network ask for a login?)"
		}
		return "", fmt.Errorf("%s: %s: %w", plainURL(at), what, ErrAnswer)
	}
	return c.nextPage(a, at)
}

// nextPage reads the header Link. Pages come from the site itself.
func (c *Client) nextPage(a *answer, at string) (string, error) {
	for link := range strings.SplitSeq(a.Header.Get("Link"), ",") {
		target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
		if !ok || !strings.HasPrefix(target, "<") ||
			!strings.Contains(strings.ReplaceAll(params, " ", ""), `rel="next"`) {
			continue
		}
		u, err := c.follow(a.Request.URL, target[1:], false)
		if err != nil {
			return "", err
		}
		if u.String() == at {
			return "", fmt.Errorf("%s: the next page is the same one: %w", plainURL(at), ErrAnswer)
		}
		return u.String(), nil
	}
	return "", nil
}
