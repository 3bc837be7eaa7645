package hub

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// A Ref names something on the site: a repository, and perhaps a revision, a tag and a
// file in it.
type Ref struct {
	Repo     string // USER/MODEL, or MODEL alone for the oldest ones
	Revision string // a branch, a tag of git or a commit; "main" if none was named
	Tag      string // which GGUF of several, such as Q4_K_M; "" for none
	File     string // a path, if a URL named a file; "" for none
}

// DefaultRevision is the branch that is meant when none is named.
const DefaultRevision = "main"

// ParseRef reads USER/MODEL[:TAG][@REVISION], with the name of the site in front or not, or a URL of
// huggingface.co or of the client's own site: of a repository, a revision or a file. It asks nobody
// whether there is such a thing, and serves a zero Client, too.
func (c *Client) ParseRef(text string) (Ref, error) {
	r := Ref{Revision: DefaultRevision}
	rest, isURL := c.cutSite(strings.TrimSpace(text))
	if isURL {
		if err := r.parseURL(rest); err != nil {
			return Ref{}, fmt.Errorf("hub: %q: %w", text, err)
		}
		return r, nil
	}
	rest, rev, hasRev := strings.Cut(rest, "@")
	rest, tag, hasTag := strings.Cut(rest, ":")
	r.Repo, r.Tag = rest, tag
	if hasRev {
		r.Revision = rev
	}
	switch err := checkRepo(r.Repo); {
	case err != nil:
		return Ref{}, fmt.Errorf("hub: %q: %w", text, err)
	case hasTag && tag == "", hasRev && rev == "":
		return Ref{}, fmt.Errorf("hub: %q: nothing follows the : or @", text)
	}
	return r, nil
}

// cutSite removes the name of the site. Whether a scheme was there says how to read the
// rest: only a whole URL has /tree/ and /resolve/ in it.
func (c *Client) cutSite(text string) (rest string, isURL bool) {
	if own := strings.TrimRight(c.Endpoint, "/"); own != "" {
		if rest, ok := strings.CutPrefix(text, own+"/"); ok {
			return rest, true
		}
	}
	scheme, after, isURL := strings.Cut(text, "://")
	if !isURL || scheme != "https" && scheme != "http" {
		after = text
	}
	for _, host := range []string{"huggingface.co/", "www.huggingface.co/", "hf.co/"} {
		if rest, ok := strings.CutPrefix(after, host); ok {
			return rest, isURL || strings.Count(rest, "/") > 1
		}
	}
	return text, isURL
}

// parseURL reads what follows the name of the site: USER/MODEL, then perhaps tree/REV,
// blob/REV/PATH or resolve/REV/PATH.
func (r *Ref) parseURL(rest string) error {
	if strings.Contains(rest, "://") {
		return fmt.Errorf("not a URL of the site: set HF_ENDPOINT to use a mirror")
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, "#")
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	if n := len(parts); n > 2 && parts[2] != "tree" && parts[2] != "blob" && parts[2] != "resolve" || n == 3 {
		return fmt.Errorf("want a URL of a model, such as https://huggingface.co/USER/MODEL")
	}
	for i, p := range parts {
		var err error
		if parts[i], err = url.PathUnescape(p); err != nil {
			return err
		}
	}
	r.Repo = strings.Join(parts[:min(2, len(parts))], "/")
	if len(parts) > 3 {
		r.Revision = parts[3]
	}
	if len(parts) > 4 {
		r.File = strings.Join(parts[4:], "/")
		if err := checkPath(r.File); err != nil {
			return err
		}
	}
	return checkRepo(r.Repo)
}

var repoPart = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// checkRepo returns an error if name cannot be that of a repository of models.
func checkRepo(name string) error {
	parts := strings.Split(name, "/")
	ok := len(parts) <= 2 && len(name) <= 2*96+1
	for _, p := range parts {
		ok = ok && repoPart.MatchString(p) && len(p) <= 96 && !strings.Contains(p, "--") && !strings.Contains(p, "..")
	}
	if !ok {
		return fmt.Errorf("not the name of a repository: want USER/MODEL, such as mosaicml/mpt-7b-chat")
	}
	if parts[0] == "datasets" || parts[0] == "spaces" {
		return fmt.Errorf("a repository of models is wanted, not of %s", parts[0])
	}
	return nil
}

// folderName returns the name that a repository has in the cache.
func folderName(repo string) string { return "models--" + strings.ReplaceAll(repo, "/", "--") }

// repoName is the inverse of folderName; ok is false for other folders.
func repoName(folder string) (repo string, ok bool) {
	rest, ok := strings.CutPrefix(folder, "models--")
	repo = strings.ReplaceAll(rest, "--", "/")
	return repo, ok && checkRepo(repo) == nil
}

var commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// checkRevision returns an error if rev cannot name a revision, or would lead out of
// the folder of references.
func checkRevision(rev string) error {
	if rev == "" || strings.HasPrefix(rev, "-") || len(rev) > 255 {
		return fmt.Errorf("hub: %q is not a revision: want a branch, a tag or a commit", rev)
	}
	if err := checkPath(rev); err != nil {
		return fmt.Errorf("hub: the revision %w", err)
	}
	return nil
}
