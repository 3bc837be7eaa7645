package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxRedirects bounds how often one request is sent elsewhere.
const maxRedirects = 5

// An answer is a response whose body must be closed.
type answer struct {
	*http.Response
	foreign bool        // from another origin than the site
	site    http.Header // of the last answer of the site itself, on the way to a foreign one
}

// send sends a request to a URL and follows redirects. The token goes to the site alone:
// once a redirect has led elsewhere it is sent no more. Only files may be elsewhere.
func (c *Client) send(ctx context.Context, method, to string, h http.Header, elsewhere bool) (*answer, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	home, err := url.Parse(c.Endpoint)
	if err != nil || home.Host == "" {
		return nil, fmt.Errorf("hub: %q is not the URL of a site: check HF_ENDPOINT", c.Endpoint)
	}
	a := &answer{foreign: origin(u) != origin(home)}
	for range maxRedirects + 1 {
		if a.Response, err = c.single(ctx, method, u, h, !a.foreign); err != nil {
			return nil, err
		}
		if !a.foreign {
			a.site = a.Header
		}
		next, ok := redirect(a.Response)
		if !ok {
			return a, nil
		}
		a.Body.Close()
		if u, err = c.follow(u, next, elsewhere); err != nil {
			return nil, err
		}
		a.foreign = a.foreign || origin(u) != origin(home)
	}
	return nil, fmt.Errorf("%s: more than %d redirects: %w", plainURL(to), maxRedirects, ErrAnswer)
}

// single sends one request. Its body fails if nothing comes for too long.
func (c *Client) single(ctx context.Context, method string, u *url.URL, h http.Header, trusted bool) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	for k, v := range h {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", c.UserAgent)
	r.Header.Set("Accept-Encoding", "identity")
	if trusted && c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	w := newWatch(c.Times.Stall+c.Times.Header, cancel)
	resp, err := c.http.Do(r)
	if err != nil {
		w.stop()
		if w.stalled() {
			return nil, fmt.Errorf("%s: %w", plainURL(u.String()), errStalled)
		}
		return nil, plainError(err)
	}
	w.limit = c.Times.Stall
	w.touch()
	resp.Body = &watchedBody{resp.Body, w}
	return resp, nil
}

// plainError returns an error of the network without the query of its URL.
func plainError(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		if errors.Is(u.Err, context.Canceled) {
			return err // the cause is in the context
		}
		u.URL = plainURL(u.URL)
	}
	return err
}

// origin returns what has to be equal for a token to be sent on.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

func redirect(r *http.Response) (location string, ok bool) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		location = r.Header.Get("Location")
		return location, location != ""
	}
	return "", false
}

// follow returns where a redirect from one URL leads.
func (c *Client) follow(from *url.URL, location string, elsewhere bool) (*url.URL, error) {
	to, err := from.Parse(location)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: a redirect that is no URL: %w", plainURL(from.String()), ErrAnswer)
	case to.Scheme != "https" && (to.Scheme != "http" || from.Scheme == "https"):
		return nil, fmt.Errorf("%s leads to %s, which is not encrypted: %w",
			plainURL(from.String()), plainURL(to.String()), ErrHostile)
	case !elsewhere && origin(to) != origin(from):
		return nil, fmt.Errorf("%s leads to another site, %s: set HF_ENDPOINT to it if you trust it: %w",
			plainURL(from.String()), origin(to), ErrHostile)
	}
	return to, nil
}

// A watch gives up a request when nothing comes for too long.
type watch struct {
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	fired  bool
}

func newWatch(limit time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{limit: limit, cancel: cancel}
	w.timer = time.AfterFunc(limit, func() {
		w.mu.Lock()
		w.fired = true
		w.mu.Unlock()
		cancel(errStalled)
	})
	return w
}

func (w *watch) touch() { w.timer.Reset(w.limit) }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

func (w *watch) stalled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fired
}

// watchedBody is a body under a watch.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.watch.touch()
	}
	if err != nil && err != io.EOF {
		b.watch.timer.Stop()
		if b.watch.stalled() {
			err = errStalled
		} else if !errors.Is(err, context.Canceled) {
			err = fmt.Errorf("%w: %w", errBroken, err)
		}
	}
	return n, err
}

// errBroken is wrapped by the errors of a body that does not come whole.
var errBroken = errors.New("the connection broke off")

func (b *watchedBody) Close() error {
	b.watch.stop()
	return b.ReadCloser.Close()
}
