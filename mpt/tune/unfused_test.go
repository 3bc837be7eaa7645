package tune

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/mpt"
	"mptgo/mpt/checkpoint"
)

// unfusedVariants have more heads than keys, a factor of queries, and layers with keys of others.
var unfusedVariants = []string{"plain", "GQA, clip, window, cap", "scales, query factor", "keys of other layers"}

// TestUnfused writes the adapter for a base with Wq, Wk and Wv, and reads it again: the same adapter, also on
// going on from a checkpoint, and the same logits from the folder.
func TestUnfused(t *testing.T) {
	for _, v := range variants {
		if !slices.Contains(unfusedVariants, v.name) {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			c := small()
			c.MaxSteps, c.LoRA.Ranks = 4, []Pattern{{`0\.attn\.Wqkv`, 5}}
			want := adapterOf(t, trainerOf(t, v.model(t), someRows(9), c))
			c.Unfused = true
			dir := t.TempDir()
			interrupted := trainerOf(t, v.model(t), someRows(9), c)
			if _, err := interrupted.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := interrupted.Save(dir, "base", nil, 1); err != nil {
				t.Fatal(err)
			}
			tr := trainerOf(t, v.model(t), someRows(9), c)
			if notes, err := tr.Resume(dir); err != nil || notes != nil {
				t.Fatal(notes, err)
			}
			if got := adapterOf(t, tr); !bytes.Equal(got, want) {
				t.Error("another adapter after going on")
			}
			sameFolders(t, v, tr)
		})
	}
}

// sameFolders writes the adapter of tr in both forms, and compares what a model makes of them.
func sameFolders(t *testing.T, v variant, tr *Trainer) {
	t.Helper()
	m := v.model(t)
	var logits [2][]float32
	for i, unfused := range []bool{false, true} {
		tr.c.Unfused = unfused
		dir := t.TempDir()
		if err := tr.PlaceAdapter(dir, "base"); err != nil {
			t.Fatal(err)
		}
		checkNames(t, dir, unfused)
		checkBytes(t, dir, tr)
		logits[i] = logitsWith(t, m, dir)
	}
	if !slices.Equal(logits[0], logits[1]) {
		t.Error("the two forms give other logits")
	}
}

// checkBytes wants what is foretold of the disk, and a copy in memory that is not larger.
func checkBytes(t *testing.T, dir string, tr *Trainer) {
	t.Helper()
	path := filepath.Join(dir, adapterName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := 8 + int64(binary.LittleEndian.Uint64(b))
	if got := int64(len(b)) - header; got != tr.AdapterBytes() {
		t.Errorf("the adapter has %d bytes of values, foretold were %d", got, tr.AdapterBytes())
	}
	if want := tr.AdapterBytes() + 8*tr.Estimate().Parameters; tr.CheckpointBytes() != want {
		t.Errorf("a checkpoint has %d bytes, want those of the adapter and two moments, %d", tr.CheckpointBytes(), want)
	}
	copied := map[*float32]int64{}
	for _, x := range tr.Snapshot("").tensors {
		copied[&x.values[0]] = 4 * int64(len(x.values))
	}
	sum := int64(0)
	for _, n := range copied {
		sum += n
	}
	if sum != 4*tr.Estimate().Parameters {
		t.Errorf("a snapshot has %d bytes, the adapter %d", sum, 4*tr.Estimate().Parameters)
	}
}

// checkNames wants the names of one form in both files of a folder.
func checkNames(t *testing.T, dir string, unfused bool) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, configName))
	if err != nil {
		t.Fatal(err)
	}
	var c adapterConfig
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.OpenSafetensors(filepath.Join(dir, adapterName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const block = prefix + "transformer.blocks.0.attn."
	_, separate := f.Tensor(block + "Wk.lora_B.weight")
	_, fused := f.Tensor(block + "Wqkv.lora_B.weight")
	if separate != unfused || fused == unfused || slices.Contains(c.Targets, "Wk") != unfused || slices.Contains(c.Targets, "Wqkv") == unfused {
		t.Errorf("unfused %v: targets %v", unfused, c.Targets)
	}
	if len(c.RankPattern) != map[bool]int{false: 1, true: 3}[unfused] {
		t.Errorf("unfused %v: ranks %v", unfused, c.RankPattern)
	}
}

// logitsWith returns those of a model with the adapter in a folder.
func logitsWith(t *testing.T, m *mpt.Model, dir string) []float32 {
	t.Helper()
	a, err := m.LoadAdapter(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetAdapters(mpt.AdapterUse{Adapter: a, Scale: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Eval(t.Context(), []int32{7, 30, 99, 4, 250}); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(s.Logits())
}

// TestOwnA: separate changes with an A of each cannot be gone on with, and the error says so.
func TestOwnA(t *testing.T) {
	c := small()
	c.Unfused = true
	tr := trainerOf(t, variants[0].model(t), someRows(9), c)
	s := tr.Snapshot("")
	for i := range s.tensors {
		if strings.HasSuffix(s.tensors[i].name, "1.attn.Wk.lora_A.weight") {
			s.tensors[i].values = slices.Clone(s.tensors[i].values)
			s.tensors[i].values[5]++
		}
	}
	dir := t.TempDir()
	if err := s.Place(dir); err != nil {
		t.Fatal(err)
	}
	if err := tr.loadAdapter(dir); err == nil || !strings.Contains(err.Error(), "attn_k.weight has an A of its own") {
		t.Errorf("got %v", err)
	}
}
