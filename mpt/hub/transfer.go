package hub

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// errRange is returned when a server does not serve the range it was asked for; the
// file is then fetched in one piece from its start.
var errRange = errors.New("the server does not serve ranges of this file")

// A transfer fetches one file.
type transfer struct {
	c    *Client
	rev  *Revision
	file File // size and hash are known
	part *part
	come *atomic.Int64 // bytes of all transfers

	whole atomic.Bool // no ranges
	link  link
}

// A link is where the site says that a file lies: signed, and soon not valid any more.
type link struct {
	mu  sync.Mutex
	url string
}

func (l *link) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.url
}

func (l *link) set(url string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.url = url
}

// drop forgets a link, unless another request has found a new one already.
func (l *link) drop(url string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.url == url {
		l.url = ""
	}
}

// fetchBlob makes the blob of a file, and reports whether it was there already, perhaps
// by another process.
func (c *Client) fetchBlob(ctx context.Context, rev *Revision, f File, come *atomic.Int64) (fresh bool, err error) {
	blob := c.blob(rev.Repo, f.Hash)
	if hasSize(blob, f.Size) {
		os.Remove(blob + ".mptgo.json") // of a process that was killed just then
		come.Add(f.Size)
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
		return false, fmt.Errorf("the cache cannot be written to: %w", err)
	}
	release, err := c.lock(ctx, rev.Repo, f.Hash)
	if err != nil {
		return false, err
	}
	defer release()
	if hasSize(blob, f.Size) {
		come.Add(f.Size)
		return false, nil
	}
	p, err := c.openPart(blob, f.Hash, f.Size)
	if err != nil {
		return false, full(err)
	}
	t := &transfer{c: c, rev: rev, file: f, part: p, come: come}
	come.Add(p.come())
	if err := t.run(ctx); err != nil {
		return false, err
	}
	return true, full(p.commit(blob))
}

// run fetches and verifies. A file that is not what it should be is fetched once more.
func (t *transfer) run(ctx context.Context) error {
	sum, err := t.fetch(ctx)
	if err == nil && !t.right(sum) {
		t.c.Logf("%s: its hash is %s, not %s: fetching it once more", t.file.Path, sum, t.file.Hash)
		if err = t.again(true); err == nil {
			sum, err = t.fetch(ctx)
		}
	}
	switch {
	case err != nil:
		t.part.close()
		return fmt.Errorf("%s: %w", t.file.Path, full(err))
	case !t.right(sum):
		t.part.remove()
		return fmt.Errorf("%s: %w: its hash is %s, that of the bytes which come is %s: try later, or another mirror",
			t.file.Path, ErrCorrupt, t.file.Hash, sum)
	}
	return nil
}

func (t *transfer) right(sum string) bool { return sum == "" || sum == t.file.Hash }

// again throws away what has come.
func (t *transfer) again(many bool) error {
	t.come.Add(-t.part.come())
	t.link.set("")
	return t.part.reset(t.file.Size, many && t.file.Size >= t.c.manyFrom && !t.whole.Load())
}

// fetch fetches all segments and returns the hash of the file. If ranges do not work it
// fetches all of it in one piece.
func (t *transfer) fetch(ctx context.Context) (sum string, err error) {
	err = t.segments(ctx)
	if errors.Is(err, errRange) && !t.whole.Swap(true) {
		if err = t.again(false); err == nil {
			err = t.segments(ctx)
		}
	}
	if err != nil {
		return "", err
	}
	return t.part.sum(), nil
}

