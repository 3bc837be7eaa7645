package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain makes the test's program a process that answers requests alone, if it is asked to.
func TestMain(m *testing.M) {
	switch os.Getenv("MPTGO_TEST_ALONE") {
	case "1":
		if err := ServeAlone(context.Background(), &stub{before: poisoned}, os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	case "broken":
		fmt.Fprintln(os.Stderr, "mpt: no model")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// poisoned does what some requests say.
func poisoned(_ context.Context, r *Request) error {
	switch body := string(r.Body); {
	case strings.Contains(body, "kill"):
		panic("poison")
	case strings.Contains(body, "fault"):
		return &FaultError{"a panic"}
	case strings.Contains(body, "slow"):
		return ErrTimeout
	}
	return nil
}

func aloneCommand(how string) func() *exec.Cmd {
	return func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "MPTGO_TEST_ALONE="+how)
		return c
	}
}

// dies does a job until n requests are under way, of which none comes to an end.
func dies(t *testing.T, opt Options, n int) {
	t.Helper()
	opt.Parallel = n
	begun := make(chan bool, n)
	w := &stub{before: func(_ context.Context, r *Request) error {
		begun <- true
		select {} // it never comes back
	}}
	j, err := Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	go j.Run(t.Context(), identity, w)
	for range n {
		<-begun
	}
	j.journal.close() // as the system does
}

const poison = `{"prompt":"kill"}`

// A request that ends the process twice is answered alone, and if it ends that process, too,
// it is given up. Those that were under way beside it are answered.
func TestPoison(t *testing.T) {
	opt := options(t, many(6)+lineOf("bad", poison)+lineOf("good", `{"prompt":"fine"}`))
	opt.Alone = aloneCommand("1")
	var notes []string
	opt.Note = func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	dies(t, opt, 8)
	dies(t, opt, 8)
	w := &stub{before: poisoned}
	c, err := run(t.Context(), opt, w)
	if err != nil {
		t.Fatal(err)
	}
	got := written(t, opt)
	want := `"custom_id":"bad","response":null,"error":{"code":"request_crashed","message":"line 7: `
	if !strings.Contains(got.errors, want) || !strings.Contains(got.answers, `"good"`) || c.Done != 8 || c.Failed != 2 {
		t.Errorf("%+v, %q", c, got)
	}
	if len(w.asked) != 0 {
		t.Errorf("asked beside others a third time: %v", w.asked)
	}
	if !strings.Contains(fmt.Sprint(notes), "line 7 is given up: its process ended: panic: poison") {
		t.Errorf("%q", notes)
	}
}

// Where there are no processes, a request that was begun twice is given up.
func TestPoisonWithoutProcesses(t *testing.T) {
	opt := options(t, lineOf("bad", poison)+lineOf("good", `{}`))
	dies(t, opt, 1)
	dies(t, opt, 1)
	if got := done(t, opt, &stub{before: poisoned}); !strings.Contains(got.errors, string(Crashed)) || !strings.Contains(got.answers, `"good"`) {
		t.Errorf("%q", got)
	}
}

// Faults of the engine count as starts without an end.
func TestFaults(t *testing.T) {
	opt := options(t, lineOf("bad", `{"prompt":"fault"}`)+lineOf("good", `{}`)+lineOf("slow", `{"prompt":"slow"}`))
	opt.Alone = aloneCommand("1")
	w := &stub{before: poisoned}
	got := done(t, opt, w)
	for _, want := range []string{
		`"bad","response":null,"error":{"code":"request_crashed","message":"line 1: the engine failed: a panic"}`,
		`"slow","response":null,"error":{"code":"request_timeout","message":"line 3: the request took longer than it may"}`,
	} {
		if !strings.Contains(got.errors, want) {
			t.Errorf("%q: want %s", got.errors, want)
		}
	}
	if !strings.Contains(got.answers, `"good"`) || w.times("bad") != 2 || w.times("slow") != 1 {
		t.Errorf("%q, %v", got, w.asked)
	}
}

// That a process does not begin says nothing about a request.
func TestAloneDoesNotBegin(t *testing.T) {
	opt := options(t, lineOf("bad", poison)+lineOf("good", `{}`))
	opt.Alone = aloneCommand("broken")
	dies(t, opt, 1)
	dies(t, opt, 1)
	if _, err := run(t.Context(), opt, &stub{}); err == nil || !strings.Contains(err.Error(), "line 1: a process that answers it alone does not begin: mpt: no model") {
		t.Errorf("%v", err)
	}
	opt.Alone = aloneCommand("1")
	if got := done(t, opt, &stub{}); strings.Count(got.errors, "\n") != 1 {
		t.Errorf("%q", got)
	}
}

// What a worker cannot do ends the work, and the request is as if it had not begun.
func TestWorkerFails(t *testing.T) {
	opt := options(t, many(5))
	want := done(t, options(t, many(5)), &stub{})
	broken := errors.New("no memory")
	for range 4 {
		w := &stub{before: func(_ context.Context, r *Request) error { return broken }}
		if _, err := run(t.Context(), opt, w); !errors.Is(err, broken) {
			t.Fatalf("%v", err)
		}
	}
	if got := done(t, opt, &stub{}); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
