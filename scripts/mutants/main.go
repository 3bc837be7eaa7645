// Mutants puts one bug after the other into parsers and kernels, and checks that a
// test fails for each: that the tests see what they are there for. The tree is not
// changed; the compiler is given other files in the place of some.
//
//	go run ./scripts/mutants [NAME...]
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// doc describes the mutants; it has to name them all.
const doc = "docs/testing.md"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run tries the named mutants, or all.
func run(names []string) error {
	text, err := os.ReadFile(doc)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	survived := 0
	for _, m := range mutants {
		if !bytes.Contains(text, []byte("| "+m.name+" |")) {
			return fmt.Errorf("%s does not name %s", doc, m.name)
		}
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		killer, err := m.try(tmp)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if killer == "" {
			survived++
			killer = "SURVIVES"
		}
		fmt.Printf("%-28s %s\n", m.name, killer)
	}
	if survived > 0 {
		return fmt.Errorf("%d survive", survived)
	}
	return nil
}

// try runs the tests of the mutant's package with the bug in place, and returns the
// test that fails, or "".
func (m *mutant) try(tmp string) (killer string, err error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if n := bytes.Count(source, []byte(m.from)); n != 1 {
		return "", fmt.Errorf("%s holds %q %d times, want once: the patch is stale", m.file, m.from, n)
	}
	changed := filepath.Join(tmp, "changed.go")
	if err := os.WriteFile(changed, bytes.Replace(source, []byte(m.from), []byte(m.to), 1), 0o666); err != nil {
		return "", err
	}
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o666); err != nil {
		return "", err
	}
	pkg := "./" + filepath.ToSlash(filepath.Dir(m.file))
	out, err := exec.Command("go", "test", "-short", "-failfast", "-vet=off", "-overlay", list, "-run", m.run, pkg).CombinedOutput()
	if err == nil {
		return "", nil
	}
	if _, ok := errors.AsType[*exec.ExitError](err); !ok || bytes.Contains(out, []byte("[build failed]")) {
		return "", fmt.Errorf("the tests do not run: %w\n%s", err, out)
	}
	return firstFailure(string(out)), nil
}

// firstFailure returns the name of the test that failed, or what ended the run.
func firstFailure(out string) string {
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(line, "--- FAIL: "); ok {
			return strings.Fields(name)[0]
		}
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return strings.TrimSpace(line)
		}
	}
	return "fails"
}
