package ggml

import (
	"fmt"
	"strings"
	"time"
)

// profile adds up what the operations of one kind of a compiled graph took.
type profile struct {
	names []string // in the order of the first run
	by    map[string]*Cost
}

// Cost is what an operation took over all profiled runs.
type Cost struct {
	Name  string // kind and weight, without the layer: "matmul attn_qkv"
	Runs  int
	Time  time.Duration
	Bytes int64 // of weights, keys and values, each counted once a run
	MACs  int64 // multiplications with weights, keys and values
}

// costed is an operation that knows how much it reads and multiplies.
type costed interface {
	work(e *Exec) (bytes, macs int64)
}

func (o *matMul) work(e *Exec) (bytes, macs int64) {
	bytes, macs = int64(o.w.Bytes()), int64(o.w.Rows)*int64(o.w.Cols)*int64(e.rows(o.y).n)
	for _, f := range o.epilogue {
		if c, ok := f.(costed); ok {
			b, m := c.work(e)
			bytes, macs = bytes+b, macs+m
		}
	}
	return bytes, macs
}

// work counts what the rows attend to: all positions up to their own, or those in the
// window.
func (o *attend) work(e *Exec) (bytes, macs int64) {
	for i := range e.batch.Spans {
		s := &e.batch.Spans[i]
		seen, pairs := o.sees(int64(s.Pos), int64(s.N))
		bytes += int64(s.KV[o.Layer].PageBytes()/PageSize) * seen
		macs += int64(2*o.Heads*o.Dim) * pairs
	}
	return bytes, macs
}

// sees returns how many positions n rows from position pos on see, in all and added up
// over the rows.
func (o *attend) sees(pos, n int64) (seen, pairs int64) {
	w := int64(o.Window)
	if w <= 0 || w >= pos+n {
		return pos + n, n*pos + n*(n+1)/2
	}
	for p := pos + 1; p <= pos+n; p++ {
		pairs += min(p, w)
	}
	return min(pos+n, n-1+w), pairs
}

// Profile starts (or stops) adding up the time of every operation. It costs a
// few tens of nanoseconds for each.
func (e *Exec) Profile(on bool) {
	e.profile = nil
	if on {
		e.profile = &profile{by: map[string]*Cost{}}
	}
}

// Costs returns what has been measured, in the order of the graph.
func (e *Exec) Costs() []Cost {
	if e.profile == nil {
		return nil
	}
	var costs []Cost
	for _, name := range e.profile.names {
		costs = append(costs, *e.profile.by[name])
	}
	return costs
}

// timer is a running measurement; the zero timer measures nothing.
type timer struct {
	p     *profile
	began time.Time
}

func (p *profile) start() timer {
	if p == nil {
		return timer{}
	}
	return timer{p, time.Now()}
}

func (t timer) stop(e *Exec, nd *node) {
	if t.p == nil || len(nd.steps) == 0 {
		return
	}
	took := time.Since(t.began)
	name := costName(nd.op)
	c := t.p.by[name]
	if c == nil {
		c = &Cost{Name: name}
		t.p.by[name] = c
		t.p.names = append(t.p.names, name)
	}
	c.Runs++
	c.Time += took
	if w, ok := nd.op.(costed); ok {
		bytes, macs := w.work(e)
		c.Bytes += bytes
		c.MACs += macs
	}
}

// costName names an operation without its layer, so that layers add up.
func costName(o op) string {
	name := o.out().Name
	if m, ok := o.(*matMul); ok {
		name = strings.TrimSuffix(m.w.Name, ".weight")
	}
	var layer int
	var rest string
	if n, _ := fmt.Sscanf(name, "blk.%d.%s", &layer, &rest); n == 2 {
		name = rest
	}
	return o.kind() + " " + name
}
