//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestServeChaos has clients ask a server again and again, of which a tenth leave in the
// middle, while it is killed and started anew on its cache on disk, in which files are
// damaged: every whole answer is that of a server that is asked one by one without a cache,
// and when all are gone nothing is left of them. MPTGO_CHAOS is for how long.
func TestServeChaos(t *testing.T) {
	length := 3 * time.Second
	if text := os.Getenv("MPTGO_CHAOS"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		length = d
	}
	c := &chaos{t: t, dir: t.TempDir(), r: rand.New(rand.NewPCG(1, uint64(length)))}
	c.learn()
	end := time.Now().Add(length)
	for life := 0; life < 3 || time.Now().Before(end); life++ {
		c.live(life, min(length/5, 30*time.Second))
		c.damage()
	}
	t.Logf("%d answers compared, %d requests left in the middle, %d cut off with the server, %d tokens from disk,"+
		" %d lives", c.whole.Load(), c.left.Load(), c.cut.Load(), c.fromDisk, c.lives)
	if c.whole.Load() == 0 || c.fromDisk == 0 {
		t.Error("nothing was compared, or nothing came from disk")
	}
}

// chaos is a server's life, again and again.
type chaos struct {
	t        *testing.T
	dir      string // of the cache
	r        *rand.Rand
	requests []map[string]any
	want     []string

	whole, left, cut atomic.Int64
	fromDisk         int
	lives            int
}

// learn asks all requests one by one, without a cache.
func (c *chaos) learn() {
	s := c.start("--no-cache-prompt", "-np", "2")
	defer s.kill()
	for i := range 60 {
		q := c.request(i)
		got, err := s.ask(context.Background(), q, false)
		if err != nil {
			c.t.Fatal(err)
		}
		c.requests, c.want = append(c.requests, q), append(c.want, got)
	}
}

// request makes a request, whose prompt has its beginning in common with others.
func (c *chaos) request(i int) map[string]any {
	story := "Once upon a time there was a little girl named Lily. She loved to play outside in the sun with her dog. "
	prompt := strings.Repeat(story, 1+i%12) + fmt.Sprintf("One day, number %d, ", c.r.IntN(40))
	q := map[string]any{
		"prompt": prompt, "max_tokens": 1 + c.r.IntN(40), "seed": i, "temperature": c.r.IntN(2), "n": 1 + c.r.IntN(2),
	}
	if c.r.IntN(2) == 0 {
		q["logprobs"] = c.r.IntN(4)
	}
	if c.r.IntN(6) == 0 {
		q["cache_salt"] = "x"
	}
	if c.r.IntN(4) == 0 {
		q["stop"] = []string{"dog", "."}
	}
	return q
}

// live starts a server, has clients ask for some time, and ends it by force or not.
func (c *chaos) live(life int, most time.Duration) {
	c.lives++
	s := c.start("--cache-dir", c.dir, "--cache-disk", "24", "--cache-ram", "6", "-np", "6", "--max-queue", "100")
	before := s.numbers(c.t)
	var wg sync.WaitGroup
	for k := range 8 {
		wg.Go(func() { c.client(s, rand.New(rand.NewPCG(uint64(life), uint64(k)))) })
	}
	time.Sleep(most/3 + time.Duration(c.r.Int64N(int64(most))))
	if life%3 == 1 {
		s.kill()
		wg.Wait()
		return
	}
	s.over.Store(true) // clients end by themselves
	wg.Wait()
	c.fromDisk += int(s.numbers(c.t)["mpt_cache_disk_tokens_total"])
	c.leftovers(s, before)
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.wait(); err != nil {
		c.t.Errorf("at SIGTERM: %v\n%s", err, s.log.String())
	}
}

// client asks until the server's life is over.
func (c *chaos) client(s *chaosServer, r *rand.Rand) {
	for !s.over.Load() {
		i, ctx := r.IntN(len(c.requests)), context.Background()
		leaves := r.IntN(10) == 0
		if leaves {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(60_000))*time.Microsecond)
			defer cancel()
		}
		got, err := s.ask(ctx, c.requests[i], r.IntN(2) == 0)
		switch {
		case err == nil && got == c.want[i]:
			c.whole.Add(1)
		case err == nil:
			c.t.Errorf("request %d: another answer\n%s\nwant\n%s", i, got, c.want[i])
			return
		case leaves && errors.Is(err, context.DeadlineExceeded):
			c.left.Add(1)
		case s.killed.Load():
			c.cut.Add(1)
		default:
			c.t.Errorf("request %d: %v", i, err)
			return
		}
	}
}

