package hub

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"
)

// blockBytes is what is asked for when a little is read, and maxBlocks how much of that
// is remembered: headers of files are read in small pieces.
const (
	blockBytes = 64 << 10
	maxBlocks  = 64
)

// A Remote is a file on the site, read without a copy on the disk. What it returns is not
// verified. Its methods may be called from several goroutines.
type Remote struct {
	t   *transfer
	ctx context.Context

	mu     sync.Mutex
	blocks map[int64][]byte
	order  []int64
}

// Open returns a file of a commit, to be read in parts, as long as ctx lasts.
func (c *Client) Open(ctx context.Context, rev *Revision, f File) (*Remote, error) {
	t, err := c.remote(ctx, rev, f)
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", rev.Repo, err)
	}
	return &Remote{t: t, ctx: ctx, blocks: map[int64][]byte{}}, nil
}

// remote returns a transfer that writes nowhere.
func (c *Client) remote(ctx context.Context, rev *Revision, f File) (*transfer, error) {
	c.start()
	if err := checkPath(f.Path); err != nil {
		return nil, err
	}
	if c.Offline {
		return nil, fmt.Errorf("%w, and the network is not to be used: %s", ErrOffline, f.Path)
	}
	var err error
	if f.Size < 0 || f.Hash == "" {
		if f, err = c.askFile(ctx, rev, f); err != nil {
			return nil, err
		}
	}
	return &transfer{c: c, rev: rev, file: f}, nil
}

// Size returns the bytes of the file.
func (r *Remote) Size() int64 { return r.t.file.Size }

// ReadAt reads bytes of the file; it implements [io.ReaderAt].
func (r *Remote) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off >= r.Size() {
		return 0, io.EOF
	}
	end := min(off+int64(len(p)), r.Size())
	if end-off > blockBytes {
		n, err = r.fetch(p[:end-off], off)
	} else {
		n, err = r.readBlocks(p[:end-off], off)
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// readBlocks reads a little, by way of the blocks that are remembered.
func (r *Remote) readBlocks(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		i := (off + int64(n)) / blockBytes
		b, err := r.block(i)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b[off+int64(n)-i*blockBytes:])
	}
	return n, nil
}

func (r *Remote) block(i int64) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.blocks[i]; ok {
		return b, nil
	}
	b := make([]byte, min(blockBytes, r.Size()-i*blockBytes))
	if _, err := r.fetch(b, i*blockBytes); err != nil {
		return nil, err
	}
	if len(r.order) == maxBlocks {
		delete(r.blocks, r.order[0])
		r.order = r.order[1:]
	}
	r.blocks[i], r.order = b, append(r.order, i)
	return b, nil
}

// fetch reads all of p.
func (r *Remote) fetch(p []byte, off int64) (int, error) {
	s := &stream{t: r.t, ctx: r.ctx, at: off, end: off + int64(len(p)), p: patience{c: r.t.c}}
	defer s.Close()
	return io.ReadFull(s, p)
}

// Stream returns the bytes of a file of a commit from byte from on, in order. A
// connection that breaks is made again where it broke. The bytes are not verified: see
// [NewHash].
func (c *Client) Stream(ctx context.Context, rev *Revision, f File, from int64) (io.ReadCloser, error) {
	t, err := c.remote(ctx, rev, f)
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", rev.Repo, err)
	}
	return &stream{t: t, ctx: ctx, at: from, end: t.file.Size, p: patience{c: c}}, nil
}

// NewHash returns what a file is to be verified with: the sum of its bytes, in
// hexadecimal digits, has to be f.Hash. It is nil if the site does not say a hash.
func NewHash(f File) hash.Hash { return newHash(f.Hash, f.Size) }

// A stream reads bytes up to end of a file with as many requests as it takes.
type stream struct {
	t       *transfer
	ctx     context.Context
	at, end int64
	p       patience

	body    io.ReadCloser
	release func()
}

func (s *stream) Read(b []byte) (int, error) {
	for s.at < s.end {
		n, err := s.readOnce(b[:min(int64(len(b)), s.end-s.at)])
		if n > 0 {
			s.at += int64(n)
			s.p.progress()
			return n, nil
		}
		if err == nil {
			continue
		}
		s.Close()
		if e, ok := errors.AsType[*statusError](err); ok && e.expired() {
			s.t.link.set("")
			err = fmt.Errorf("%w: the link is refused: %s", errPassing, e)
		}
		if err := s.p.after(s.ctx, err); err != nil {
			err = s.t.c.explain(err, s.t.rev.Repo, s.t.rev.Name, s.t.file.Path)
			return 0, fmt.Errorf("hub: %s: %s: %w", s.t.rev.Repo, s.t.file.Path, err)
		}
	}
	return 0, io.EOF
}

func (s *stream) readOnce(b []byte) (int, error) {
	if s.body == nil {
		if err := s.open(); err != nil {
			return 0, err
		}
	}
	n, err := s.body.Read(b)
	if n == 0 && err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if n > 0 {
		err = nil // it comes again if it stays
	}
	return n, err
}

// open asks for the bytes that are missing.
func (s *stream) open() error {
	release, err := s.t.c.connection(s.ctx)
	if err != nil {
		return err
	}
	body, err := s.t.open(s.ctx, s.at, s.end)
	if err != nil {
		release()
		return err
	}
	s.body, s.release = body, release
	return nil
}

// Close ends the request that is open.
func (s *stream) Close() error {
	if s.body != nil {
		s.body.Close()
		s.release()
		s.body = nil
	}
	return nil
}

// open sends one request for bytes from up to to, and skips what comes before them where
// the server does not serve ranges.
func (t *transfer) open(ctx context.Context, from, to int64) (io.ReadCloser, error) {
	ranged := !t.whole.Load() && (from > 0 || to < t.file.Size)
	at := t.link.get()
	if at == "" {
		at = t.c.fileURL(t.rev, t.file.Path)
	}
	a, err := t.c.send(ctx, http.MethodGet, at, rangeHeader(ranged, from, to), true)
	if err != nil {
		return nil, err
	}
	if a.foreign {
		t.link.set(a.Request.URL.String())
	}
	body, err := t.check(a, from, to, ranged)
	if errors.Is(err, errRange) {
		a.Body.Close()
		if t.whole.Swap(true) {
			return nil, err
		}
		return t.open(ctx, from, to)
	}
	if err == nil && !ranged {
		_, err = io.CopyN(io.Discard, body, from)
	}
	if err != nil {
		a.Body.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{body, a.Body}, nil
}
