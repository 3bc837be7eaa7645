package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mptgo/internal/fakehub"
)

// The variables by which a test starts itself again as a program that pulls; with them
// also come HF_ENDPOINT and HF_HOME.
const (
	childVar = "MPTGO_HUB_TEST_CHILD" // "small": segments of tests; "full": those of the program
	bytesVar = "MPTGO_HUB_BYTES"      // of the file: the tests at full size run only with it
	killsVar = "MPTGO_HUB_KILLS"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(childVar); mode != "" {
		os.Exit(child(mode))
	}
	os.Exit(m.Run())
}

// child pulls the one repository and prints how long that took and its most memory.
func child(mode string) int {
	c := FromEnv()
	c.Times = Times{Retry: time.Millisecond, Lock: time.Millisecond}
	if mode == "small" {
		c.manyFrom, c.segmentBytes, c.saveBytes, c.Connections = 1<<20, smallSegment, smallSegment/2, 4
	}
	start := time.Now()
	if _, _, err := pull(c, tiny); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(time.Since(start).Seconds(), peakMemory())
	return 0
}

const smallSegment = 256 << 10

// peakMemory returns the most memory, in bytes, that the process has had; 0 if unknown.
func peakMemory() int64 {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// startChild starts a program that pulls from h into a cache in the folder home.
func startChild(t testing.TB, h *fakehub.Hub, home, mode string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, out := exec.Command(exe), &strings.Builder{}
	cmd.Env = append(os.Environ(), childVar+"="+mode, "HF_ENDPOINT="+h.URL, "HF_HOME="+home)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// TestKilled kills a program that pulls, again and again, as kill -9 does. What comes
// twice is at most a segment for each connection, and what there is in the end is right.
// With MPTGO_HUB_BYTES and MPTGO_HUB_KILLS it does so at full size.
func TestKilled(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("there are no processes")
	}
	size, kills, mode, twice := int64(6<<20+12345), 5, "small", int64(4*smallSegment)
	if n := variable(t, bytesVar); n > 0 {
		size, kills, mode, twice = n, int(max(1, variable(t, killsVar))), "full", 8*segmentBytes
	}
	h := fakehub.Start()
	defer h.Close()
	content := fakehub.Noise(size, 7)
	h.Add(tiny, &fakehub.Repo{Files: map[string]fakehub.Content{"model.safetensors": content, "config.json": fakehub.Text("{}")}})
	if mode == "small" { // so that the sockets do not hold all of it
		h.Fail(fakehub.Fault{Kind: "slow", Times: -1, After: 32 << 10})
	}
	home := filepath.Join(t.TempDir(), "hf")
	for i := range kills {
		cmd, out := startChild(t, h, home, mode)
		from := h.Sent()
		until := from + rand.Int64N(size/int64(kills)) + 1
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		for ended := false; !ended && h.Sent() < until; {
			select {
			case err := <-done:
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				done <- nil
				ended = true
			case <-time.After(time.Millisecond):
			}
		}
		cmd.Process.Kill()
		<-done
		t.Logf("kill %d after %d bytes", i, h.Sent()-from)
	}
	cmd, out := startChild(t, h, home, mode)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	extra := h.Sent() - size
	t.Logf("%d bytes in all, %d twice, %d a kill", h.Sent(), extra, extra/int64(kills))
	if extra > int64(kills)*twice {
		t.Errorf("%d kills: %d bytes came twice, want at most %d", kills, extra, int64(kills)*twice)
	}
	checkBlobs(t, filepath.Join(home, "hub"), h.Hash(content))
}

// checkBlobs fails the test unless a cache holds one large blob, of that hash, which is
// right, and nothing unfinished.
func checkBlobs(t *testing.T, cache, hash string) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(cache, "models--*", "blobs", "*"))
	if err != nil || len(blobs) != 2 {
		t.Errorf("blobs %v (%v)", blobs, err)
	}
	for _, b := range blobs {
		if err := verifyBlob(b); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(cache, folderName(tiny), "blobs", hash)); err != nil {
		t.Error(err)
	}
}

func variable(t testing.TB, name string) int64 {
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// BenchmarkPull pulls a file of 1 GiB, or MPTGO_HUB_BYTES, by another process, and
// reports its peak memory. The hub shares the cores with it.
func BenchmarkPull(b *testing.B) {
	size := int64(1 << 30)
	if n := variable(b, bytesVar); n > 0 {
		size = n
	}
	h := fakehub.Start()
	defer h.Close()
	h.Add(tiny, &fakehub.Repo{Files: map[string]fakehub.Content{"model.safetensors": fakehub.Noise(size, 7)}})
	b.SetBytes(size)
	var seconds, peak, cpu float64
	for range b.N {
		b.StopTimer()
		home := filepath.Join(b.TempDir(), "hf")
		cmd, out := startChild(b, h, home, "full")
		b.StartTimer()
		if err := cmd.Wait(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		b.StopTimer()
		var s, m float64
		fmt.Sscan(out.String(), &s, &m)
		seconds, peak = seconds+s, max(peak, m)
		cpu += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		os.RemoveAll(home)
		b.StartTimer()
	}
	b.ReportMetric(float64(size)*float64(b.N)/seconds/1e6, "child-MB/s")
	b.ReportMetric(cpu/float64(b.N), "child-cpu-s")
	b.ReportMetric(peak/(1<<20), "peak-MiB")
}

// TestInterrupted ends a download by its context and goes on with it.
func TestInterrupted(t *testing.T) {
	h := newHub(t)
	h.Fail(fakehub.Fault{Kind: "slow", Times: -1, After: 4 << 10})
	c := newClient(t, h)
	rev, err := c.Resolve(context.Background(), tiny, "main")
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.Files(context.Background(), rev)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = c.Download(ctx, rev, files, func(p Progress) {
		if p.Done > p.Total/2 {
			cancel()
		}
	})
	if err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Fatalf("error %v", err)
	}
	h.Heal()
	before := h.Sent()
	if _, _, err := pull(c, tiny); err != nil {
		t.Fatal(err)
	}
	if n := h.Sent() - before; n > 700_000 {
		t.Errorf("%d bytes came after the interruption: what had come before was lost", n)
	}
	checkCache(t, c, h, rev, repoFiles(h), true)
}

// TestPartOfAnotherBoot has a part whose hash may be ahead of what the disk holds.
func TestPartOfAnotherBoot(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	h.Fail(fakehub.Fault{Kind: "drop", Path: "model", Times: 6, After: 50_000})
	h.Fail(fakehub.Fault{Kind: "500", Path: "model", Times: -1})
	rev, _, err := pull(c, tiny)
	if err == nil {
		t.Fatal("no error")
	}
	parts, _ := filepath.Glob(filepath.Join(c.Cache, "models--*", "blobs", "*.mptgo.json"))
	// Small files beside the weights may have been under way, too: their names are shorter.
	parts = slices.DeleteFunc(parts, func(p string) bool { return len(filepath.Base(p)) < 64 })
	if len(parts) != 1 {
		t.Fatalf("parts: %v", parts)
	}
	b, err := os.ReadFile(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	// The system has stopped: another boot, and the disk has lost the start of the file.
	text := strings.Replace(string(b), `"boot":"`+bootID()+`"`, `"boot":"another"`, 1)
	if err := os.WriteFile(parts[0], []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(strings.TrimSuffix(parts[0], "json")+"part", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(make([]byte, 1000), 0)
	f.Close()
	h.Heal()
	if _, _, err := pull(c, tiny); err != nil {
		t.Fatal(err)
	}
	checkCache(t, c, h, rev, repoFiles(h), true)
}
