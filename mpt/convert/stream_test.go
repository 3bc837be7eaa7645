package convert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// folderRemote is a folder that comes as if over a network.
type folderRemote struct {
	dir  string
	cut  int64 // bytes after which streams break off; 0: never
	flip int   // streams in which a byte is wrong
	read map[string]int64
	slow time.Duration // before every 8 KiB
}

// slowReader pauses before every piece.
type slowReader struct {
	io.Reader
	pause time.Duration
}

func (s slowReader) Read(p []byte) (int, error) {
	time.Sleep(s.pause)
	return s.Reader.Read(p[:min(len(p), 8<<10)])
}

func (r *folderRemote) Dir() string { return r.dir }
func (r *folderRemote) ID() string  { return r.dir }

func (r *folderRemote) Has(name string) bool {
	_, err := os.Stat(filepath.Join(r.dir, name))
	return err == nil
}

func (r *folderRemote) File(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(r.dir, name))
}

func (r *folderRemote) Weights(name string) (io.ReaderAt, int64, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	return bytes.NewReader(b), int64(len(b)), err
}

func (r *folderRemote) Hash(name string) (hash.Hash, string) {
	b, _ := os.ReadFile(filepath.Join(r.dir, name))
	sum := sha256.Sum256(b)
	return sha256.New(), hex.EncodeToString(sum[:])
}

var errCut = errors.New("cut")

func (r *folderRemote) Stream(_ context.Context, name string, from int64) (io.ReadCloser, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		return nil, err
	}
	if r.flip > 0 {
		r.flip--
		b[len(b)-1] ^= 1
	}
	rest := b[from:]
	if r.read != nil {
		r.read[name] += int64(len(rest))
	}
	if r.slow > 0 {
		return io.NopCloser(slowReader{bytes.NewReader(rest), r.slow}), nil
	}
	if r.cut == 0 {
		return io.NopCloser(bytes.NewReader(rest)), nil
	}
	n := min(int64(len(rest)), r.cut)
	return io.NopCloser(io.MultiReader(bytes.NewReader(rest[:n]), failing{})), nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errCut }

// TestStream converts every case as it comes, and compares with a conversion of the
// folder.
func TestStream(t *testing.T) {
	for _, name := range cases {
		for _, typ := range []string{"F32", "Q4_0"} {
			dir := t.TempDir()
			want, got := filepath.Join(dir, "want.gguf"), filepath.Join(dir, "got.gguf")
			if _, err := Convert(context.Background(), caseDir(name), want, Options{Type: typ}); err != nil {
				t.Fatal(err)
			}
			r := &folderRemote{dir: caseDir(name), read: map[string]int64{}}
			sum, err := Stream(context.Background(), r, got, Options{Type: typ, Threads: 3})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			compareFiles(t, name, got, want)
			if sum.Tensors == 0 || sum.Bytes == 0 {
				t.Errorf("%s: the summary is %+v", name, sum)
			}
			for file, n := range r.read {
				if info, err := os.Stat(filepath.Join(r.dir, file)); err != nil || n != info.Size() {
					t.Errorf("%s: %d bytes of %s came, want %d (%v)", name, n, file, info.Size(), err)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("%s: left: %v", name, left)
			}
		}
	}
}

func compareFiles(t *testing.T, name, got, want string) {
	t.Helper()
	a, errA := os.ReadFile(got)
	b, errB := os.ReadFile(want)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("%s: the files differ (%v, %v)", name, errA, errB)
	}
}

