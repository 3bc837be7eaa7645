package queue

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestSubjects(t *testing.T) {
	for _, p := range []place{{"0123456789abcdef", "b", 1, false}, {"f", "A-z_9", 1<<31 - 1, true}} {
		if got, ok := parseRequest(p.request()); !ok || got != p {
			t.Errorf("%s is read as %+v", p.request(), got)
		}
		if line, ok := parseResult(p.result()); !ok || line != p.line {
			t.Errorf("%s is read as line %d", p.result(), line)
		}
	}
	for _, s := range []string{
		"", "mpt.req.f.b", "mpt.req.f.b.0", "mpt.req.f.b.-1", "mpt.req.f.b.01", "mpt.req.f.b.+1", "mpt.req.f.b.2147483648", "mpt.req.f.b.1.x",
		"mpt.req.f.b.1.check.1", "mpt.res.f.b.1", "x.req.f.b.1", "mpt.req.f..1", "mpt.req.f.b*.1", "mpt.req.f." + strings.Repeat("b", 65) + ".1",
	} {
		if p, ok := parseRequest(s); ok {
			t.Errorf("%q is read as %+v", s, p)
		}
	}
	for _, s := range []string{"", "mpt.res.b", "mpt.res.b.0", "mpt.res.b.x", "mpt.res.b.1.2", "mpt.req.b.1"} {
		if line, ok := parseResult(s); ok {
			t.Errorf("%q is read as line %d", s, line)
		}
	}
}

// FuzzSubjects: what is read as a subject is written as the same one.
func FuzzSubjects(f *testing.F) {
	f.Add("mpt.req.0123456789abcdef.b.17")
	f.Add("mpt.req.0123456789abcdef.b.17.check")
	f.Add("mpt.res.b.17")
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := parseRequest(s); ok && p.request() != s {
			t.Errorf("%q is %+v, which is %q", s, p, p.request())
		}
		if line, ok := parseResult(s); ok && !strings.HasSuffix(s, fmt.Sprintf(".%d", line)) {
			t.Errorf("%q is line %d", s, line)
		}
	})
}

// What a server may answer, and whether it would answer the same again.
func TestLasting(t *testing.T) {
	full := &jetstream.APIError{Code: 503, ErrorCode: storeFailed, Description: "maximum bytes exceeded"}
	taken := &jetstream.APIError{Code: 503, ErrorCode: storeFailed, Description: "maximum messages per subject exceeded"}
	for _, x := range []struct {
		err                  error
		lasting, full, taken bool
	}{
		{full, false, true, false},
		{taken, false, false, true},
		{&jetstream.APIError{Code: 503, ErrorCode: storeFailed, Description: "maximum messages exceeded"}, false, true, false},
		{&jetstream.APIError{Code: 400, ErrorCode: 10025, Description: "bad request"}, true, false, false},
		{jetstream.ErrStreamNotFound, true, false, false},
		{jetstream.ErrNoStreamResponse, false, false, false},
		{errors.New("the network"), false, false, false},
		{fmt.Errorf("%w: it has 1", errDiffers), true, false, false},
	} {
		if lasting(x.err) != x.lasting || isFull(x.err) != x.full || isTaken(x.err) != x.taken {
			t.Errorf("%v: lasting %v, full %v, taken %v", x.err, lasting(x.err), isFull(x.err), isTaken(x.err))
		}
	}
}

// A stream that does not promise what the work relies on is refused; sizes are the operator's.
func TestCheckStream(t *testing.T) {
	o := Options{}
	o.setDefaults()
	for _, want := range []jetstream.StreamConfig{o.requests(), o.results()} {
		got := want
		got.MaxBytes, got.Replicas, got.MaxAge = 1, 5, time.Hour
		if err := checkStream(want, got); err != nil {
			t.Error(err)
		}
		for name, change := range map[string]func(*jetstream.StreamConfig){
			"max_msgs_per_subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = -1 },
			"discard_new":          func(c *jetstream.StreamConfig) { c.DiscardNewPerSubject = false },
			"discard":              func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
			"retention":            func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
			"subjects":             func(c *jetstream.StreamConfig) { c.Subjects = []string{"mpt.>"} },
			"storage":              func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
			"allow_direct":         func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		} {
			got := want
			change(&got)
			if err := checkStream(want, got); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestChosen(t *testing.T) {
	n := 0
	for i := range 10000 {
		text := []byte(fmt.Sprint("line ", i))
		if chosen(text, 0) || !chosen(text, 1) {
			t.Fatal("none or all")
		}
		if chosen(text, 0.05) {
			n++
			if !chosen(text, 0.06) {
				t.Error("a larger share does not contain a smaller one")
			}
		}
	}
	if n < 400 || n > 600 { // 500 and 4.6 standard deviations
		t.Errorf("%d of 10000 are a share of 0.05", n)
	}
}

func TestRate(t *testing.T) {
	r := newRate()
	at := time.Unix(0, 0)
	if r.perSecond() != 0 {
		t.Error("a rate of nothing")
	}
	for range 5000 { // one a second, then ten
		at = at.Add(time.Second)
		r.add(at)
	}
	for range 5000 {
		at = at.Add(100 * time.Millisecond)
		r.add(at)
	}
	if got := r.perSecond(); got < 9.9 || got > 10.1 {
		t.Errorf("%v a second", got)
	}
	if len(r.times) > 2000 {
		t.Errorf("it keeps %d times", len(r.times))
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "A-z_09": true, strings.Repeat("x", 64): true, "": false, "a.b": false, "a b": false, "*": false, ">": false, "ä": false,
		strings.Repeat("x", 65): false, "a\n": false,
	} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
