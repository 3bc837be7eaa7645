// Corpus chooses, of the inputs that fuzzing found, few that together run all the
// statements of the package that any of them runs, and adds them to the seeds of
// the target, testdata/fuzz. Those are run by every go test.
//
//	go run ./scripts/corpus PACKAGE TARGET FOLDER
//
// FOLDER holds the inputs, as the fuzzing cache of Go does
// (go env GOCACHE, fuzz/MODULE/PACKAGE/TARGET).
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// maxInput is the size in bytes of the largest input taken: seeds are part of the
// repository.
const maxInput = 16 << 10

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: corpus PACKAGE TARGET FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func run(pkg, target, folder string) error {
	r, err := newRunner(pkg, target)
	if err != nil {
		return err
	}
	defer os.RemoveAll(r.tmp)
	covered, err := r.statements(".")
	if err != nil {
		return err
	}
	found, err := r.inputs(folder)
	if err != nil {
		return err
	}
	seeds := filepath.Join(pkg, "testdata", "fuzz", target)
	taken := 0
	for _, in := range choose(found, covered) {
		if err := copyFile(filepath.Join(seeds, filepath.Base(in.path)), in.path); err != nil {
			return err
		}
		taken++
	}
	fmt.Printf("%s %s: %d of %d inputs\n", pkg, target, taken, len(found))
	return nil
}

// input is a file of the corpus and the statements it runs.
type input struct {
	path       string
	size       int64
	statements []string
}

// choose returns few inputs that run all statements that any runs and that are not
// covered yet: again and again the one that adds most, of these the smallest.
func choose(inputs []input, covered []string) []input {
	done := map[string]bool{}
	for _, s := range covered {
		done[s] = true
	}
	slices.SortFunc(inputs, func(a, b input) int { return cmp.Compare(a.size, b.size) })
	var chosen []input
	for {
		best, most := -1, 0
		for i, in := range inputs {
			if n := added(in, done); n > most {
				best, most = i, n
			}
		}
		if best < 0 {
			return chosen
		}
		chosen = append(chosen, inputs[best])
		for _, s := range inputs[best].statements {
			done[s] = true
		}
	}
}

func added(in input, done map[string]bool) int {
	n := 0
	for _, s := range in.statements {
		if !done[s] {
			n++
		}
	}
	return n
}

// runner runs a target on single inputs in a folder of its own, where the seeds of
// the package are not.
type runner struct{ target, pkg, binary, tmp, seeds string }

func newRunner(pkg, target string) (*runner, error) {
	tmp, err := os.MkdirTemp("", "corpus")
	if err != nil {
		return nil, err
	}
	r := &runner{target: target, pkg: pkg, binary: filepath.Join(tmp, "test"), tmp: tmp}
	r.seeds = filepath.Join(pkg, "testdata", "fuzz", target)
	build := exec.Command("go", "test", "-c", "-cover", "-o", r.binary, "./"+pkg)
	build.Stderr = os.Stderr
	return r, build.Run()
}

// statements returns the blocks of statements that those seeds run whose names match.
func (r *runner) statements(seed string) ([]string, error) {
	profile := filepath.Join(r.tmp, "profile")
	test := exec.Command(r.binary, "-test.run", "^"+r.target+"$/"+seed, "-test.coverprofile", profile)
	test.Dir = r.pkg
	if out, err := test.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", seed, err, out)
	}
	f, err := os.Open(profile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var run []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if block, ok := strings.CutSuffix(lines.Text(), " 1"); ok {
			run = append(run, block)
		}
	}
	return run, lines.Err()
}

// inputs measures the files of a folder, each of which is a seed for the moment.
func (r *runner) inputs(folder string) ([]input, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return nil, err
	}
	var all []input
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.Size() > maxInput {
			continue
		}
		in := input{path: path, size: info.Size()}
		if in.statements, err = r.tryInput(path); err != nil {
			return nil, err
		}
		all = append(all, in)
	}
	return all, nil
}

func (r *runner) tryInput(path string) ([]string, error) {
	const name = "corpus-candidate"
	seed := filepath.Join(r.seeds, name)
	if err := copyFile(seed, path); err != nil {
		return nil, err
	}
	defer os.Remove(seed)
	return r.statements("^" + name + "$")
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}
