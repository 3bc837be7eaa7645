package quantize

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mptgo/gguf"
)

// Recipe says which type every tensor of a model gets. The rules are those of
// llama-quantize, so files of the same name hold the same types.
type Recipe struct {
	Name     string    // such as "Q4_0"
	FileType uint32    // the value of general.file_type
	Base     gguf.Type // of all tensors for which there is no other rule
	Output   gguf.Type // of the matrix that makes the logits

	// FirstDown is the type of ffn_down in the first eighth of the blocks if
	// an importance matrix is used.
	FirstDown gguf.Type
}

// recipes is the table of all recipes, the largest files first.
var recipes = []Recipe{
	{"F32", 0, gguf.F32, gguf.F32, gguf.F32},
	{"F16", 1, gguf.F16, gguf.F16, gguf.F16},
	{"BF16", 32, gguf.BF16, gguf.BF16, gguf.BF16},
	{"Q8_0", 7, gguf.Q8_0, gguf.Q8_0, gguf.Q8_0},
	{"Q6_K", 18, gguf.Q6_K, gguf.Q6_K, gguf.Q6_K},
	{"Q5_1", 9, gguf.Q5_1, gguf.Q6_K, gguf.Q5_1},
	{"Q5_0", 8, gguf.Q5_0, gguf.Q6_K, gguf.Q5_1},
	{"Q4_1", 3, gguf.Q4_1, gguf.Q6_K, gguf.Q4_1},
	{"Q4_0", 2, gguf.Q4_0, gguf.Q6_K, gguf.Q4_1},
}

// Recipes returns all recipes, those of the largest files first.
func Recipes() []Recipe { return slices.Clone(recipes) }

// ParseRecipe returns the recipe with the given name; case does not matter.
func ParseRecipe(name string) (Recipe, error) {
	names := make([]string, len(recipes))
	for i, r := range recipes {
		if strings.EqualFold(r.Name, name) {
			return r, nil
		}
		names[i] = r.Name
	}
	return Recipe{}, fmt.Errorf("quantize: unknown recipe %q: choose one of %s", name, strings.Join(names, ", "))
}

// ModelInfo is what a recipe must know of a model.
type ModelInfo struct {
	Blocks  int  // the number of transformer blocks
	Tied    bool // there is no output.weight: token_embd.weight makes the logits
	Imatrix bool // an importance matrix is used
}

// TensorType returns the type that the tensor with the given name, dimensions
// (rows of ne[0] values) and source type gets. If its rows do not divide into
// blocks of the type that the recipe asks for, another type takes its place and
// note says so; otherwise note is empty.
func (r Recipe) TensorType(name string, ne []int, src gguf.Type, m ModelInfo) (t gguf.Type, note string) {
	switch {
	case isSmall(name, ne):
		return gguf.F32, ""
	case !strings.HasSuffix(name, "weight"):
		return src, ""
	}
	want := r.wanted(name, m)
	t = want
	for ne[0]%blockValues(t) != 0 {
		t = fallback(t)
	}
	if t != want {
		note = fmt.Sprintf("%s: rows of %d values do not divide into %v blocks of %d: %v instead",
			name, ne[0], want, blockValues(want), t)
	}
	return t, note
}

// wanted returns the type of a matrix before the length of its rows is looked at.
func (r Recipe) wanted(name string, m ModelInfo) gguf.Type {
	if name == "output.weight" || m.Tied && name == "token_embd.weight" {
		return r.Output
	}
	block, part, _ := strings.Cut(strings.TrimPrefix(name, "blk."), ".")
	if i, err := strconv.Atoi(block); err == nil && part == "ffn_down.weight" && m.Imatrix && i < m.Blocks/8 {
		return r.FirstDown
	}
	return r.Base
}

// isSmall reports whether a tensor is one of those that stay F32, because they
// are small and matter much: vectors, norms and positions.
func isSmall(name string, ne []int) bool {
	dims := len(ne)
	for dims > 1 && ne[dims-1] == 1 {
		dims--
	}
	return dims < 2 ||
		strings.Contains(name, "_norm.weight") ||
		strings.HasSuffix(name, ".bias") ||
		strings.HasSuffix(name, "ffn.act.scales") ||
		name == "position_embd.weight"
}

// fallback returns the type to try if rows do not divide into blocks of t. The
// chain ends at F16, which has blocks of one value.
func fallback(t gguf.Type) gguf.Type {
	if t == gguf.Q6_K {
		return gguf.Q8_0
	}
	return gguf.F16
}

func blockValues(t gguf.Type) int {
	n, _ := t.Block()
	return n
}
