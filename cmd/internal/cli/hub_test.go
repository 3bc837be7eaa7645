package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/cmd/internal/cli/fileio"
	"mptgo/internal/fakehub"
	"mptgo/mpt/convert"
)

// scriptHub starts the hub that scripts pull from: a checkpoint, GGUF files, and
// repositories that are refused.
func scriptHub(t *testing.T) *fakehub.Hub {
	t.Helper()
	h := fakehub.Start()
	t.Cleanup(h.Close)
	checkpoint := folderContents(t, filepath.Join(cases(t), "hf-bf16-sharded"))
	for _, name := range []string{"modeling_mpt.py", "README.md", "pytorch_model.bin", "optimizer.pt"} {
		checkpoint[name] = fakehub.Noise(20_000, byte(len(name)))
	}
	h.Add("mosaicml/tiny", &fakehub.Repo{Files: checkpoint})
	h.Add("mosaicml/old-tiny", &fakehub.Repo{Moved: "mosaicml/tiny"})
	ggufs := map[string]fakehub.Content{"README.md": fakehub.Text("# models\n"), "mmproj-Q8_0.gguf": fakehub.Noise(5000, 1)}
	dir := t.TempDir()
	for _, typ := range []string{"Q4_0", "Q8_0"} {
		path := filepath.Join(dir, "tiny-"+typ+".gguf")
		if _, err := convert.Convert(context.Background(), filepath.Join(cases(t), "hf-tiny"), path, convert.Options{Type: typ}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range folderContents(t, dir) {
		ggufs[name] = c
	}
	h.Add("someone/tiny-GGUF", &fakehub.Repo{Files: ggufs})
	h.Add("t/adapter", &fakehub.Repo{Files: folderContents(t, filepath.Join(cases(t), "lora-all"))})
	h.Add("t/gated", &fakehub.Repo{Files: checkpoint, Gated: true})
	h.Add("t/evil", &fakehub.Repo{Files: checkpoint, Entries: []string{`{"type":"file","path":"../../evil.sh","size":1}`}})
	h.Add("t/torch", &fakehub.Repo{Files: map[string]fakehub.Content{
		"config.json": checkpoint["config.json"], "model.pt": fakehub.Noise(20_000, 1), "optimizer.pt": fakehub.Noise(9, 1),
	}})
	h.Add("t/keras", &fakehub.Repo{Files: map[string]fakehub.Content{
		"config.json": checkpoint["config.json"], "tf_model.h5": fakehub.Noise(20, 1), "x.onnx": fakehub.Noise(9, 1),
	}})
	h.Add("t/data", &fakehub.Repo{Files: map[string]fakehub.Content{"train.csv": fakehub.Text("1,2\n")}})
	return h
}

// folderContents returns the files of a folder.
func folderContents(t *testing.T, dir string) map[string]fakehub.Content {
	t.Helper()
	files := map[string]fakehub.Content{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "expected") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = fakehub.Text(string(b))
	}
	return files
}

// TestPullTypeFaults makes a model file of a checkpoint while the network fails, and
// compares it with one that is made of the folder. Bytes that stay wrong make none.
func TestPullTypeFaults(t *testing.T) {
	dir := t.TempDir()
	want := filepath.Join(dir, "want.gguf")
	if _, err := convert.Convert(context.Background(), filepath.Join(cases(t), "hf-bf16-sharded"), want, convert.Options{Type: "Q8_0"}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_TOKEN", fakehub.Token)
	t.Setenv("HF_HUB_OFFLINE", "")
	for _, f := range []fakehub.Fault{
		{Kind: "drop", Times: 2, After: 50_000, Path: "model-00002"}, {Kind: "expired", Times: 1}, {Kind: "corrupt", Times: 1, Path: "model-00001"},
		{Kind: "norange", Times: -1}, {Kind: "corrupt", Times: -1, Path: "model-00003"},
	} {
		h := scriptHub(t)
		h.Fail(f)
		t.Setenv("HF_ENDPOINT", h.URL)
		t.Setenv("HF_HOME", filepath.Join(t.TempDir(), "hf"))
		got := filepath.Join(t.TempDir(), "tiny.gguf")
		status := Main(Mpt(), []string{"pull", "mosaicml/tiny", "--type", "Q8_0", "-o", got, "-q"})
		bad := f.Kind == "corrupt" && f.Times < 0
		if (status != 0) != bad || fileio.IsFile(got) == bad {
			t.Errorf("%+v: status %d, the file exists: %v", f, status, fileio.IsFile(got))
		}
		if h.Leaked() {
			t.Errorf("%+v: the other host has seen the token", f)
		}
		h.Close()
		if bad {
			continue
		}
		a, errA := os.ReadFile(got)
		b, errB := os.ReadFile(want)
		// The name of the model is that of its folder, which differs.
		if errA != nil || errB != nil || len(a) < 100_000 || string(a[len(a)-100_000:]) != string(b[len(b)-100_000:]) {
			t.Errorf("%+v: the weights differ (%v, %v)", f, errA, errB)
		}
	}
}
