package mptgo

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// may lists, for each package, the packages of this module that it may import
// outside its tests. The list is the architecture; changing it is a design
// decision.
var may = map[string]string{
	"":                         "",
	"internal/check":           "",
	"internal/codebook":        "",
	"internal/errkind":         "",
	"internal/filelock":        "",
	"internal/fakehub":         "",
	"internal/slab":            "",
	"internal/sysmem":          "",
	"internal/newfile":         "",
	"gguf":                     "internal/newfile",
	"internal/half":            "",
	"quantize":                 "gguf internal/codebook internal/half quantize/internal/num quantize/internal/search quantize/internal/vec",
	"quantize/internal/num":    "",
	"quantize/internal/search": "internal/codebook internal/half quantize/internal/num quantize/internal/vec",
	"quantize/recipes":         "gguf quantize",
	"quantize/internal/vec":    "internal/half quantize/internal/num",
	"quantize/imatrix":         "gguf quantize",
	"ggml/internal/cpu":        "",
	"ggml/internal/scalar":     "internal/codebook",
	"ggml/internal/scratch":    "",
	"ggml/internal/probe":      "ggml/internal/cpu internal/check",
	"ggml/internal/vec":        "ggml/internal/cpu ggml/internal/scalar ggml/internal/vec/arm64",
	"ggml/internal/act":        "ggml/internal/cpu ggml/internal/scalar ggml/internal/act/amd64 ggml/internal/act/arm64",
	"ggml/internal/att":        "gguf ggml/internal/act ggml/internal/cpu ggml/internal/scalar ggml/internal/scratch ggml/internal/vec ggml/internal/att/arm64",
	"ggml/internal/mat":        "gguf internal/codebook ggml/internal/act ggml/internal/cpu ggml/internal/scalar ggml/internal/scratch ggml/internal/vec ggml/internal/mat/amd64 ggml/internal/mat/arm64",
	"ggml/internal/tier":       "ggml/internal/act ggml/internal/att ggml/internal/cpu ggml/internal/mat ggml/internal/vec",
	"ggml/internal/act/amd64":  "", "ggml/internal/act/arm64": "", "ggml/internal/att/arm64": "", "ggml/internal/mat/amd64": "", "ggml/internal/mat/arm64": "", "ggml/internal/vec/arm64": "", // generated
	"ggml":                     "gguf quantize internal/errkind internal/slab internal/sysmem ggml/internal/act ggml/internal/att ggml/internal/cpu ggml/internal/mat ggml/internal/scalar ggml/internal/tier ggml/internal/vec",
	"ggml/train":               "ggml quantize ggml/internal/act ggml/internal/att ggml/internal/mat ggml/internal/scalar ggml/internal/scratch ggml/internal/tier ggml/internal/vec",
	"sampling":                 "",
	"mpt/tokenizer":            "gguf internal/errkind",
	"mpt/checkpoint":           "gguf",
	"internal/pyrandom":        "",
	"internal/pyregexp":        "",
	"internal/jinja":           "internal/pyregexp",
	"mpt/chat":                 "internal/jinja",
	"mpt/lora":                 "gguf quantize mpt/checkpoint",
	"mpt/convert":              "gguf internal/half internal/newfile quantize quantize/imatrix quantize/recipes mpt/checkpoint mpt/lora mpt/tokenizer",
	"mpt/hub":                  "internal/filelock",
	"internal/forge":           "gguf",
	"mpt":                      "gguf quantize ggml internal/errkind internal/slab internal/sysmem sampling mpt/lora mpt/tokenizer",
	"mpt/tune":                 "ggml ggml/train gguf internal/slab mpt mpt/checkpoint mpt/lora mpt/tune/data",
	"mpt/tune/data":            "mpt/chat mpt/tokenizer",
	"mpt/tune/foundry":         "",
	"mpt/tune/report":          "internal/newfile",
	"mpt/measure":              "ggml gguf quantize quantize/imatrix quantize/recipes sampling internal/newfile mpt mpt/convert mpt/lora mpt/tokenizer mpt/tune",
	"mpt/talk":                 "gguf mpt mpt/chat mpt/grammar mpt/tokenizer",
	"mpt/eval":                 "internal/pyrandom internal/pyregexp mpt mpt/chat internal/jinja mpt/talk mpt/tokenizer sampling",
	"mpt/serve":                "ggml mpt mpt/tokenizer sampling",
	"mpt/grammar":              "mpt/grammar/internal/dfa mpt/tokenizer",
	"mpt/grammar/internal/dfa": "",
	"mpt/builtin":              "gguf mpt",
	"bench":                    "mpt",
	"scripts/compare":          "",
	"scripts/corpus":           "",
	"scripts/mutants":          "",
	"scripts/kld":              "gguf",
	"scripts/memory":           "mpt",
	"scripts/speculation":      "mpt mpt/builtin mpt/tokenizer sampling",
	"scripts/synthetic":        "mpt/convert",
	"scripts/templates":        "internal/check internal/jinja",
	"scripts/widen":            "gguf",
	"cmd/mpt":                  "cmd/internal/cli",
	"cmd/mpt-quantize":         "cmd/internal/cli",
	"cmd/internal/server":      "internal/newfile mpt mpt/chat mpt/grammar mpt/serve mpt/talk mpt/tokenizer sampling",
	"cmd/internal/batch":       "cmd/internal/server internal/filelock internal/newfile mpt/serve",
	"cmd/internal/batch/queue": "cmd/internal/batch",
	"cmd/internal/line":        "",
	"cmd/internal/cli": "bench cmd/internal/batch cmd/internal/batch/queue cmd/internal/cli/cmdline cmd/internal/cli/console cmd/internal/cli/fileio cmd/internal/cli/finetune cmd/internal/cli/flags cmd/internal/cli/inspect cmd/internal/cli/interrupt cmd/internal/cli/pull cmd/internal/cli/repl cmd/internal/cli/version cmd/internal/server " +
		"ggml gguf internal/newfile mpt mpt/builtin mpt/chat mpt/convert mpt/eval mpt/lora mpt/measure mpt/serve mpt/talk mpt/tokenizer quantize quantize/imatrix quantize/recipes sampling",
	"cmd/internal/cli/cmdline":   "cmd/internal/cli/console",
	"cmd/internal/cli/console":   "",
	"cmd/internal/cli/fileio":    "cmd/internal/cli/console internal/newfile",
	"cmd/internal/cli/finetune":  "cmd/internal/cli/cmdline cmd/internal/cli/console cmd/internal/cli/fileio cmd/internal/cli/flags cmd/internal/cli/interrupt cmd/internal/cli/pull internal/filelock internal/newfile mpt mpt/chat mpt/convert mpt/talk mpt/tokenizer mpt/tune mpt/tune/data mpt/tune/foundry mpt/tune/report",
	"cmd/internal/cli/flags":     "cmd/internal/cli/cmdline cmd/internal/cli/console cmd/internal/cli/fileio cmd/internal/cli/pull ggml gguf mpt mpt/builtin mpt/chat mpt/checkpoint mpt/grammar mpt/lora mpt/talk mpt/tokenizer sampling",
	"cmd/internal/cli/inspect":   "cmd/internal/cli/cmdline cmd/internal/cli/console cmd/internal/cli/flags cmd/internal/cli/interrupt ggml gguf mpt/checkpoint mpt/lora quantize",
	"cmd/internal/cli/interrupt": "",
	"cmd/internal/cli/pull":      "cmd/internal/cli/cmdline cmd/internal/cli/console cmd/internal/cli/fileio cmd/internal/cli/interrupt cmd/internal/cli/version mpt/convert mpt/hub quantize/recipes",
	"cmd/internal/cli/repl":      "cmd/internal/cli/cmdline cmd/internal/cli/console cmd/internal/cli/fileio cmd/internal/cli/flags cmd/internal/cli/interrupt cmd/internal/line mpt mpt/chat mpt/grammar mpt/talk mpt/tokenizer sampling",
	"cmd/internal/cli/version":   "",
}

