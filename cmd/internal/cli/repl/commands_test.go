package repl

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestReplSaveAndLoad(t *testing.T) {
	m := openCase(t, "hf-tiny")
	file := filepath.Join(t.TempDir(), "a chat")
	whole, _ := newRepl(t, m, "chatml", 256, "one", "two", "three")
	run(t, whole)
	first, _ := newRepl(t, m, "chatml", 256, "one", "two", "/save "+file, "/save "+file)
	run(t, first)
	second, sc := newRepl(t, m, "raw", 256, "/set temp 0", "/set logit_bias 41+1000", "something else", "/load "+file, "three")
	run(t, second)
	if got, want := second.talk.Turns()[2].Answer, whole.talk.Turns()[2].Answer; got != want {
		t.Errorf("after loading: %q, want %q", got, want)
	}
	if !slices.Equal(second.talk.Tokens(), whole.talk.Tokens()) {
		t.Error("other tokens after loading")
	}
	if got := second.talk.Format().Name; got != "chatml" {
		t.Errorf("format %s", got)
	}
	if !strings.Contains(sc.notes.String(), ", 2 turns\n") {
		t.Errorf("notes: %s", sc.notes.String())
	}
}

func TestReplLoadRefusesDamage(t *testing.T) {
	m := openCase(t, "hf-tiny")
	file := filepath.Join(t.TempDir(), "chat")
	r, _ := newRepl(t, m, "chatml", 256, "one", "/save "+file)
	run(t, r)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	huge := slices.Clone(good)
	copy(huge[len(chatMagic):], "\xff\xff\xff\xff")
	bad := map[string][]byte{
		"empty":     {},
		"text":      []byte("hello, hello, hello"),
		"magic":     good[:len(chatMagic)],
		"length":    good[:len(chatMagic)+2],
		"state":     good[:len(chatMagic)+40],
		"session":   good[:len(good)-3],
		"huge":      huge,
		"no format": bytes.Replace(good, []byte(`"format":"chatml"`), []byte(`"format":"chatxx"`), 1),
	}
	for name, b := range bad {
		if err := os.WriteFile(file, b, 0o666); err != nil {
			t.Fatal(err)
		}
		r, sc := newRepl(t, m, "raw", 256, "one", "/load "+file)
		before := 1
		if err := r.run(context.Background()); err == nil || !strings.Contains(sc.notes.String(), "mpt: /load: "+file+": ") {
			t.Errorf("%s: got %v, %q", name, err, sc.notes.String())
		}
		if len(r.talk.Turns()) != before || r.talk.Format().Name != "raw" {
			t.Errorf("%s: the chat changed", name)
		}
		checkSession(t, r)
	}
}

func TestReplSaveKeepsOtherFiles(t *testing.T) {
	m := openCase(t, "hf-tiny")
	file := filepath.Join(t.TempDir(), "letter")
	if err := os.WriteFile(file, []byte("Dear reader"), 0o666); err != nil {
		t.Fatal(err)
	}
	r, sc := newRepl(t, m, "raw", 64, "/save "+file, "/save")
	if err := r.run(context.Background()); err == nil || err.Error() != "chat: 2 inputs failed" {
		t.Errorf("got %v", err)
	}
	if want := "exists and is not a saved chat"; !strings.Contains(sc.notes.String(), want) {
		t.Errorf("notes: %s", sc.notes.String())
	}
	if b, _ := os.ReadFile(file); string(b) != "Dear reader" {
		t.Errorf("the file is now %q", b)
	}
}

func TestReplSystem(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "chatml", 256, "one", "/system Be short.", "two", "/system", "/system -", "/system", "/reset", "three")
	run(t, r)
	if got := sc.out.String(); !strings.Contains(got, "Be short.\n") {
		t.Errorf("printed %q", got)
	}
	if r.talk.Format().System != "" || len(r.talk.Turns()) != 1 {
		t.Errorf("system %q, %d turns", r.talk.Format().System, len(r.talk.Turns()))
	}
	checkSession(t, r)
}

