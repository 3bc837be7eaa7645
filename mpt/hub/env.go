package hub

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// FromEnv returns a client as the environment describes it, by the variables of
// huggingface_hub and llama.cpp: HF_ENDPOINT; HF_TOKEN, HUGGING_FACE_HUB_TOKEN, or the
// file HF_TOKEN_PATH; LLAMA_CACHE, HF_HUB_CACHE, HF_HOME; HF_HUB_OFFLINE.
func FromEnv() *Client {
	c := &Client{
		Endpoint:  strings.TrimRight(env("HF_ENDPOINT"), "/"),
		Cache:     cacheFolder(),
		Offline:   isTrue(first("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
		UserAgent: userAgent(),
	}
	if !isTrue(env("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		c.Token, c.TokenFrom = token()
	}
	return c
}

func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// first returns the first of the variables that is set.
func first(names ...string) string {
	for _, n := range names {
		if v := env(n); v != "" {
			return v
		}
	}
	return ""
}

// isTrue reads a variable as huggingface_hub does.
func isTrue(v string) bool {
	switch strings.ToUpper(v) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// folder returns the folder that a variable names: with the variables in it replaced,
// and ~ by the home folder.
func folder(name string) string {
	v := os.ExpandEnv(env(name))
	if v == "~" || strings.HasPrefix(v, "~/") || strings.HasPrefix(v, `~\`) {
		if home, err := os.UserHomeDir(); err == nil {
			v = filepath.Join(home, v[1:])
		}
	}
	return v
}

// home returns the folder of everything that HuggingFace's programs keep.
func home() string {
	if dir := folder("HF_HOME"); dir != "" {
		return dir
	}
	if dir := folder("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "huggingface")
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "huggingface")
	}
	return filepath.Join(dir, ".cache", "huggingface")
}

func cacheFolder() string {
	for _, name := range []string{"LLAMA_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := folder(name); dir != "" {
			return dir
		}
	}
	return filepath.Join(home(), "hub")
}

// token returns the token of the user and where it comes from.
func token() (value, from string) {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if v := env(name); v != "" {
			return v, name
		}
	}
	path := folder("HF_TOKEN_PATH")
	if path == "" {
		path = filepath.Join(home(), "token")
	}
	b, err := os.ReadFile(path)
	if v := strings.TrimSpace(string(b)); err == nil && v != "" && !strings.ContainsAny(v, "\r\n") {
		return v, path
	}
	return "", ""
}

// userAgent names the program and its version.
func userAgent() string {
	version := "dev"
	if b, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(b.Main.Version, "v") {
		version = strings.TrimPrefix(b.Main.Version, "v")
	}
	return "mptgo/" + version + "; go/" + strings.TrimPrefix(runtime.Version(), "go")
}
