package hub

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var hostilePaths = []string{
	"", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "/", "./x", "a/./b", `a\b`, `..\x`, "C:x", "C:/x", "a\x00b", "a\nb",
	"a\x7fb", "CON", "con.txt", "a/NUL", "aux.safetensors", "COM1", "lpt9.bin", "COM¹", "a.", "a ", "a/b./c", "\xff", strings.Repeat("a", 300),
	strings.Repeat("ab/", 400) + "c", "CONIN$", "nul .txt", "a<b", "a>b", `a"b`, "a|b", "what?", "a/*.bin",
}

func TestPaths(t *testing.T) {
	for _, p := range hostilePaths {
		if checkPath(p) == nil {
			t.Errorf("%q is allowed", p)
		}
	}
	for _, p := range []string{"a", "config.json", "a/b/c.bin", ".gitattributes", "..a", "a..b", "été.txt", "COM", "COM10", "console", "a b", "a-00001-of-00002.safetensors"} {
		if err := checkPath(p); err != nil {
			t.Error(err)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, p := range hostilePaths {
		f.Add(p)
	}
	root := filepath.Join(string(filepath.Separator)+"cache", "snapshots", "0123")
	f.Fuzz(func(t *testing.T, p string) {
		if checkPath(p) != nil {
			return
		}
		full := filepath.Join(root, filepath.FromSlash(p))
		if rel, err := filepath.Rel(root, full); err != nil || filepath.ToSlash(rel) != p || !filepath.IsLocal(rel) {
			t.Errorf("%q leads to %s", p, full)
		}
	})
}

func TestFileLists(t *testing.T) {
	for name, paths := range map[string][]string{
		"case": {"README.md", "readme.md"}, "folder": {"a", "a/b"}, "folder and case": {"A", "a/b/c"}, "hostile": {"a", "../b"},
		"many": make([]string, maxFiles+1),
	} {
		var files []File
		for _, p := range paths {
			files = append(files, File{Path: p})
		}
		if checkFiles(files) == nil {
			t.Errorf("%s: allowed", name)
		}
	}
	if err := checkFiles([]File{{Path: "a"}, {Path: "ab"}, {Path: "b/a"}, {Path: "b/c"}}); err != nil {
		t.Error(err)
	}
}

func TestParseRef(t *testing.T) {
	c := &Client{Endpoint: "https://mirror.example/hf"}
	for text, want := range map[string]Ref{
		"mosaicml/mpt-7b":                    {Repo: "mosaicml/mpt-7b", Revision: "main"},
		"gpt2":                               {Repo: "gpt2", Revision: "main"},
		"a/b:Q4_K_M":                         {Repo: "a/b", Revision: "main", Tag: "Q4_K_M"},
		"a/b@v1.0":                           {Repo: "a/b", Revision: "v1.0"},
		"a/b:Q8_0@refs/pr/1":                 {Repo: "a/b", Revision: "refs/pr/1", Tag: "Q8_0"},
		"hf.co/a/b":                          {Repo: "a/b", Revision: "main"},
		"hf.co/a/b:Q4_0":                     {Repo: "a/b", Revision: "main", Tag: "Q4_0"},
		"https://huggingface.co/a/b":         {Repo: "a/b", Revision: "main"},
		"https://huggingface.co/a/b/":        {Repo: "a/b", Revision: "main"},
		"https://huggingface.co/a/b/tree/v1": {Repo: "a/b", Revision: "v1"},
		"https://huggingface.co/a/b/blob/main/c/d.gguf":      {Repo: "a/b", Revision: "main", File: "c/d.gguf"},
		"https://hf.co/a/b/resolve/main/d.gguf?download=1#x": {Repo: "a/b", Revision: "main", File: "d.gguf"},
		"https://mirror.example/hf/a/b":                      {Repo: "a/b", Revision: "main"},
	} {
		if got, err := c.ParseRef(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "/", "a/", "/b", "a/b/c", "a b", "../b", "a/..", "a--b/c", "-a/b", "a/b:", "a/b@", "https://evil.example/a/b", "datasets/x",
		"https://huggingface.co/a/b/tree", "https://huggingface.co/a/b/discussions/1", "https://huggingface.co/a/b/blob/main/..%2fx",
		"ftp://hf.co/a/b", strings.Repeat("a", 100) + "/b", `a\b`,
	} {
		if got, err := c.ParseRef(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("a/b:c@d")
	f.Add("https://hf.co/a/b/resolve/main/x")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := new(Client).ParseRef(text)
		if err != nil {
			return
		}
		if checkRepo(r.Repo) != nil || r.File != "" && checkPath(r.File) != nil || !filepath.IsLocal(folderName(r.Repo)) {
			t.Errorf("%q: %+v", text, r)
		}
		if repo, ok := repoName(folderName(r.Repo)); !ok || repo != r.Repo {
			t.Errorf("%q: the folder %s stands for %q", text, folderName(r.Repo), repo)
		}
	})
}

// FuzzTree reads lists of files: whatever they say, no path or hash leads elsewhere.
func FuzzTree(f *testing.F) {
	f.Add([]byte(`[{"type":"file","path":"a","size":1,"oid":"0123","lfs":{"oid":"x","size":3}}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var page []treeEntry
		if json.Unmarshal(b, &page) != nil {
			return
		}
		for _, e := range page {
			x, err := e.file()
			if err == nil && (checkPath(x.Path) != nil || x.Hash != "" && !isHash(x.Hash)) {
				t.Errorf("%+v", x)
			}
		}
	})
}

func filesOf(paths ...string) (files []File) {
	for _, p := range paths {
		files = append(files, File{Path: p})
	}
	return files
}

func pathsOf(files []File) string {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	return strings.Join(paths, " ")
}

func TestChooseCheckpoint(t *testing.T) {
	for have, want := range map[string]string{
		"config.json model.safetensors pytorch_model.bin README.md modeling_mpt.py":                                             "config.json model.safetensors",
		"config.json pytorch_model.bin flax_model.msgpack tf_model.h5 model.onnx":                                               "config.json pytorch_model.bin",
		"config.json pytorch_model-00001-of-00002.bin pytorch_model.bin.index.json x.bin":                                       "config.json pytorch_model-00001-of-00002.bin pytorch_model.bin.index.json",
		"config.json model-00001-of-00001.safetensors model.safetensors.index.json tokenizer.json pytorch_model.bin.index.json": "config.json model-00001-of-00001.safetensors model.safetensors.index.json tokenizer.json",
		"config.json model.safetensors.index.json pytorch_model.bin":                                                            "config.json pytorch_model.bin",
		"adapter_config.json adapter_model.safetensors adapter_model.bin optimizer.pt":                                          "adapter_config.json adapter_model.safetensors",
		"config.json model.safetensors model-00001-of-00002.safetensors model.safetensors.index.json spiece.model":              "config.json model.safetensors spiece.model",
		"additional_chat_templates/rag.jinja additional_chat_templates/x/y.jinja config.json pytorch_model.bin":                 "additional_chat_templates/rag.jinja config.json pytorch_model.bin",
		"adapter_config.json adapter_model.bin":                                                                                 "adapter_config.json adapter_model.bin",
		"model.safetensors README.md":                                                                                           "",
		"sub/config.json sub/model.safetensors":                                                                                 "",
	} {
		if got := pathsOf(ChooseCheckpoint(filesOf(strings.Fields(have)...))); got != want {
			t.Errorf("%s:\n%s, want\n%s", have, got, want)
		}
	}
}

func TestOtherWeights(t *testing.T) {
	for have, want := range map[string]string{
		"config.json pytorch_model.pt optimizer.pt training_args.bin": "pytorch_model.pt",
		"config.json tf_model.h5 sub/model.safetensors README.md":     "sub/model.safetensors tf_model.h5",
		"config.json pytorch_model.bin pytorch_model.pt":              "",
		"adapter_config.json adapter_model.safetensors x.pt":          "",
		"config.json tokenizer.json":                                  "",
		"consolidated.00.PTH":                                         "consolidated.00.PTH",
	} {
		if got := pathsOf(OtherWeights(filesOf(strings.Fields(have)...))); got != want {
			t.Errorf("%s:\n%s, want\n%s", have, got, want)
		}
	}
}

func TestChooseGGUF(t *testing.T) {
	all := "m-Q8_0.gguf m-q4_k_m.gguf m-Q4_0.gguf mmproj-Q4_K_M.gguf imatrix.gguf mtp-Q4_0.gguf README.md f16/m-F16-00001-of-00002.gguf f16/m-F16-00002-of-00002.gguf"
	for _, x := range []struct{ have, tag, want string }{
		{all, "", "m-q4_k_m.gguf"}, {all, "latest", "m-q4_k_m.gguf"}, {all, "q4_0", "m-Q4_0.gguf"}, {all, "Q8_0", "m-Q8_0.gguf"},
		{all, "f16", "f16/m-F16-00001-of-00002.gguf f16/m-F16-00002-of-00002.gguf"},
		{"b-Q5_0.gguf a-Q6_K.gguf", "", "a-Q6_K.gguf"}, {"x-Q8_0.gguf a-Q6_K.gguf", "", "x-Q8_0.gguf"}, {"README.md", "", ""}, {"README.md", "Q4_0", ""},
	} {
		got, err := ChooseGGUF(filesOf(strings.Fields(x.have)...), x.tag)
		if err != nil || pathsOf(got) != x.want {
			t.Errorf("%q: %s, want %s (%v)", x.tag, pathsOf(got), x.want, err)
		}
	}
	for _, x := range []struct{ have, tag, say string }{
		{all, "Q4_K", "m-q4_k_m.gguf"}, {all, "IQ4", "there are "}, {"a-00001-of-00003.gguf a-00003-of-00003.gguf", "", "has 2 of its parts"},
	} {
		if _, err := ChooseGGUF(filesOf(strings.Fields(x.have)...), x.tag); err == nil || !strings.Contains(err.Error(), x.say) {
			t.Errorf("%q: %v", x.tag, err)
		}
	}
}

func TestSelect(t *testing.T) {
	all := filesOf("config.json", "a/b.json", "model.bin", "a/model.bin", "x.py")
	for _, x := range []struct {
		in, out []string
		want    string
	}{
		{nil, nil, "a/b.json a/model.bin config.json model.bin x.py"}, {[]string{"*.json"}, nil, "a/b.json config.json"},
		{[]string{"a/"}, nil, "a/b.json a/model.bin"}, {nil, []string{"*.bin", "*.py"}, "a/b.json config.json"},
		{[]string{"*.json", "x.*"}, []string{"a/*"}, "config.json x.py"}, {[]string{"?.py"}, nil, "x.py"}, {[]string{"[xy].py"}, nil, "x.py"},
		{[]string{"[!x]*"}, []string{"a*"}, "config.json model.bin"},
	} {
		got, err := Select(all, x.in, x.out)
		if err != nil || pathsOf(got) != x.want {
			t.Errorf("%v %v: %s, want %s (%v)", x.in, x.out, pathsOf(got), x.want, err)
		}
	}
	if _, err := Select(all, []string{"[a"}, nil); err == nil {
		t.Error("[a is a pattern")
	}
}

func TestWaits(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"Retry-After: 2": 2 * time.Second, "Retry-After: 0.5": time.Second / 2, `RateLimit: "resolvers";r=0;t=120`: 2 * time.Minute,
		"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT": 0, "Retry-After: soon": -1, "RateLimit: x": -1, "X: 1": -1, "Retry-After: -3": -1,
	} {
		name, value, _ := strings.Cut(text, ": ")
		h := http.Header{}
		h.Set(name, value)
		if got := waitOf(h); got.ok != (want >= 0) || got.ok && got.d != want {
			t.Errorf("%s: %+v, want %v", text, got, want)
		}
	}
}

// The environment, as huggingface_hub and llama.cpp read it.
func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	clean := func() {
		for _, name := range []string{"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN",
			"LLAMA_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
			t.Setenv(name, "")
		}
		t.Setenv("HOME", home)
		t.Setenv("USERPROFILE", home)
	}
	for _, x := range []struct {
		set  [][2]string
		want func(c *Client) bool
	}{
		{nil, func(c *Client) bool {
			return c.Cache == filepath.Join(home, ".cache", "huggingface", "hub") && !c.Offline && c.Token == ""
		}},
		{[][2]string{{"XDG_CACHE_HOME", "/x"}}, func(c *Client) bool { return c.Cache == filepath.Join("/x", "huggingface", "hub") }},
		{[][2]string{{"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/my home"}}, func(c *Client) bool { return c.Cache == filepath.Join("/my home", "hub") }},
		{[][2]string{{"HF_HOME", "~/hf"}}, func(c *Client) bool { return c.Cache == filepath.Join(home, "hf", "hub") }},
		{[][2]string{{"HF_HOME", "$XDG_CACHE_HOME/hf"}, {"XDG_CACHE_HOME", "/y"}}, func(c *Client) bool { return c.Cache == filepath.Join("/y", "hf", "hub") }},
		{[][2]string{{"HF_HOME", "/h"}, {"HUGGINGFACE_HUB_CACHE", "/g"}}, func(c *Client) bool { return c.Cache == "/g" }},
		{[][2]string{{"HF_HUB_CACHE", "/f"}, {"HUGGINGFACE_HUB_CACHE", "/g"}}, func(c *Client) bool { return c.Cache == "/f" }},
		{[][2]string{{"LLAMA_CACHE", "/l"}, {"HF_HUB_CACHE", "/f"}}, func(c *Client) bool { return c.Cache == "/l" }},
		{[][2]string{{"HF_ENDPOINT", "https://m.example/"}}, func(c *Client) bool { return c.Endpoint == "https://m.example" }},
		{[][2]string{{"HF_TOKEN", " hf_a\n"}}, func(c *Client) bool { return c.Token == "hf_a" && c.TokenFrom == "HF_TOKEN" }},
		{[][2]string{{"HUGGING_FACE_HUB_TOKEN", "hf_b"}}, func(c *Client) bool { return c.Token == "hf_b" }},
		{[][2]string{{"HF_TOKEN", "hf_a"}, {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}}, func(c *Client) bool { return c.Token == "" }},
		{[][2]string{{"HF_HOME", filepath.Join(home, "with")}}, func(c *Client) bool { return c.Token == "hf_file" && strings.HasSuffix(c.TokenFrom, "token") }},
		{[][2]string{{"HF_TOKEN_PATH", filepath.Join(home, "with", "token")}}, func(c *Client) bool { return c.Token == "hf_file" }},
		{[][2]string{{"HF_HUB_OFFLINE", "yes"}}, func(c *Client) bool { return c.Offline }},
		{[][2]string{{"TRANSFORMERS_OFFLINE", "1"}}, func(c *Client) bool { return c.Offline }},
		{[][2]string{{"HF_HUB_OFFLINE", "0"}}, func(c *Client) bool { return !c.Offline }},
	} {
		clean()
		os.MkdirAll(filepath.Join(home, "with"), 0o777)
		os.WriteFile(filepath.Join(home, "with", "token"), []byte("hf_file\n"), 0o600)
		for _, s := range x.set {
			t.Setenv(s[0], s[1])
		}
		if c := FromEnv(); !x.want(c) {
			t.Errorf("%v: %+v", x.set, c)
		}
	}
}

// A token is sent to the same origin alone; https never leads to http.
func TestOrigins(t *testing.T) {
	c := &Client{}
	for _, x := range []struct {
		from, to  string
		elsewhere bool
		ok        bool
	}{
		{"https://a.example/x", "/y", false, true}, {"https://a.example/x", "https://a.example:443/y", false, true},
		{"https://a.example/x", "https://b.example/y", false, false}, {"https://a.example/x", "https://b.example/y", true, true},
		{"https://a.example/x", "http://a.example/y", true, false}, {"https://a.example/x", "//b.example/y", false, false},
		{"http://a.example/x", "http://a.example:81/y", false, false}, {"http://a.example/x", "file:///etc/passwd", true, false},
		{"https://a.example/x", "https://a.example.evil/y", false, false}, {"https://a.example/x", "https://a.example@evil/y", false, false},
		{"https://a.example/x", "javascript:x", true, false}, {"https://a.example/x", "://", true, false},
	} {
		u, err := http.NewRequest("GET", x.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.follow(u.URL, x.to, x.elsewhere); (err == nil) != x.ok {
			t.Errorf("%s to %s: %v", x.from, x.to, err)
		}
	}
}
