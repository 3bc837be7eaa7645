package batch

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// reply is what a process that answers requests one by one says: that it is ready, then
// something for each.
type reply struct {
	Answer  *Answer `json:",omitempty"`
	Timeout bool    `json:",omitempty"`
	Fault   string  `json:",omitempty"`
	Other   string  `json:",omitempty"`
}

// ServeAlone answers requests that come from in, one after the other, until there are no more.
// It is the other end of [Options].Alone. When in ends, so does what is under way.
func ServeAlone(ctx context.Context, w Worker, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	requests := make(chan *Request)
	go func() {
		defer cancel() // the process that asks has ended
		defer close(requests)
		d := json.NewDecoder(in)
		for {
			r := &Request{}
			if d.Decode(r) != nil {
				return
			}
			select {
			case requests <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(reply{}); err != nil {
		return err
	}
	for r := range requests {
		if err := e.Encode(replyTo(w.Answer(ctx, r))); err != nil {
			return err
		}
	}
	return nil
}

func replyTo(a Answer, err error) reply {
	var fault *FaultError
	switch {
	case err == nil:
		return reply{Answer: &a}
	case errors.Is(err, ErrTimeout):
		return reply{Timeout: true}
	case errors.As(err, &fault):
		return reply{Fault: cmp.Or(fault.Message, "it does not say why")}
	}
	return reply{Other: err.Error()}
}

// crashError says that a process ended while it answered a request.
type crashError struct{ how string }

func (e *crashError) Error() string { return "its process ended: " + e.how }

// alone answers requests one by one in another process: one that ends its process then shows
// itself, and no other suffers from it.
type alone struct {
	command func() *exec.Cmd

	mu    sync.Mutex
	child *child // nil: there is none
}

// child is such a process.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	log head
}

// Answer implements [Worker].
func (a *alone) Answer(ctx context.Context, r *Request) (Answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ctx.Err() != nil {
		return Answer{}, context.Cause(ctx)
	}
	if err := a.start(); err != nil {
		return Answer{}, fmt.Errorf("line %d: a process that answers it alone does not begin: %w", r.Line, err)
	}
	c := a.child
	defer context.AfterFunc(ctx, func() { c.cmd.Process.Kill() })()
	var got reply
	err := json.NewEncoder(c.in).Encode(r)
	if err == nil {
		err = c.out.Decode(&got)
	}
	if err != nil {
		how := a.stop()
		if ctx.Err() != nil {
			return Answer{}, context.Cause(ctx)
		}
		return Answer{}, &crashError{how}
	}
	switch {
	case got.Answer != nil:
		return *got.Answer, nil
	case got.Timeout:
		return Answer{}, ErrTimeout
	case got.Fault != "":
		return Answer{}, &FaultError{got.Fault}
	case ctx.Err() != nil:
		return Answer{}, context.Cause(ctx)
	}
	return Answer{}, errors.New(got.Other)
}

// start begins a process, if there is none, and waits until it is ready.
func (a *alone) start() error {
	if a.child != nil {
		return nil
	}
	c := &child{cmd: a.command()}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.cmd.Stderr = &c.log
	c.in, c.out = in, json.NewDecoder(bufio.NewReader(out))
	if err := c.cmd.Start(); err != nil {
		return err
	}
	a.child = c
	if err := c.out.Decode(&reply{}); err != nil {
		return errors.New(a.stop())
	}
	return nil
}

// stop ends the process and says how it ended.
func (a *alone) stop() string {
	c := a.child
	if c == nil {
		return ""
	}
	a.child = nil
	c.in.Close()
	err := c.cmd.Wait()
	if first := c.log.first(); first != "" {
		return first
	}
	return fmt.Sprint(err)
}

func (a *alone) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stop()
}

// head keeps the beginning of what is written to it.
type head struct{ b bytes.Buffer }

func (t *head) Write(p []byte) (int, error) {
	t.b.Write(p[:min(len(p), max(0, 4096-t.b.Len()))])
	return len(p), nil
}

// first returns the line that says why a program ended.
func (t *head) first() string {
	text := t.b.String()
	for l := range strings.Lines(text) {
		for _, word := range []string{"panic: ", "fatal error: ", "SIG", "mpt: "} {
			if strings.HasPrefix(l, word) {
				return strings.TrimSpace(l)
			}
		}
	}
	first, _, _ := strings.Cut(text, "\n")
	return first
}
