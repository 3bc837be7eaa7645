package mptgo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestConsumer: a program outside of the module can use it, as README.md says, and what the
// examples of the packages show compiles there.
func TestConsumer(t *testing.T) {
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	requires, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	name := modulePath(t)
	module := strings.Replace(string(requires), "module "+name+"\n", "module example.com/consumer\n", 1)
	// What go mod tidy would fetch is in the cache already, at the versions of this module.
	replace := module + "\nrequire " + name + " v0.0.0\n\nreplace " + name + " => " + strconv.Quote(root) + "\n"
	t.Run("replace", func(t *testing.T) {
		dir := consumer(t, map[string]string{"go.mod": replace, "go.sum": string(sums)})
		vet(t, dir, "GOWORK=off", "GOFLAGS=-mod=mod")
	})
	t.Run("go.work", func(t *testing.T) {
		work := "go 1.26.0\n\nuse (\n\t.\n\t" + strconv.Quote(root) + "\n)\n"
		dir := consumer(t, map[string]string{"go.mod": "module example.com/consumer\n\ngo 1.26.0\n", "go.work": work})
		vet(t, dir, "GOWORK="+filepath.Join(dir, "go.work"), "GOFLAGS=")
	})
}

// modulePath returns the path of this module.
func modulePath(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimPrefix(line, "module ")
}

// consumer makes a module with the examples of all packages and some files.
func consumer(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	examples, err := filepath.Glob("*/example*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob("*/*/example*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(examples, deeper...) {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"`+modulePath(t)+"/internal/") {
			continue // it runs against a server for tests, in place of one on the network
		}
		to := filepath.Join(dir, filepath.Dir(p))
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(p)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "mpt", "example_test.go")); err != nil {
		t.Fatal("the example of package mpt, which README.md names, is missing: ", err)
	}
	return dir
}

// vet compiles a module and its tests, without a network.
func vet(t *testing.T, dir string, env ...string) {
	t.Helper()
	cmd := exec.Command("go", "vet", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, "GOPROXY=off", "CGO_ENABLED=0")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