// segments fetches what is missing, while the hash follows.
func (t *transfer) segments(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.part.begin()
	hashed := make(chan error, 1)
	go func() { hashed <- t.part.follow() }()
	var wg sync.WaitGroup
	for i := range t.part.state.Segments {
		if t.part.segment(i).missing() == 0 {
			continue
		}
		release, err := t.c.connection(ctx)
		if err != nil {
			break
		}
		wg.Go(func() {
			defer release()
			if err := t.segment(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	t.part.end()
	err := <-hashed
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// connection waits until another connection may be opened.
func (c *Client) connection(ctx context.Context) (release func(), err error) {
	select {
	case c.slot <- struct{}{}:
		return func() { <-c.slot }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// segment fetches what is missing of segment i, with as many requests as it takes.
func (t *transfer) segment(ctx context.Context, i int) error {
	p := patience{c: t.c}
	best := t.part.segment(i).Done
	for {
		s := t.part.segment(i)
		if s.missing() == 0 {
			return nil
		}
		used := t.link.get()
		err := t.ask(ctx, i, s, used)
		if now := t.part.segment(i).Done; now > best {
			best = now
			p.progress()
		}
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[*statusError](err); ok && e.expired() {
			t.link.drop(used)
			err = fmt.Errorf("%w: the link is refused: %s", errPassing, e)
			if used != "" {
				continue // the next request asks for a new one
			}
		}
		if err := p.after(ctx, err); err != nil {
			return t.c.explain(err, t.rev.Repo, t.rev.Name, t.file.Path)
		}
	}
}

// ask sends one request for the rest of a segment and takes what comes.
func (t *transfer) ask(ctx context.Context, i int, s segment, link string) error {
	at := link
	if at == "" {
		at = t.c.fileURL(t.rev, t.file.Path)
	}
	from := s.From + s.Done
	ranged := !t.whole.Load() && (from > 0 || s.To < t.file.Size)
	h := rangeHeader(ranged, from, s.To)
	if ranged {
		if u, err := url.Parse(at); err == nil && link != "" {
			if etag := t.part.etagOf(u.Host); etag != "" {
				h.Set("If-Range", etag)
			}
		}
	}
	a, err := t.c.send(ctx, http.MethodGet, at, h, true)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.foreign {
		t.link.set(a.Request.URL.String())
	}
	body, err := t.check(a, from, s.To, ranged)
	if err != nil {
		return err
	}
	if !ranged { // what has come already comes again
		if _, err := io.CopyN(io.Discard, body, from); err != nil {
			return err
		}
	}
	return t.take(i, s, body)
}

// rangeHeader asks for bytes from up to to, or, if not ranged, for all.
func rangeHeader(ranged bool, from, to int64) http.Header {
	h := http.Header{}
	if ranged {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	}
	return h
}

// fileURL returns where the site has a file.
func (c *Client) fileURL(rev *Revision, path string) string {
	return fmt.Sprintf("%s/%s/resolve/%s/%s", c.Endpoint, escape(rev.Repo), rev.Commit, escape(path))
}

// check returns the body of an answer if it is the range that was asked for.
func (t *transfer) check(a *answer, from, to int64, ranged bool) (io.Reader, error) {
	switch {
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable && ranged:
		return nil, errRange
	case a.StatusCode != http.StatusOK && a.StatusCode != http.StatusPartialContent:
		return nil, newStatusError(a)
	case ranged != (a.StatusCode == http.StatusPartialContent):
		return nil, t.noRange(ranged)
	}
	if commit := a.site.Get("X-Repo-Commit"); commit != "" && commitHash.MatchString(commit) && commit != t.rev.Commit {
		return nil, fmt.Errorf("%w: commit %.12s is asked for, and %.12s is sent", ErrCorrupt, t.rev.Commit, commit)
	}
	if t.part != nil && !t.part.source(a.Request.URL.Host, a.Header.Get("ETag")) && ranged {
		return nil, errRange // what has come is of another version
	}
	if encoding := a.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		if encoding != "gzip" || ranged {
			return nil, t.noRange(ranged)
		}
		return gzip.NewReader(a.Body)
	}
	if ranged {
		return a.Body, checkRange(a.Header.Get("Content-Range"), from, to, t.file.Size)
	}
	if a.ContentLength >= 0 && a.ContentLength != t.file.Size {
		return nil, fmt.Errorf("%w: %d bytes are sent, not %d (%w)", errPassing, a.ContentLength, t.file.Size, ErrCorrupt)
	}
	return a.Body, nil
}

// noRange is the error of an answer that does not go with a request for a range, or for
// all.
func (t *transfer) noRange(ranged bool) error {
	if ranged {
		return errRange
	}
	return fmt.Errorf("%w: a part of the file instead of all of it", errPassing)
}

// checkRange returns an error unless the header says bytes from up to to of a file of
// size bytes.
func checkRange(header string, from, to, size int64) error {
	var first, last int64
	var total string
	if n, err := fmt.Sscanf(strings.TrimSpace(header), "bytes %d-%d/%s", &first, &last, &total); n != 3 || err != nil {
		return errRange
	}
	if first != from || last < first || last >= to || total != "*" && total != fmt.Sprint(size) {
		return errRange
	}
	return nil
}

// take writes a body where the rest of segment i belongs. A server that sends more than
// it should is no reason to doubt what came: the hash tells, if there is one.
func (t *transfer) take(i int, s segment, body io.Reader) error {
	b := make([]byte, min(writeBytes, s.missing()))
	for left := s.missing(); left > 0; {
		n, err := fill(body, b[:min(left, int64(len(b)))])
		if n > 0 {
			if e := t.part.add(i, b[:n]); e != nil {
				return e
			}
			left -= int64(n)
			t.come.Add(int64(n))
		}
		switch {
		case err == io.EOF && left > 0:
			return io.ErrUnexpectedEOF
		case err != nil && err != io.EOF:
			return err
		}
	}
	if s.To == t.file.Size && !isHash(t.file.Hash) {
		return t.noMore(body)
	}
	return nil
}

// fill reads until b is full, or something has come and half a second has passed: large
// writes cost less, and a slow line is to be seen to move.
func fill(r io.Reader, b []byte) (n int, err error) {
	start := time.Now()
	for n < len(b) && err == nil && (n == 0 || time.Since(start) < time.Second/2) {
		var k int
		k, err = r.Read(b[n:])
		n += k
	}
	return n, err
}

// noMore returns an error if a body goes on behind the end of the file.
func (t *transfer) noMore(body io.Reader) error {
	var one [1]byte
	if n, _ := io.ReadFull(body, one[:]); n > 0 {
		return fmt.Errorf("%w: more than the %d bytes of the file are sent", ErrCorrupt, t.file.Size)
	}
	return nil
}
