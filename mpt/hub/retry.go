package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// wait is how long a server asks to be left alone; ok is false if it says nothing.
type wait struct {
	d  time.Duration
	ok bool
}

// waitOf reads Retry-After, in seconds or as a date, or the time of a RateLimit header,
// such as "resolvers";r=0;t=120.
func waitOf(h http.Header) wait {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 && n < 1e6 {
		return wait{time.Duration(n * float64(time.Second)), true}
	}
	if at, err := http.ParseTime(text); err == nil {
		return wait{max(0, time.Until(at)), true}
	}
	for p := range strings.SplitSeq(h.Get("RateLimit"), ";") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(p), "t="); ok {
			if n, err := strconv.Atoi(v); err == nil && n >= 0 && n < 1e6 {
				return wait{time.Duration(n) * time.Second, true}
			}
		}
	}
	return wait{}
}

// patience counts how often something was tried without progress.
type patience struct {
	c     *Client
	tries int
}

// progress says that something was gained: counting starts again.
func (p *patience) progress() { p.tries = 0 }

// after is called with the error of an attempt. It pauses and returns nil if another is
// to be made, or the error to give up with.
func (p *patience) after(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e, isStatus := errors.AsType[*statusError](err)
	if isStatus && !e.passing() || !isStatus && !isNetwork(err) {
		return err
	}
	if p.tries++; p.tries >= attempts {
		return fmt.Errorf("%w (tried %d times)", err, attempts)
	}
	d := p.pause()
	if isStatus && e.limit.ok {
		if e.limit.d > p.c.Times.RateLimit {
			return fmt.Errorf("%w: it wants to be asked again in %v: try later%s",
				err, e.limit.d.Round(time.Second), p.c.limitHint())
		}
		d = max(d, e.limit.d)
	}
	if isStatus && e.status == http.StatusTooManyRequests {
		p.c.Logf("%s: too many requests: waiting for %v%s", e.url, d.Round(time.Millisecond), p.c.limitHint())
	}
	return sleep(ctx, d)
}

// pause returns how long to wait after so many tries: twice as long each time, a fifth
// more or less, so that many clients do not come back at once.
func (p *patience) pause() time.Duration {
	d := p.c.Times.Retry << (p.tries - 1)
	d = min(d, p.c.Times.RetryMost)
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// limitHint says how to be allowed more requests.
func (c *Client) limitHint() string {
	if c.Token != "" {
		return ""
	}
	return " (with a token in HF_TOKEN the limit is higher)"
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errStalled is the cause of a request that was given up because nothing came.
var errStalled = errors.New("nothing came for too long")

// errPassing marks other errors of an answer that may be gone at the next attempt.
var errPassing = errors.New("the answer is not what was asked for")

// isNetwork reports whether err is one of the network, which may pass.
func isNetwork(err error) bool {
	if errors.Is(err, errStalled) || errors.Is(err, errPassing) || errors.Is(err, errBroken) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return true
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return false // the disk's, which does not pass, although it has the method
	}
	var net interface{ Timeout() bool }
	if _, ok := errors.AsType[*url.Error](err); ok {
		return !errors.Is(err, ErrHostile)
	}
	return errors.As(err, &net)
}
