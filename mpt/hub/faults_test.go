package hub

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/internal/fakehub"
)

// Faults that pass, and those that a client can do something about.
func TestFaultsThatPass(t *testing.T) {
	for _, f := range []fakehub.Fault{
		{Kind: "drop", Times: 20, After: 30_000}, {Kind: "drop", Times: 3, After: 0}, {Kind: "stall", Times: 2, After: 10_000},
		{Kind: "slow", Times: 3, After: 9_000}, {Kind: "500", Times: 3}, {Kind: "data429", Times: 2}, {Kind: "data429", Times: 1, After: 1},
		{Kind: "short", Times: 1}, {Kind: "long", Times: -1}, {Kind: "badlen", Times: 1}, {Kind: "corrupt", Times: 1},
		{Kind: "badetag", Times: -1}, {Kind: "newetag", Times: 3}, {Kind: "wrongrange", Times: 1}, {Kind: "wrongrange", Times: -1},
		{Kind: "norange", Times: -1}, {Kind: "range416", Times: -1}, {Kind: "expired", Times: 1}, {Kind: "gzip", Times: -1},
		{Kind: "page", Times: 1}, {Kind: "503", Times: 3}, {Kind: "429", Times: 1, After: 0}, {Kind: "denied", Times: 2, Path: "model"},
		{Kind: "hang", Times: 1},
	} {
		t.Run(fmt.Sprintf("%s x%d after %d", f.Kind, f.Times, f.After), func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			h.Fail(f)
			c := newClient(t, h)
			c.Times = hasty(f.Kind)
			c.Token = fakehub.Token
			rev, _, err := pull(c, tiny)
			if err != nil {
				t.Fatal(err)
			}
			checkCache(t, c, h, rev, repoFiles(h), true)
			if h.Leaked() {
				t.Error("the other host has seen the token")
			}
		})
	}
}

// Faults that do not pass end in one sentence, and leave nothing wrong.
func TestFaultsThatStay(t *testing.T) {
	for _, x := range []struct {
		fault fakehub.Fault
		say   string
	}{
		{fakehub.Fault{Kind: "corrupt", Path: "model"}, "its hash is "},
		{fakehub.Fault{Kind: "short", Path: "mid"}, "bytes are sent, not 100001"},
		{fakehub.Fault{Kind: "badlen", Path: "mid"}, "bytes are sent, not 100001"},
		{fakehub.Fault{Kind: "page", Path: "config"}, "bytes are sent, not"},
		{fakehub.Fault{Kind: "500"}, "answers 500 Internal Server Error (tried 6 times)"},
		{fakehub.Fault{Kind: "drop"}, "the connection broke off"},
		{fakehub.Fault{Kind: "stall"}, "nothing came for too long"},
		{fakehub.Fault{Kind: "denied", Path: "model"}, "the link is refused"},
		{fakehub.Fault{Kind: "data429", After: 100}, "it wants to be asked again in 1m40s"},
		{fakehub.Fault{Kind: "html"}, "does the network ask for a login?"},
		{fakehub.Fault{Kind: "badjson"}, "not the JSON that a hub sends"},
		{fakehub.Fault{Kind: "bigjson"}, "an answer of more than 16777216 bytes"},
		{fakehub.Fault{Kind: "loop"}, "more than 5 redirects"},
		{fakehub.Fault{Kind: "offhost"}, "leads to another site"},
		{fakehub.Fault{Kind: "503"}, "answers 503 Service Unavailable (tried 6 times)"},
		{fakehub.Fault{Kind: "hang"}, "timeout awaiting response headers (tried 6 times)"},
	} {
		t.Run(x.fault.Kind, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			x.fault.Times = -1
			h.Fail(x.fault)
			c := newClient(t, h)
			c.Times = hasty(x.fault.Kind)
			c.Token, c.TokenFrom = fakehub.Token, "HF_TOKEN"
			_, _, err := pull(c, tiny)
			refused(t, c, err, x.say)
			checkCache(t, c, h, nil, nil, false)
			h.Heal()
			c = clientAt(h.URL, c.Cache)
			rev, _, err := pull(c, tiny)
			if err != nil {
				t.Fatalf("later: %v", err)
			}
			checkCache(t, c, h, rev, repoFiles(h), true)
		})
	}
}

