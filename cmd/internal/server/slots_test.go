package server

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

func slotDir(dir string) func(*Config) { return func(c *Config) { c.SlotDir = dir } }

// A slot that was saved is restored by another server: what was asked is not evaluated again, and
// the answers are the same.
func TestSlots(t *testing.T) {
	dir := t.TempDir()
	_, h := start(t, serve.Options{Parallel: 4}, slotDir(dir))
	first := `{"prompt":"Once upon a time there was a little dog named Max.","n_predict":20,"seed":3,"id_slot":2,"ignore_eos":true}`
	status, b, _ := post(t, h.URL+"/completion", first)
	if v := object(t, b); status != 200 || v["id_slot"] != 2.0 {
		t.Fatalf("%d %s", status, b)
	}
	text := object(t, b)["prompt"].(string) + object(t, b)["content"].(string)
	next, _ := json.Marshal(map[string]any{"prompt": text + " Then", "n_predict": 10, "seed": 4, "cache_prompt": true, "id_slot": 1})
	_, want, _ := post(t, h.URL+"/completion", string(next))

	status, b, _ = post(t, h.URL+"/slots/2?action=save", `{"filename":"max.bin"}`)
	v := object(t, b)
	info, err := os.Stat(filepath.Join(dir, "max.bin"))
	if status != 200 || err != nil || v["n_written"] != float64(info.Size()) || v["filename"] != "max.bin" || at(v, "timings.save_ms") == nil {
		t.Fatalf("%d %s, %v", status, b, err)
	}
	saved := v["n_saved"].(float64)
	if saved < 30 {
		t.Errorf("%v tokens were saved", saved)
	}
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v", info.Mode())
	}

	_, h = start(t, serve.Options{Parallel: 4}, slotDir(dir))
	status, b, _ = post(t, h.URL+"/v1/slots/0/?action=restore", `{"filename":"max.bin"}`)
	if v := object(t, b); status != 200 || v["n_restored"] != saved || v["n_read"] != float64(info.Size()) || v["id_slot"] != 0.0 {
		t.Fatalf("%d %s", status, b)
	}
	_, got, _ := post(t, h.URL+"/completion", string(next))
	if a, b := object(t, got), object(t, want); a["content"] != b["content"] || a["tokens_cached"].(float64) < saved-2 {
		t.Errorf("%s, want %s", got, want)
	}
	status, b, _ = post(t, h.URL+"/slots/0?action=save", `{"filename":"again"}`)
	if x, y := mustRead(t, dir, "max.bin"), mustRead(t, dir, "again"); status != 200 || x != y {
		t.Errorf("a slot that is saved again is another: %d %s", status, b)
	}
	status, b, _ = send(t, "POST", h.URL+"/slots/0?action=erase", nil)
	if v := object(t, b); status != 200 || v["n_erased"] != saved {
		t.Errorf("%d %s", status, b)
	}
	if status, b, _ = post(t, h.URL+"/slots/0?action=save", `{"filename":"x"}`); status != 400 {
		t.Errorf("an empty slot: %d %s", status, b)
	}
}