// TestStreamGoesOn cuts a conversion off again and again; what is made in the end is
// right, and what came before a cut is not needed again.
func TestStreamGoesOn(t *testing.T) {
	saveEvery(t, 1)
	src := caseDir("hf-bf16-sharded")
	dir := t.TempDir()
	want, got := filepath.Join(dir, "want.gguf"), filepath.Join(dir, "got.gguf")
	if _, err := Convert(context.Background(), src, want, Options{Type: "Q8_0"}); err != nil {
		t.Fatal(err)
	}
	r := &folderRemote{dir: src, cut: 80_000, read: map[string]int64{}}
	for cuts := 0; ; cuts++ {
		_, err := Stream(context.Background(), r, got, Options{Type: "Q8_0", Threads: 2})
		if err == nil {
			if cuts < 2 {
				t.Errorf("only %d cuts", cuts)
			}
			break
		}
		if !errors.Is(err, errCut) || cuts > 100 {
			t.Fatalf("after %d cuts: %v", cuts, err)
		}
		if _, err := os.Stat(got); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal("an unfinished file has its name")
		}
	}
	compareFiles(t, src, got, want)
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// streamChild is the variable by which TestStreamKilled starts itself again: the folder
// with the file to make.
const streamChild = "MPTGO_CONVERT_TEST_CHILD"