// leftovers looks whether what clients have left takes anything.
func (c *chaos) leftovers(s *chaosServer, before map[string]float64) {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	var now map[string]float64
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now = s.numbers(c.t)
		if now["vllm:num_requests_running"] == 0 && now["go_goroutines"] <= before["go_goroutines"]+4 {
			break
		}
	}
	if n := now["vllm:num_requests_running"]; n != 0 {
		c.t.Errorf("%v sequences are left", n)
	}
	if n := now["go_goroutines"]; n > before["go_goroutines"]+4 {
		c.t.Errorf("%v goroutines, at the start %v", n, before["go_goroutines"])
	}
	for _, limit := range []struct {
		name string
		most float64
	}{{"ram", 6}, {"disk", 24}} {
		if n := now[`mpt_cache_bytes{tier="`+limit.name+`"}`]; n > limit.most*(1<<20)*1.05 {
			c.t.Errorf("the cache %s holds %v bytes", limit.name, n)
		}
	}
	const resident = "process_resident_memory_bytes"
	c.t.Logf("life %d: %v goroutines (%v), resident %.1f MB (%.1f)",
		c.lives, now["go_goroutines"], before["go_goroutines"], now[resident]/1e6, before[resident]/1e6)
}

// damage changes a file of the cache.
func (c *chaos) damage() {
	all, err := filepath.Glob(filepath.Join(c.dir, "*.kv"))
	if err != nil || len(all) == 0 {
		return
	}
	path := all[c.r.IntN(len(all))]
	b, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	switch c.r.IntN(3) {
	case 0:
		os.Remove(path)
	case 1:
		os.WriteFile(path, b[:c.r.IntN(len(b))], 0o600)
	default:
		b[c.r.IntN(len(b))] ^= 1 << c.r.IntN(8)
		os.WriteFile(path, b, 0o600)
	}
}

// chaosServer is a process.
type chaosServer struct {
	cmd          *exec.Cmd
	url          string
	log          lockedBuffer
	ended        chan error
	over, killed atomic.Bool
}

func (c *chaos) start(args ...string) *chaosServer {
	s := &chaosServer{ended: make(chan error, 1)}
	s.cmd = exec.Command("mpt", append([]string{"serve", "--port", "0", "-c", "512"}, args...)...)
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { s.cmd.Process.Kill() })
	go func() { s.ended <- s.cmd.Wait() }()
	listening := regexp.MustCompile(`listening at (\S+)`)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if m := listening.FindStringSubmatch(s.log.String()); m != nil {
			s.url = m[1]
			return s
		}
	}
	c.t.Fatalf("the server does not begin: %s", s.log.String())
	return nil
}

func (s *chaosServer) kill() {
	s.over.Store(true)
	s.killed.Store(true)
	s.cmd.Process.Kill()
	s.wait()
}

func (s *chaosServer) wait() error {
	select {
	case err := <-s.ended:
		return err
	case <-time.After(40 * time.Second):
		return errors.New("it does not end")
	}
}

// numbers are the server's metrics, by name with labels.
func (s *chaosServer) numbers(t *testing.T) map[string]float64 {
	all := map[string]float64{}
	a, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v: %s", a.Status, err, text)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			all[strings.TrimSuffix(name, `{model_name="mpt-stories"}`)] = n
		}
	}
	return all
}

// chaosChoice is what is compared of a choice: streamed or not, it is the same.
type chaosChoice struct {
	Index    int    `json:"index"`
	Text     string `json:"text"`
	Finish   string `json:"finish_reason"`
	Logprobs struct {
		P []float64 `json:"token_logprobs"`
	} `json:"logprobs"`
}

// ask returns the whole answer as text.
func (s *chaosServer) ask(ctx context.Context, q map[string]any, stream bool) (string, error) {
	all := map[string]any{"stream": stream}
	for k, v := range q {
		all[k] = v
	}
	body, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, "POST", s.url+"/v1/completions", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(a.Body)
		return "", fmt.Errorf("%s: %s", a.Status, text)
	}
	if !stream {
		var whole struct{ Choices []chaosChoice }
		err := json.NewDecoder(a.Body).Decode(&whole)
		return fmt.Sprint(whole.Choices), err
	}
	return readChaosStream(a.Body)
}

func readChaosStream(body io.Reader) (string, error) {
	var choices []chaosChoice
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			return fmt.Sprint(choices), nil
		}
		var part struct {
			Choices []chaosChoice
			Error   any
		}
		if err := json.Unmarshal([]byte(data), &part); err != nil || part.Error != nil {
			return "", fmt.Errorf("%v %v", part.Error, err)
		}
		for _, x := range part.Choices {
			i, begun := slices.BinarySearchFunc(choices, x.Index, func(y chaosChoice, i int) int { return y.Index - i })
			if !begun {
				choices = slices.Insert(choices, i, x)
				continue
			}
			choices[i].Text += x.Text
			choices[i].Finish += x.Finish
			choices[i].Logprobs.P = append(choices[i].Logprobs.P, x.Logprobs.P...)
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", errors.New("the stream has no end")
}