func TestReplCommands(t *testing.T) {
	m := openCase(t, "hf-tiny")
	tests := []struct{ line, out, notes string }{
		{"/help", "/set [NAME [VALUE]]", ""},
		{"/set", "temperature; 0:", ""},
		{"/set temp 0.25", "", ""},
		{"/set top-k 3", "", ""},
		{"/set seed random", "", ""},
		{"/tokens", "0 of 64 tokens, 0 turns\n", ""},
		{"/quit", "", ""},
		{"/exit", "", ""},
		{"/bye", "", ""},
		{"/set temp", "temp  1.5  temperature", ""},
		{"/set top-k", "top_k  0  ", ""},
		{"/set nonsense", "", "mpt: /set: sampling: unknown parameter \"nonsense\""},
		{"/set temp warm", "", "mpt: /set: sampling: temp: \"warm\" is not a number\n"},
		{"/set top_p -1", "", "mpt: /set: sampling: top_p is -1: want "},
		{"/set nonsense 1", "", "mpt: /set: sampling: unknown parameter \"nonsense\""},
		{"/tokens now", "", "mpt: /tokens: takes no argument\n"},
		{"/speed", "", "mpt: /speed: no answer yet\n"},
		{"/load", "", "mpt: /load: no file name\n"},
		{`/load ""`, "", "mpt: /load: no file name\n"},
		{"/save ''", "", "mpt: /save: no file name\n"},
		{"/load nowhere", "", "mpt: /load: open nowhere: "},
		{"/nonsense", "", "mpt: /nonsense: unknown command: /help lists them"},
		{"/sat temp 1", "", "mpt: /sat: unknown command (did you mean /set or /save?): /help lists them"},
		{"/", "", "mpt: /: unknown command: /help lists them"},
		{"/exti", "", "mpt: /exti: unknown command (did you mean /exit?): "},
		{"/qiut", "", "mpt: /qiut: unknown command (did you mean /quit?): "},
		{"/SAVE x", "", "mpt: /SAVE: unknown command (did you mean /save?): "},
	}
	for _, tt := range tests {
		r, sc := newRepl(t, m, "raw", 64, tt.line)
		err := r.run(context.Background())
		if failed := tt.notes != ""; (err != nil) != failed {
			t.Errorf("%s: %v", tt.line, err)
		}
		if !strings.Contains(sc.out.String(), tt.out) || tt.out == "" && sc.out.Len() > 0 {
			t.Errorf("%s: printed %q, want %q", tt.line, sc.out.String(), tt.out)
		}
		if !strings.HasPrefix(sc.notes.String(), tt.notes) || tt.notes == "" && sc.notes.Len() > 0 {
			t.Errorf("%s: noted %q, want %q", tt.line, sc.notes.String(), tt.notes)
		}
	}
}

// A setting that is refused leaves all settings as they were.
func TestReplRefusedSettings(t *testing.T) {
	m := openCase(t, "hf-tiny")
	for _, line := range []string{"/set seed x", "/set seed", "/set seed -5", "/set seed 99999999999999999999", "/set temp nan",
		"/set logit_bias 1+1;x", "/set logit_bias 99999+1", "/set samplers none", "/system " + strings.Repeat("x", 3)} {
		r, _ := newRepl(t, m, "raw", 64, line)
		for _, random := range []bool{false, true} {
			r.in.(*typed).lines = []string{line}
			r.randomSeed = random
			before := r.params.String()
			if err := r.run(context.Background()); err == nil && !strings.HasSuffix(line, " seed") && !strings.HasPrefix(line, "/system") {
				t.Errorf("%s is accepted", line)
			}
			if r.randomSeed != random || r.params.String() != before {
				t.Errorf("%s: random %v, settings %s; before %v, %s", line, r.randomSeed, r.params, random, before)
			}
		}
	}
	for _, line := range []string{"/set seed 7", "/set seed random", "/set seed -1"} {
		r, _ := newRepl(t, m, "raw", 64, line)
		r.randomSeed = line == "/set seed 7"
		run(t, r)
		if r.randomSeed != (line != "/set seed 7") {
			t.Errorf("%s: random %v", line, r.randomSeed)
		}
	}
}

// An answer that replaces another does so when it is complete.
func TestReplStoppedRegen(t *testing.T) {
	m := openCase(t, "hf-tiny")
	for _, n := range []int{0, 1, 3} {
		r, sc := newRepl(t, m, "chatml", 256, "one", "two")
		run(t, r)
		before := slices.Clone(r.talk.Turns())
		watch := &stopAfter{Writer: r.out, n: n}
		r.out, r.in = watch, &typed{lines: []string{"/set seed 2", "/regen"}}
		r.interrupt = func(ctx context.Context) (context.Context, context.CancelFunc) {
			part, cancel := context.WithCancel(ctx)
			if watch.stop = cancel; n == 0 {
				cancel() // while the question is read
			}
			return part, cancel
		}
		run(t, r)
		if !reflect.DeepEqual(r.talk.Turns(), before) {
			t.Errorf("stopped after %d writes: %+v, before %+v", n, r.talk.Turns(), before)
		}
		if got := sc.notes.String(); got != "mpt: stopped\nmpt: the answer before stays\n" {
			t.Errorf("notes: %q", got)
		}
		checkSession(t, r)
	}
}

func TestReplSettingsHold(t *testing.T) {
	m := openCase(t, "hf-tiny")
	r, sc := newRepl(t, m, "raw", 64, "/set logit_bias 41+1000", "hi", "/speed")
	run(t, r)
	if got := sc.out.String(); !strings.HasPrefix(got, "HHHHHHHH\nseed 1; read ") {
		t.Errorf("printed %q", got)
	}
}