func TestMain(m *testing.M) {
	dir := os.Getenv(streamChild)
	if dir == "" {
		os.Exit(m.Run())
	}
	journalBytes = 1
	r := &folderRemote{dir: caseDir("hf-bf16-sharded"), slow: 2 * time.Millisecond}
	if _, err := Stream(context.Background(), r, filepath.Join(dir, "got.gguf"), Options{Type: "Q8_0", Threads: 2}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestStreamKilled kills a program that converts, as kill -9 does, until it gets through.
func TestStreamKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	want := filepath.Join(dir, "want.gguf")
	if _, err := Convert(context.Background(), caseDir("hf-bf16-sharded"), want, Options{Type: "Q8_0"}); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), streamChild+"="+dir)
		var out strings.Builder
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Skip(err)
		}
		kill := time.AfterFunc(time.Duration(20+rand.IntN(60))*time.Millisecond, func() {
			if i < 5 {
				cmd.Process.Kill()
			}
		})
		err := cmd.Wait()
		kill.Stop()
		if _, e := os.Stat(filepath.Join(dir, "got.gguf")); err == nil || e == nil { // perhaps killed after its work
			break
		}
		if out.Len() > 0 || i == 5 {
			t.Fatalf("%v: %s", err, out.String())
		}
	}
	compareFiles(t, "killed", filepath.Join(dir, "got.gguf"), want)
	if left, _ := filepath.Glob(filepath.Join(dir, ".*.part")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// saveEvery makes conversions note how far they are after so many bytes.
func saveEvery(t *testing.T, bytes int64) {
	old := journalBytes
	journalBytes = bytes
	t.Cleanup(func() { journalBytes = old })
}

// TestStreamVerifies has bytes that are wrong: once, and always.
func TestStreamVerifies(t *testing.T) {
	src := caseDir("hf-bf16-sharded")
	dir := t.TempDir()
	want, got := filepath.Join(dir, "want.gguf"), filepath.Join(dir, "got.gguf")
	if _, err := Convert(context.Background(), src, want, Options{Type: "Q8_0"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Stream(context.Background(), &folderRemote{dir: src, flip: 1}, got, Options{Type: "Q8_0"}); err != nil {
		t.Fatal(err)
	}
	compareFiles(t, src, got, want)
	_, err := Stream(context.Background(), &folderRemote{dir: src, flip: 9}, filepath.Join(dir, "no.gguf"), Options{Type: "Q8_0"})
	if err == nil || !strings.Contains(err.Error(), "its hash is ") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "no.gguf")); err == nil {
		t.Error("a file is made of wrong bytes")
	}
}

// TestStreamOptionsChange goes on with another type: nothing of the first is used.
func TestStreamOptionsChange(t *testing.T) {
	saveEvery(t, 1)
	src := caseDir("hf-bf16-sharded")
	dir := t.TempDir()
	want, got := filepath.Join(dir, "want.gguf"), filepath.Join(dir, "got.gguf")
	Stream(context.Background(), &folderRemote{dir: src, cut: 80_000}, got, Options{Type: "Q8_0"})
	for _, typ := range []string{"Q4_0", "Q4_1"} {
		if _, err := Convert(context.Background(), src, want, Options{Type: typ, Force: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := Stream(context.Background(), &folderRemote{dir: src}, got, Options{Type: typ, Force: true}); err != nil {
			t.Fatal(err)
		}
		compareFiles(t, typ, got, want)
	}
}

// TestStreamOtherwise makes a file in another way that was begun as a stream: what that has
// left goes.
func TestStreamOtherwise(t *testing.T) {
	saveEvery(t, 1)
	src, dir := caseDir("hf-bf16-sharded"), t.TempDir()
	got := filepath.Join(dir, strings.Repeat("n", 245)+".gguf") // with .part it would be too long a name
	if _, err := Stream(context.Background(), &folderRemote{dir: src, cut: 80_000}, got, Options{Type: "Q8_0"}); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	if _, err := Convert(context.Background(), src, got, Options{Type: "Q8_0"}); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestStreamFinished has what a process leaves that is killed when its file has its name
// already: another conversion to it does not write into the finished file.
func TestStreamFinished(t *testing.T) {
	saveEvery(t, 1)
	src, dir := caseDir("hf-bf16-sharded"), t.TempDir()
	got, kept := filepath.Join(dir, "got.gguf"), filepath.Join(dir, "kept.gguf")
	if _, err := Convert(context.Background(), src, got, Options{Type: "Q8_0"}); err != nil {
		t.Fatal(err)
	}
	if errors.Join(os.Link(got, filepath.Join(dir, ".got.gguf.part")), os.Link(got, kept)) != nil {
		t.Skip("no second names")
	}
	if _, err := Stream(context.Background(), &folderRemote{dir: src}, got, Options{Type: "Q4_0", Force: true}); err != nil {
		t.Fatal(err)
	}
	for path, typ := range map[string]string{got: "Q4_0", kept: "Q8_0"} {
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, convertBytes(t, src, Options{Type: typ})) {
			t.Errorf("%s is another file, %v", path, err)
		}
	}
	if err := os.Symlink(kept, filepath.Join(dir, ".got.gguf.part")); err != nil {
		t.Skip(err)
	}
	if _, err := Stream(context.Background(), &folderRemote{dir: src}, got, Options{Type: "Q4_0", Force: true}); err == nil {
		t.Error("a link is taken for an unfinished file")
	}
}

// What needs the weights twice is refused, and so is what is no checkpoint.
func TestStreamRefuses(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "out.gguf")
	for _, x := range []struct {
		src string
		opt Options
		say string
	}{
		{caseDir("hf-tiny"), Options{Type: "Q4_0", TargetBPW: 4}, "download the checkpoint first"},
		{caseDir("hf-tiny"), Options{Type: "Q4_00"}, "Q4_00"},
		{t.TempDir(), Options{Type: "Q4_0"}, "config.json"},
	} {
		if _, err := Stream(context.Background(), &folderRemote{dir: x.src}, dst, x.opt); err == nil || !strings.Contains(err.Error(), x.say) {
			t.Errorf("error %v, want one with %q", err, x.say)
		}
	}
}

// TestQueue finishes tasks out of order: what is noted is the first that is not.
func TestQueue(t *testing.T) {
	q := &queue{in: newInflow(0, 100), finished: make([]bool, 3), marks: []mark{{0, nil}},
		tasks: []coming{{from: 0, to: 10}, {from: 10, to: 20}, {from: 20, to: 30}}}
	for _, at := range []int64{5, 10, 20, 25} { // where no task begins there is no mark
		q.mark(at, sha256.New())
	}
	for _, x := range []struct {
		done int
		safe int64
	}{{1, 0}, {0, 20}, {2, 20}} {
		q.done(x.done)
		if m := q.safe(); m.at != x.safe || m.at > 0 && m.state == nil {
			t.Errorf("after task %d the mark is %d, want %d", x.done, m.at, x.safe)
		}
	}
	for at, want := range map[int64]int64{0: 10, 9: 10, 10: 20, 20: math.MaxInt64} {
		if got := q.boundary(at); got != want {
			t.Errorf("the boundary behind %d is %d, want %d", at, got, want)
		}
	}
}