func mustRead(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Requests that ask for no slot go on in the one that has their beginning, else in that which was
// not used for longest.
func TestSlotIsChosen(t *testing.T) {
	s := newSlots(3)
	seq := func(salt string, ids ...int32) serve.Sequence { return serve.Sequence{Tokens: ids, Salt: salt} }
	for i, x := range []struct {
		asked, prompt int
		x             serve.Sequence
		want          int
	}{
		{noSlot, 3, seq("", 1, 2, 3, 4), 0},
		{noSlot, 3, seq("", 7, 8, 9), 1},
		{noSlot, 3, seq("s", 1, 2, 3, 4), 2},
		{noSlot, 6, seq("", 1, 2, 3, 4, 5, 6, 7), 0},
		{noSlot, 2, seq("", 7, 9), 1},
		{noSlot, 2, seq("", 5, 5), 2},
		{1, 2, seq("", 1, 2), 1},
		{noSlot, 2, seq("s", 1, 2), 0},
	} {
		if got := s.keep(x.asked, x.prompt, x.x); got != x.want {
			t.Errorf("number %d: slot %d, want %d", i, got, x.want)
		}
	}
	s.clear(2)
	if got := s.keep(noSlot, 1, seq("", 100)); got != 2 {
		t.Errorf("slot %d, want the empty one", got)
	}
}

// Nothing leads out of the folder, and nothing damaged or foreign into the cache.
func TestBadSlots(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "slots")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, h := start(t, serve.Options{Parallel: 2}, slotDir(dir))
	post(t, h.URL+"/completion", `{"prompt":"Once upon a time","n_predict":3,"id_slot":0}`)
	if status, b, _ := post(t, h.URL+"/slots/0?action=save", `{"filename":"good"}`); status != 200 {
		t.Fatalf("%s", b)
	}
	good := mustRead(t, dir, "good")
	for name, text := range map[string]string{"cut": good[:len(good)-5], "empty": "", "flipped": good[:60] + "\xff" + good[61:], "text": "hello"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, "outside"), []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	links := os.Symlink(filepath.Join(parent, "outside"), filepath.Join(dir, "link")) == nil
	os.Mkdir(filepath.Join(dir, "folder"), 0o700)
	for _, x := range []struct {
		path, body string
		status     int
		param      string
	}{
		{"0?action=save", `{}`, 400, "filename"},
		{"0?action=save", `{"filename":""}`, 400, "filename"},
		{"0?action=save", `{"filename":5}`, 400, "filename"},
		{"0?action=save", `{"filename":".."}`, 400, "filename"},
		{"0?action=save", `{"filename":"."}`, 400, "filename"},
		{"0?action=save", `{"filename":".hidden"}`, 400, "filename"},
		{"0?action=save", `{"filename":"../outside"}`, 400, "filename"},
		{"0?action=save", `{"filename":"a/b"}`, 400, "filename"},
		{"0?action=save", `{"filename":"/etc/passwd"}`, 400, "filename"},
		{"0?action=save", `{"filename":"a\\b"}`, 400, "filename"},
		{"0?action=save", `{"filename":"c:x"}`, 400, "filename"},
		{"0?action=save", `{"filename":"a\u0000b"}`, 400, "filename"},
		{"0?action=save", `{"filename":"a\nb"}`, 400, "filename"},
		{"0?action=save", `{"filename":"` + strings.Repeat("a", 201) + `"}`, 400, "filename"},
		{"1?action=save", `{"filename":"x"}`, 400, "id_slot"},
		{"2?action=save", `{"filename":"x"}`, 400, "id_slot"},
		{"-1?action=save", `{"filename":"x"}`, 400, "id_slot"},
		{"x?action=erase", ``, 400, "id_slot"},
		{"0?action=copy", `{"filename":"x"}`, 400, "action"},
		{"0", `{"filename":"x"}`, 400, "action"},
		{"0?action=restore", `{"filename":"nothing"}`, 404, "filename"},
		{"0?action=restore", `{"filename":"cut"}`, 400, "filename"},
		{"0?action=restore", `{"filename":"empty"}`, 400, "filename"},
		{"0?action=restore", `{"filename":"flipped"}`, 400, "filename"},
		{"0?action=restore", `{"filename":"text"}`, 400, "filename"},
		{"0?action=restore", `{"filename":"folder"}`, 400, "filename"},
		{"0?action=restore", `{"filename":"link"}`, 400, "filename"},
		{"0?action=restore", `{"filename":"outside"}`, 404, "filename"},
		{"0?action=restore", `{"filename":"good","model":"other"}`, 404, "model"},
	} {
		if strings.Contains(x.body, "link") && !links {
			continue
		}
		status, b, _ := post(t, h.URL+"/slots/"+x.path, x.body)
		if e := object(t, b); status != x.status || at(e, "error.param") != x.param {
			t.Errorf("%s %.80s: %d, want %d about %s: %s", x.path, x.body, status, x.status, x.param, b)
		} else if strings.Contains(string(b), parent) || strings.Contains(string(b), "mpt: ") {
			t.Errorf("%s %.80s: %s", x.path, x.body, b)
		}
	}
	if status, b, _ := post(t, h.URL+"/completion", `{"prompt":"a","id_slot":2}`); status != 400 || at(object(t, b), "error.param") != "id_slot" {
		t.Errorf("a slot that is not there: %d %s", status, b)
	}
	entries, err := os.ReadDir(dir)
	for _, x := range entries {
		if strings.HasPrefix(x.Name(), ".") {
			t.Errorf("%s is left", x.Name())
		}
	}
	if err != nil || len(entries) < 5 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	_, h = start(t, serve.Options{})
	for _, action := range []string{"save", "restore", "erase"} {
		if status, b, _ := post(t, h.URL+"/slots/0?action="+action, `{"filename":"good"}`); status != 501 || !strings.Contains(string(b), "--slot-save-path") {
			t.Errorf("%s without a folder: %d %s", action, status, b)
		}
	}
}

// A slot for which there is no room is refused.
func TestSlotWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	_, h := start(t, serve.Options{}, slotDir(dir))
	post(t, h.URL+"/completion", `{"prompt":"Once upon a time","n_predict":3,"id_slot":0}`)
	if status, b, _ := post(t, h.URL+"/slots/0?action=save", `{"filename":"f32"}`); status != 200 {
		t.Fatalf("%s", b)
	}
	_, h = start(t, serve.Options{CacheBytes: -1}, slotDir(dir))
	if status, b, _ := post(t, h.URL+"/slots/0?action=restore", `{"filename":"f32"}`); status != 503 {
		t.Errorf("without a cache: %d %s", status, b)
	}
	_, h = start(t, serve.Options{ContextSize: 4}, slotDir(dir))
	status, b, _ := post(t, h.URL+"/slots/0?action=restore", `{"filename":"f32"}`)
	if want := fmt.Sprint("context size of ", 4); status != 400 || !strings.Contains(string(b), want) {
		t.Errorf("too long: %d %s", status, b)
	}
}