// Repositories that cannot be had, each with its sentence.
func TestDenied(t *testing.T) {
	one := map[string]fakehub.Content{"config.json": fakehub.Text("{}")}
	for name, x := range map[string]struct {
		repo  *fakehub.Repo
		rev   string
		token string
		say   string
	}{
		"gated":    {&fakehub.Repo{Files: one, Gated: true}, "main", "", "the repository is gated: accept the terms at "},
		"private":  {&fakehub.Repo{Files: one, Private: true}, "main", "", "no such repository, or it is private"},
		"disabled": {&fakehub.Repo{Files: one, Disabled: true}, "main", "", "the repository is disabled"},
		"badtoken": {&fakehub.Repo{Files: one}, "main", "hf_wrong", "the token is not valid: "},
		"missing":  {nil, "main", "", "no such repository"},
		"norev":    {&fakehub.Repo{Files: one}, "v2", "", `no such revision: "v2"`},
		"nocommit": {&fakehub.Repo{Files: one}, strings.Repeat("ab", 20), "", "no such revision"},
	} {
		t.Run(name, func(t *testing.T) {
			h := fakehub.Start()
			defer h.Close()
			if x.repo != nil {
				h.Add("a/b", x.repo)
			}
			c := newClient(t, h)
			c.Token, c.TokenFrom = x.token, "the file token"
			rev, err := c.Resolve(context.Background(), "a/b", x.rev)
			var files []File
			if err == nil {
				files, err = c.Files(context.Background(), rev)
			}
			if err == nil {
				_, err = c.Download(context.Background(), rev, files, nil)
			}
			refused(t, c, err, x.say)
			if left, _ := filepath.Glob(filepath.Join(c.Cache, "*", "snapshots", "*", "*")); len(left) > 0 {
				t.Errorf("%v are in the cache", left)
			}
		})
	}
}

// A file that the repository does not have.
func TestNoFile(t *testing.T) {
	h := newHub(t)
	c := newClient(t, h)
	rev, _, err := pull(c, tiny)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Download(context.Background(), rev, []File{{Path: "other.json", Size: -1}}, nil)
	if err == nil || !strings.Contains(err.Error(), `no such file: "other.json"`) {
		t.Error(err)
	}
}

// Repositories that are hostile, or that need another protocol, are refused as a whole.
func TestRefused(t *testing.T) {
	sha := strings.Repeat("ab", 32)
	for say, entry := range map[string]string{
		"it leads elsewhere":       `{"type":"file","path":"../x","size":1}`,
		"not a safe path":          `{"type":"file","path":"/etc/x","size":1}`,
		"a malformed hash":         `{"type":"file","path":"x","size":1,"oid":"../../../x"}`,
		"has a malformed hash":     `{"type":"file","path":"x","size":1,"lfs":{"oid":"` + strings.Repeat("a", 40) + `","size":1}}`,
		"a size of -5":             `{"type":"file","path":"x","size":-5}`,
		"has a size of 9000000000": `{"type":"file","path":"x","size":9000000000000000000}`,
		"is there twice":           `{"type":"file","path":"config.json","size":77}`,
		"are one file where case":  `{"type":"file","path":"Config.JSON","size":1,"oid":"` + strings.Repeat("a", 40) + `"}`,
		"and the folder of":        `{"type":"file","path":"config.json/x","size":1,"oid":"` + strings.Repeat("a", 40) + `"}`,
		"Xet protocol alone":       `{"type":"file","path":"x.bin","size":60000000000,"xetHash":"` + sha + `","lfs":{"oid":"` + sha + `","size":60000000000}}`,
		"not enough space":         `{"type":"file","path":"x.bin","size":200000000000000,"lfs":{"oid":"` + sha + `","size":200000000000000}}`,
		"reserves the name":        `{"type":"file","path":"aux.bin","size":1}`,
		"not the JSON that a hub ": `{"type":"file","path":7}`,
	} {
		h := fakehub.Start()
		h.Add("t/evil", &fakehub.Repo{Files: map[string]fakehub.Content{"config.json": fakehub.Text("{}")}, Entries: []string{entry}})
		c := newClient(t, h)
		_, _, err := pull(c, "t/evil")
		refused(t, c, err, say)
		if left, _ := filepath.Glob(filepath.Join(c.Cache, "*", "snapshots", "*", "*")); len(left) > 0 {
			t.Errorf("%s: %v are in the cache", say, left)
		}
		h.Close()
	}
}
