package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch/queue"
)

// stream returns JetStream as anybody has it.
func (s *site) stream() (jetstream.JetStream, *nats.Conn) {
	s.t.Helper()
	nc, err := nats.Connect(s.url())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	return js, nc
}

func TestUnreachable(t *testing.T) {
	for url, want := range map[string]string{
		fmt.Sprintf("nats://me:secret@127.0.0.1:%d", freePort(t)): "no NATS server answers at nats://me:xxxxx@127.0.0.1",
		"": "nats", "nats://127.0.0.1:1": "is mpt-batchd or nats-server running there?",
	} {
		q, err := queue.Connect(queue.Options{URL: url, Wait: time.Second})
		if err == nil {
			q.Close()
		}
		if err == nil && url != "" || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: %v, want %s", url, err, want)
		}
	}
	if _, err := queue.Connect(queue.Options{URL: "nats://127.0.0.1:1", Creds: "missing.creds"}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestNoJetStream(t *testing.T) {
	n, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	defer n.Shutdown()
	n.ReadyForConnections(10 * time.Second)
	q, err := queue.Connect(queue.Options{URL: n.ClientURL()})
	if err == nil {
		q.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "start nats-server with -js, or mpt-batchd") {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	s := newSite(t)
	js, _ := s.stream()
	q := s.connect(s.url())
	in := s.input(20)
	refuse := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	c := jetstream.StreamConfig{Name: "MPT_RES", Subjects: []string{"mpt.res.>"}, AllowDirect: true, Discard: jetstream.DiscardNew}
	if _, err := js.CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	_, err := s.submit(t.Context(), q, in, 0)
	refuse("a stream of other promises", err, "it has discard_new_per_subject false, and has to have true")
	if err := js.DeleteStream(t.Context(), "MPT_RES"); err != nil {
		t.Fatal(err)
	}
	_, err = q.Load(t.Context(), "b")
	refuse("no batch", err, "there is no such batch on this server; it has none")
	s.mustSubmit(q, in)
	_, err = q.Load(t.Context(), "c")
	refuse("no such batch", err, "there is no such batch on this server: it has b")
	_, err = q.Load(t.Context(), "a.b")
	refuse("a name", err, "is no name of a batch")
	other := filepath.Join(s.dir, "other.jsonl")
	if err := os.WriteFile(other, []byte(requestLine(1, "other")), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = s.submit(t.Context(), q, other, 0)
	refuse("another input", err, "batch b is on the server already, and is another: the input changed")
	refuse("another input", s.collect(q, other, filepath.Join(s.dir, "x.jsonl")), "it is not the input of batch b: the input changed")
}

// What is damaged, or of another batch of that name, is not taken for a result.
func TestDamagedResults(t *testing.T) {
	s := newSite(t)
	js, _ := s.stream()
	q := s.connect(s.url())
	in := s.input(40)
	s.mustSubmit(q, in)
	sum := func(text string) string { x := sha256.Sum256([]byte(text)); return hex.EncodeToString(x[:]) }
	text, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	ninth := sum(strings.Split(string(text), "\n")[8])
	for line, head := range map[int]map[string]string{
		9: {"Mpt-Line": ninth, "Mpt-Digest": sum("y")}, // of this input, and changed on the disk
		1: {}, 2: {"Mpt-Line": "zz", "Mpt-Digest": sum("x")}, 3: {"Mpt-Line": sum("other"), "Mpt-Digest": sum("x")},
		5: {"Mpt-Line": sum("other"), "Mpt-Digest": sum("y")}, 6: {"Mpt-Line": sum("other"), "Mpt-Digest": sum("x"), "Mpt-Object": sum("x")},
		999: {"Mpt-Line": sum("other"), "Mpt-Digest": sum("x")},
	} {
		m := nats.NewMsg(fmt.Sprintf("mpt.res.b.%d", line))
		m.Data = []byte("x")
		for k, v := range head {
			m.Header.Set(k, v)
		}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	s.three()
	s.wantSame(q, in, s.local(in))
}

// Lines and answers that are larger than a message go another way.
func TestLarge(t *testing.T) {
	s := newSite(t)
	q := s.connect(s.url())
	in := s.input(10, strings.Repeat("long ", 200_000), "refuse "+strings.Repeat("wide ", 300_000))
	s.mustSubmit(q, in)
	s.three()
	s.wantSame(q, in, s.local(in))
}

// A batch that is cancelled ends with what there is; one that is removed leaves nothing.
func TestCancel(t *testing.T) {
	s := newSite(t)
	q := s.connect(s.url())
	in := s.input(300)
	s.mustSubmit(q, in)
	w := s.work(s.url(), "w", &stub{delay: slow}, func(o *queue.WorkOptions) { o.Parallel = 2 })
	s.done(q, 20)
	out := filepath.Join(s.dir, "out.jsonl")
	waits := make(chan error, 1)
	go func() { waits <- s.collect(q, in, out) }()
	if err := q.Cancel(t.Context(), "b", false); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; err != nil {
		t.Fatal(err)
	}
	w.stop()
	got, want := written(t, out), s.local(in)
	n := strings.Count(got.errors, `"batch_cancelled"`)
	if n == 0 || strings.Count(got.answers+got.errors, "\n") != 300 {
		t.Errorf("%d were cancelled", n)
	}
	for l := range strings.Lines(got.answers) {
		if !strings.Contains(want.answers, l) {
			t.Errorf("%s is no answer", l)
		}
	}
	if _, err := s.submit(t.Context(), q, in, 0); err == nil || !strings.Contains(err.Error(), "batch b was cancelled") {
		t.Error(err)
	}
	if err := q.Cancel(t.Context(), "b", true); err != nil {
		t.Fatal(err)
	}
	if names, err := q.Batches(t.Context()); err != nil || len(names) > 0 {
		t.Error(names, err)
	}
	js, _ := s.stream()
	for _, name := range []string{"MPT_REQ", "MPT_RES"} {
		x, err := js.Stream(t.Context(), name)
		if err != nil || x.CachedInfo().State.Msgs != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.mustSubmit(q, in)
	s.three()
	s.wantSame(q, in, want)
}

// What is removed while somebody waits for it does not come back. Who waits may see all of it
// cancelled before it is gone, and is told so line by line, but for the one that is no request.
func TestRemovedMeanwhile(t *testing.T) {
	s := newSite(t)
	q := s.connect(s.url())
	in, out := s.input(20), filepath.Join(s.dir, "out.jsonl")
	s.mustSubmit(q, in)
	waits := make(chan error, 1)
	go func() { waits <- s.collect(q, in, out) }()
	if err := q.Cancel(t.Context(), "b", true); err != nil {
		t.Fatal(err)
	}
	switch err := <-waits; {
	case err == nil:
		got := written(t, out)
		cancelled, wrong := strings.Count(got.errors, `"batch_cancelled"`), strings.Count(got.errors, `"missing_custom_id"`)
		if cancelled != 19 || wrong != 1 || got.answers != "" {
			t.Errorf("no error, and %d of 19 lines cancelled: %s%s", cancelled, got.answers, got.errors)
		}
	case !strings.Contains(err.Error(), "the batch was removed") && !errors.Is(err, queue.ErrNoBatch):
		t.Error(err)
	}
}

// A worker that is to end finishes what is under way, or gives it back at the end of its grace.
func TestGrace(t *testing.T) {
	s := newSite(t)
	q := s.connect(s.url())
	in := s.input(16)
	s.mustSubmit(q, in)
	w := s.work(s.url(), "slow", &stub{delay: time.Hour}, func(o *queue.WorkOptions) { o.Grace = 300 * time.Millisecond })
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		if st, err := q.Status(t.Context(), "b"); err == nil && st.InFlight == 8 {
			break
		}
	}
	if err := w.stop(); err != nil || w.counts.Answered != 0 {
		t.Errorf("%v, %+v", err, w.counts)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.three()
	s.wantSame(q, in, s.local(in))
	if ctx.Err() != nil {
		t.Error("what it held did not come back")
	}
}