// The limits of one source file and one function, in lines, and of the sources in a folder.
const (
	maxFileLines     = 500
	maxFunctionLines = 60
	maxFolderFiles   = 45
)

// generators is a module of its own, whose sources have to be as readable as those of this one.
const generators = "ggml/internal/_gen"

// queueServer is a module of its own, for what it needs is not for the others.
const queueServer = "cmd/mpt-batchd"

// source is one parsed file that is not a test.
type source struct {
	pkg, path string
	lines     int
	file      *ast.File
	fset      *token.FileSet
}

// sources parses the module's Go files but tests, generators and data.
func sources(t *testing.T) []source {
	t.Helper()
	return sourcesBelow(t, ".")
}

// sourcesBelow does it for another module.
func sourcesBelow(t *testing.T, root string) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && strings.ContainsAny(d.Name()[:1], "._") || d.Name() == "testdata" {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(p, "go.mod")); d.IsDir() && p != root && err == nil {
			return filepath.SkipDir // a module of its own
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(p))
		if pkg == "." {
			pkg = ""
		}
		all = append(all, source{pkg, p, strings.Count(string(text), "\n"), f, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImports(t *testing.T) {
	module := modulePath(t)
	for _, s := range sources(t) {
		allowed, ok := may[s.pkg]
		if !ok {
			t.Errorf("%s: package %q is not in the list of the architecture", s.path, s.pkg)
			continue
		}
		for _, imp := range s.file.Imports {
			name := strings.Trim(imp.Path.Value, `"`)
			ours, ok := strings.CutPrefix(name, module+"/")
			if ok && !slices.Contains(strings.Fields(allowed), ours) {
				t.Errorf("%s imports %s, which package %s may not", s.path, name, path.Join(module, s.pkg))
			}
			if strings.HasPrefix(name, "github.com/goccy/go-yaml") && !slices.Contains([]string{"mpt/eval", "mpt/tune/foundry"}, s.pkg) && !strings.HasPrefix(s.pkg, "cmd/") {
				t.Errorf("%s imports a library for YAML, which is for mpt/eval and the commands", s.path)
			}
			if name == "C" {
				t.Errorf("%s uses cgo", s.path)
			}
		}
	}
}

// plainGo are the packages whose files the tag purego chooses. The gate runs the tests of these and of
// their users with the tag, see scripts/check; of others it runs what shows that they work.
var plainGo = []string{"ggml/internal/act", "ggml/internal/att", "ggml/internal/cpu", "ggml/internal/mat", "ggml/internal/vec", "quantize/internal/vec", "sampling"}

func TestPlainGo(t *testing.T) {
	constraint := regexp.MustCompile(`(?m)^//go:build .*\bpurego\b`)
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && p == ".git" {
			return cmp.Or(err, fs.SkipDir)
		}
		if ext := filepath.Ext(p); d.IsDir() || ext != ".go" && ext != ".s" {
			return nil
		}
		text, err := os.ReadFile(p)
		pkg := filepath.ToSlash(filepath.Dir(p))
		if constraint.Match(text) && !slices.Contains(plainGo, strings.TrimSuffix(strings.TrimSuffix(pkg, "/amd64"), "/arm64")) {
			t.Errorf("%s depends on the tag purego: only files of %v may, for the gate tests few others with it", p, plainGo)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSizes(t *testing.T) {
	for _, s := range slices.Concat(sources(t), sourcesBelow(t, generators), sourcesBelow(t, queueServer)) {
		if s.lines > maxFileLines && !ast.IsGenerated(s.file) {
			t.Errorf("%s has %d lines, more than %d: is it still one thought?", s.path, s.lines, maxFileLines)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			if n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, more than %d", s.path, f.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

// TestFolders: who opens a folder sees what is in it. Tests and generated files do not count.
func TestFolders(t *testing.T) {
	files := map[string]int{}
	for _, s := range append(sources(t), sourcesBelow(t, generators)...) {
		if !ast.IsGenerated(s.file) {
			files[s.pkg]++
		}
	}
	for pkg, n := range files {
		if n > maxFolderFiles {
			t.Errorf("%s has %d sources, more than %d: are these still one package?", pkg, n, maxFolderFiles)
		}
	}
}

// TestGenerated: folders of generated kernels hold nothing else.
func TestGenerated(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		paths, err := filepath.Glob("ggml/internal/*/" + arch + "/*")
		if err != nil || len(paths) == 0 {
			t.Fatal("no generated kernels", err)
		}
		for _, p := range paths {
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(p, generators) && !bytes.HasPrefix(text, []byte("// Code generated by _gen. DO NOT EDIT.")) {
				t.Errorf("%s is not generated: it belongs beside its callers", p)
			}
		}
	}
}

// TestGeneratorNames: in a generator a name says what a register is for, and where it is from.
func TestGeneratorNames(t *testing.T) {
	for _, s := range sourcesBelow(t, generators) {
		for _, imp := range s.file.Imports {
			if imp.Name != nil && imp.Name.Name == "." {
				t.Errorf("%s imports all names of %s", s.path, imp.Path.Value)
			}
		}
		for name, o := range s.file.Scope.Objects {
			if len(name) < 3 && o.Kind != ast.Fun {
				t.Errorf("%s: %s is a name for a local variable", s.path, name)
			}
		}
	}
}

// Tables are values; nothing is filled by init functions.
func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", s.path)
			}
		}
	}
}

// stable are the packages whose exported names other programs may rely on.
var stable = []string{"gguf", "sampling", "mpt", "mpt/tokenizer", "mpt/chat", "mpt/talk"}

// Every package that other programs can import says whether they may rely on its names.
func TestStability(t *testing.T) {
	docs := map[string]string{}
	for _, s := range sources(t) {
		inside := strings.Contains("/"+s.pkg+"/", "/internal/")
		if s.pkg != "" && !inside && s.file.Name.Name != "main" {
			docs[s.pkg] += strings.Join(strings.Fields(s.file.Doc.Text()), " ")
		}
	}
	for pkg, doc := range docs {
		want := "This package is not stable yet:"
		if slices.Contains(stable, pkg) {
			want = "This package is stable:"
		}
		if !strings.Contains(doc, want) {
			t.Errorf("the comment of package %s does not say %q", pkg, want)
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %q has no comment", pkg)
		}
	}
}
