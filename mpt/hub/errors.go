package hub

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// What can be the matter with a request; errors of this package wrap one of these, or an
// error of the network.
var (
	ErrRepository = errors.New("no such repository")
	ErrGated      = errors.New("the repository is gated")
	ErrRevision   = errors.New("no such revision")
	ErrFile       = errors.New("no such file")
	ErrDisabled   = errors.New("the repository is disabled")
	ErrToken      = errors.New("the token is not valid")
	ErrOffline    = errors.New("not in the cache")
	ErrHostile    = errors.New("not safe to download")
	ErrCorrupt    = errors.New("not what the repository says")
	ErrAnswer     = errors.New("not an answer of a hub")
)

// statusError is an answer that is no success.
type statusError struct {
	status  int
	url     string // without its query, which may hold a signature
	foreign bool   // from another host than the site
	code    string // X-Error-Code
	message string // X-Error-Message
	limit   wait   // how long to wait, for 429
}

func newStatusError(r *answer) *statusError {
	return &statusError{status: r.StatusCode, url: plainURL(r.Request.URL.String()), foreign: r.foreign,
		code: r.Header.Get("X-Error-Code"), message: oneLine(r.Header.Get("X-Error-Message")), limit: waitOf(r.Header)}
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answers %d %s", e.url, e.status, http.StatusText(e.status))
	if e.message != "" {
		text += ": " + e.message
	}
	return text
}

// passing reports whether the same request may succeed later.
func (e *statusError) passing() bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// expired reports whether a signed link is refused: they hold for minutes.
func (e *statusError) expired() bool {
	return e.foreign && e.status >= 400 && e.status < 500 && !e.passing() &&
		e.status != http.StatusRequestedRangeNotSatisfiable
}

// explain returns the sentence for an answer of the site about rev, and what to do.
func (c *Client) explain(err error, repo, rev, path string) error {
	e, ok := errors.AsType[*statusError](err)
	if !ok || e.foreign {
		return err
	}
	page := c.Endpoint + "/" + repo
	denied := e.status == http.StatusUnauthorized || e.status == http.StatusForbidden
	switch {
	case strings.Contains(e.message, "Access to this resource is disabled"):
		return fmt.Errorf("%s: %w: its owner or the site has taken it away", page, ErrDisabled)
	case strings.Contains(e.message, "Invalid credentials in Authorization header"):
		return fmt.Errorf("%w: %s refuses the one in %s: make another at %s/settings/tokens",
			ErrToken, c.Endpoint, c.tokenFrom(), c.Endpoint)
	case e.code == "GatedRepo":
		return fmt.Errorf("%s: %w: accept the terms at %s, %s", repo, ErrGated, page, c.login())
	case e.code == "RevisionNotFound":
		return fmt.Errorf("%s: %w: %q", page, ErrRevision, rev)
	case e.code == "EntryNotFound":
		return fmt.Errorf("%s: %w: %q at %s", page, ErrFile, path, rev)
	case e.code == "RepoNotFound", denied && e.code == "" && e.message == "", e.status == http.StatusNotFound && path == "":
		return fmt.Errorf("%s: %w, or it is private: check the name, or %s", page, ErrRepository, c.login())
	case e.status == http.StatusNotFound:
		return fmt.Errorf("%s: %w: %q at %s", page, ErrFile, path, rev)
	}
	return fmt.Errorf("%s: %w", repo, err)
}

func (c *Client) tokenFrom() string {
	if c.TokenFrom == "" {
		return "use"
	}
	return c.TokenFrom
}

// login says how to become somebody whom the site knows.
func (c *Client) login() string {
	if c.Token == "" {
		return fmt.Sprintf("then set HF_TOKEN to a token of yours from %s/settings/tokens", c.Endpoint)
	}
	return "with the account that the token in " + c.tokenFrom() + " belongs to"
}

// plainURL returns a URL without its query and user, which may be secrets.
func plainURL(u string) string {
	u, _, _ = strings.Cut(u, "?")
	if scheme, rest, ok := strings.Cut(u, "://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		u = scheme + "://" + host[strings.LastIndexByte(host, '@')+1:] + "/" + path
	}
	return u
}

// strange reports whether a character does something to a terminal or to the order of a line.
func strange(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// oneLine returns the text of a server as a part of a line.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if strange(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), "?")
}
