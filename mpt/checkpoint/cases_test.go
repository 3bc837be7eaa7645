package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"sort"
	"testing"

	"mptgo/internal/check"
)

// The digests are over the sorted canonical names, each followed by a newline and
// its bytes. They were computed by a reader that shares no code with this one:
// Python's zipfile and pickle modules. Checkpoints with equal digests hold the same
// weights in different containers.
var caseDigests = []struct {
	name    string
	tensors int
	sha256  string
}{
	{"hf-bf16-bin", 14, "7d8f85e2789bf5e99560e7c4c5ebb40370b47f7257f0191227600fd6c1bde6eb"},
	{"hf-bf16-sharded", 14, "7d8f85e2789bf5e99560e7c4c5ebb40370b47f7257f0191227600fd6c1bde6eb"},
	{"hf-clip-6heads", 14, "054cfeaf183933e524a779ac418263f53138d02a4bc4f9f254a4b659dfc7e59b"},
	{"hf-extrapolate", 14, "4a9de20745938d8c6271d9c39673216fa2041e2196da66eb8095b4a7f0b57d2c"},
	{"hf-f16-bin-sharded", 14, "e2e29dc88e4ccbdab6f6afbbe0c92c1bfe42abf3a16a320309d655584cef6d10"},
	{"hf-legacy-bin", 14, "4a9de20745938d8c6271d9c39673216fa2041e2196da66eb8095b4a7f0b57d2c"},
	{"hf-softmax-scale", 14, "4a9de20745938d8c6271d9c39673216fa2041e2196da66eb8095b4a7f0b57d2c"},
	{"hf-tiny", 14, "4a9de20745938d8c6271d9c39673216fa2041e2196da66eb8095b4a7f0b57d2c"},
	{"lf-alibi", 14, "4a9de20745938d8c6271d9c39673216fa2041e2196da66eb8095b4a7f0b57d2c"},
	{"lf-embedding-fraction", 14, "4a9de20745938d8c6271d9c39673216fa2041e2196da66eb8095b4a7f0b57d2c"},
	{"lf-storywriter-like", 14, "054cfeaf183933e524a779ac418263f53138d02a4bc4f9f254a4b659dfc7e59b"},
}

func TestCases(t *testing.T) {
	for _, c := range caseDigests {
		t.Run(c.name, func(t *testing.T) {
			ck, err := Open(caseDir(c.name))
			if err != nil {
				t.Fatal(err)
			}
			defer ck.Close()
			if err := ck.Config.Validate(); err != nil {
				t.Error(err)
			}
			if got := digest(t, ck); len(ck.Tensors()) != c.tensors || got != c.sha256 {
				t.Errorf("%d tensors with digest %s, want %d with %s", len(ck.Tensors()), got, c.tensors, c.sha256)
			}
		})
	}
}

// digest reads the tensors in steps of an odd number of rows.
func digest(t *testing.T, c *Checkpoint) string {
	t.Helper()
	ts := slices.Clone(c.Tensors())
	sort.Slice(ts, func(i, j int) bool { return ts[i].Name < ts[j].Name })
	h := sha256.New()
	for _, x := range ts {
		h.Write([]byte(x.Name + "\n"))
		for r := 0; r < x.Rows(); r += 7 {
			end := min(r+7, x.Rows())
			b := make([]byte, (end-r)*x.RowBytes())
			if err := x.ReadRows(b, r, end); err != nil {
				t.Fatal(err)
			}
			h.Write(b)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// What the reference configurations need that is not run, in words that their
// messages must contain; none means that they must be accepted.
var caseFeatures = map[string][]string{}

func TestCaseFeatures(t *testing.T) {
	dir := check.Shared(t, "testdata", "cases")
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(dir + "/" + n.Name() + "/config.json")
		if err != nil {
			continue // an adapter
		}
		c, err := ParseConfig(b)
		if err != nil {
			t.Errorf("%s: %v", n.Name(), err)
			continue
		}
		want := caseFeatures[n.Name()]
		if len(c.Unsupported()) != len(want) || !containsAll(c.Validate(), want) {
			t.Errorf("%s: unsupported %q, want %q", n.Name(), c.Unsupported(), want)
		}
		if len(c.Unknown) != 0 {
			t.Errorf("%s: unknown fields %q", n.Name(), c.Unknown)
		}
	}
}
