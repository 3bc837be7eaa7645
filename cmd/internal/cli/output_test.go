package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"mptgo/sampling"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	write := func(text string, err error) error {
		return writeFile(path, func(w io.Writer) error {
			io.WriteString(w, text)
			return err
		})
	}
	check := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("the file holds %q, %v; want %q", b, err, want)
		}
		if all, _ := os.ReadDir(dir); len(all) != 1 {
			t.Errorf("%d files are in the folder, want 1", len(all))
		}
	}
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	check("first")
	broken := errors.New("broken")
	if err := write("second", broken); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	check("first")
	if err := write("third", nil); err != nil {
		t.Fatal(err)
	}
	check("third")
	if err := writeFile(dir, func(io.Writer) error { t.Error("called for a folder"); return nil }); err == nil {
		t.Error("a folder was replaced")
	}
	if err := writeFile(os.DevNull, func(io.Writer) error { t.Error("called for a device"); return nil }); err == nil {
		t.Error("a device was replaced")
	}
}

func TestProgressLines(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, "work")
	p.set(0, 0)
	for done := int64(0); done <= 4096; done += 1024 {
		p.set(done, 4096)
	}
	p.logf("note %d", 1)
	p.clear()
	want := "mpt: work: 20% of 4.0 KiB\nmpt: work: 50% of 4.0 KiB\nmpt: work: 70% of 4.0 KiB\nmpt: work: 100% of 4.0 KiB\nmpt: work: note 1\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 17 << 30: "17.0 GiB", 1 << 62: "4.0 EiB",
	} {
		if got := byteSize(n); got != want {
			t.Errorf("byteSize(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 K", 131_392: "131 K", 6_649_286_656: "6.65 G"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestAbbreviate(t *testing.T) {
	long := string(bytes.Repeat([]byte("é"), 100))
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"a\nb", `"a\nb"`},
		{long, `"` + long[:2*maxText] + `"...`},
		{[]int32{1, 2, 3, 4, 5, 6}, "[1, 2, 3, 4, 5, 6]"},
		{[]int32{1, 2, 3, 4, 5, 6, 7}, "[1, 2, 3, 4, 5, 6, ...]"},
		{[]string{"a"}, `["a"]`},
		{float32(0.1), "0.1"},
		{true, "true"},
		{nil, "null"},
	} {
		if got := abbreviate(tt.value); got != tt.want {
			t.Errorf("abbreviate(%v) = %s, want %s", tt.value, got, tt.want)
		}
	}
}

func TestSamplingFlags(t *testing.T) {
	parse := func(args ...string) (*samplingFlags, *pflag.FlagSet, error) {
		f, fs := &samplingFlags{}, pflag.NewFlagSet("test", pflag.ContinueOnError)
		f.add(fs)
		return f, fs, fs.Parse(args)
	}
	f, fs, err := parse("--temp", "0.5", "--top-k=7", "--logit-bias", "1+2", "--logit-bias", "3-inf",
		"--dry-sequence-breaker", "a", "--dry-sequence-breaker", "b", "--seed", "9")
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.params(fs)
	if err != nil {
		t.Fatal(err)
	}
	want := `seed=9,temp=0.5,top_k=7,dry_sequence_breaker=["a","b"],logit_bias=1+2;3-Inf`
	if p.String() != want {
		t.Errorf("got %s, want %s", p, want)
	}
	if !f.fixedSeed(fs) {
		t.Error("the seed is not fixed")
	}

	// Without a seed, or with -1, there is a new one in every run.
	for _, args := range [][]string{nil, {"-s", "-1"}, {"-s", "4", "-s", "-1"}} {
		f, fs, err := parse(args...)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := f.params(fs)
		b, _ := f.params(fs)
		if f.fixedSeed(fs) || a.Seed == b.Seed {
			t.Errorf("%q: seeds %d, %d", args, a.Seed, b.Seed)
		}
	}
	if _, _, err := parse("--temp", "warm"); err == nil {
		t.Error("a temperature that is not a number is accepted")
	}

	// Every parameter has its flag.
	for _, o := range sampling.Options() {
		if fs.Lookup(flagName(o)) == nil {
			t.Errorf("no flag for %s", o.Name)
		}
	}
}

func TestUnescape(t *testing.T) {
	if got, want := unescape(`a\nb\tc\\nd\"e\'f\x41\x4g\xg1\q\x4`), "a\nb\tc\\nd\"e'fA\\x4g\\xg1\\q\\x4"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
