package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mptgo/cmd/internal/cli"
)

var commitTime = time.Unix(1_700_000_000, 0).UTC()

// The bill of materials is what CycloneDX's own schema allows.
func TestMaterials(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &release{out: dir, work: dir, version: "1.2.3", time: commitTime, targets: []target{{"linux", "amd64"}}}
	if err := os.MkdirAll(r.bin(r.targets[0], false), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(r.bin(r.targets[0], false), "mpt")); err != nil {
		t.Skip(err)
	}
	if err := r.materials(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "mpt_1.2.3_linux_amd64.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema := bomSchema(t)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	var bom struct{ Components []struct{ Name, PURL string } }
	if err := json.Unmarshal(text, &bom); err != nil || !strings.Contains(string(text), "pkg:golang/github.com/spf13/cobra@v") {
		t.Errorf("cobra is not among %d components (%v)", len(bom.Components), err)
	}
	doc.(map[string]any)["specVersion"] = 7
	if schema.Validate(doc) == nil {
		t.Error("the schema allows everything")
	}
}

// bomSchema reads the schema that the library of CycloneDX brings.
func bomSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	for name, as := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json",
		"jsf-0.82.schemax.json": "jsf-0.82.schema.json"} {
		b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "schema", name))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("http://cyclonedx.org/schema/"+as, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every command has a page, with its flags, and the same one each time.
func TestPages(t *testing.T) {
	var sums [2][sha256.Size]byte
	for i := range sums {
		r := &release{work: t.TempDir(), version: "1.2.3", time: commitTime}
		if err := r.pages(); err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		for _, c := range cli.Mpt().Commands() {
			b, err := os.ReadFile(filepath.Join(r.work, "man", "mpt-"+c.Name()+".1"))
			if err != nil {
				t.Error(err)
			}
			h.Write(b)
		}
		page, err := os.ReadFile(filepath.Join(r.work, "man", "mpt-chat.1"))
		if err != nil || !strings.Contains(string(page), `\-\-hf\-repo`) && !strings.Contains(string(page), "--hf-repo") {
			t.Errorf("mpt-chat.1 has no --hf-repo (%v)", err)
		}
		for _, name := range []string{"mpt.bash", "_mpt", "mpt.fish", "mpt.ps1", "mpt-quantize.bash"} {
			if info, err := os.Stat(filepath.Join(r.work, "completions", name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		h.Sum(sums[i][:0])
	}
	if sums[0] != sums[1] {
		t.Error("the pages differ from one time to the next")
	}
}

// An archive depends on names, modes and the time alone, not on the disk.
func TestArchive(t *testing.T) {
	var got [2]bytes.Buffer
	for i := range got {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, []byte("text"), os.FileMode(0o600+i)); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(path, time.Unix(int64(i), 0), time.Unix(int64(i), 0))
		if err := writeTarGz(&got[i], []entry{{"mpt/x", path, 0o644}}, commitTime); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got[0].Bytes(), got[1].Bytes()) {
		t.Error("two archives of the same files differ")
	}
	z, err := gzip.NewReader(&got[0])
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	h, err := r.Next()
	if err != nil || h.Name != "mpt/x" || !h.ModTime.Equal(commitTime) || h.Uid != 0 || h.Mode != 0o644 {
		t.Errorf("header %+v (%v)", h, err)
	}
	if b, err := io.ReadAll(r); string(b) != "text" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// What cannot be made is refused, and leaves nothing.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	for _, r := range []*release{{out: dir, version: "1", time: commitTime}, {out: "", version: "1", time: commitTime},
		{out: filepath.Join(dir, "a"), time: commitTime}, {out: filepath.Join(dir, "a"), version: "1", time: time.Unix(0, 0)},
		{out: filepath.Join(dir, "a"), version: "1", time: commitTime, root: filepath.Join(dir, "none"), targets: targets[:1]}} {
		if r.make() == nil {
			t.Errorf("%+v is made", r)
		}
	}
	if err := (&release{}).choose("linux_amd64,plan9_mips"); err == nil {
		t.Error("plan9_mips is a platform")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
