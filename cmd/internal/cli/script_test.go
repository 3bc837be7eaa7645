package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mptgo/internal/check"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mpt":          func() { os.Exit(Main(Mpt(), os.Args[1:])) },
		"mpt-quantize": func() { os.Exit(Main(Quantize(), os.Args[1:])) },
	})
}

// cases returns the folder of the tiny reference checkpoints.
func cases(t testing.TB) string {
	t.Helper()
	root, err := check.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "mpt", "testdata", "cases")
}

// TestScripts runs the commands as people do; $CASES is the folder of the tiny
// reference checkpoints.
func TestScripts(t *testing.T) {
	dir, hub := cases(t), scriptHub(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CASES", dir)
			env.Setenv("HF_ENDPOINT", hub.URL)
			env.Setenv("HF_HOME", filepath.Join(env.WorkDir, "hf home"))
			return nil
		},
	})
}
