package recipes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mptgo/gguf"
	"mptgo/quantize"
)

// Recipe says which type every tensor of a model gets. The rules are those of
// llama-quantize as of February 2025, so its files of the same name hold the
// same types. (Newer versions treat the fused attn_qkv as they do attn_v.)
type Recipe struct {
	Name      string    // such as "Q4_0"
	FileType  uint32    // the value of general.file_type
	Base      gguf.Type // of all tensors for which there is no other rule
	Output    gguf.Type // of the matrix that makes the logits
	Embedding gguf.Type // of token_embd.weight, if another matrix makes the logits
}

// all is the table of all recipes, the largest files first. What else their
// blocks hold is in exceptions.
var all = []Recipe{
	{"F32", 0, gguf.F32, gguf.F32, gguf.F32},
	{"F16", 1, gguf.F16, gguf.F16, gguf.F16},
	{"BF16", 32, gguf.BF16, gguf.BF16, gguf.BF16},
	{"Q8_0", 7, gguf.Q8_0, gguf.Q8_0, gguf.Q8_0},
	{"Q6_K", 18, gguf.Q6_K, gguf.Q6_K, gguf.Q6_K},
	{"Q5_1", 9, gguf.Q5_1, gguf.Q6_K, gguf.Q5_1},
	{"Q5_K_M", 17, gguf.Q5_K, gguf.Q6_K, gguf.Q5_K},
	{"Q5_0", 8, gguf.Q5_0, gguf.Q6_K, gguf.Q5_0},
	{"Q5_K_S", 16, gguf.Q5_K, gguf.Q6_K, gguf.Q5_K},
	{"Q4_1", 3, gguf.Q4_1, gguf.Q6_K, gguf.Q4_1},
	{"Q4_K_M", 15, gguf.Q4_K, gguf.Q6_K, gguf.Q4_K},
	{"Q4_K_S", 14, gguf.Q4_K, gguf.Q6_K, gguf.Q4_K},
	{"Q4_0", 2, gguf.Q4_0, gguf.Q6_K, gguf.Q4_0},
	{"IQ4_NL", 25, gguf.IQ4_NL, gguf.Q6_K, gguf.IQ4_NL},
	{"IQ4_XS", 30, gguf.IQ4_XS, gguf.Q6_K, gguf.IQ4_XS},
	{"Q3_K_L", 13, gguf.Q3_K, gguf.Q6_K, gguf.Q3_K},
	{"Q3_K_M", 12, gguf.Q3_K, gguf.Q6_K, gguf.Q3_K},
	{"IQ3_M", 27, gguf.IQ3_S, gguf.Q6_K, gguf.IQ3_S},
	{"IQ3_S", 26, gguf.IQ3_S, gguf.Q6_K, gguf.IQ3_S},
	{"Q3_K_S", 11, gguf.Q3_K, gguf.Q6_K, gguf.Q3_K},
	{"IQ3_XS", 22, gguf.IQ3_S, gguf.Q6_K, gguf.IQ3_S},
	{"IQ3_XXS", 23, gguf.IQ3_XXS, gguf.Q5_K, gguf.IQ3_S},
	{"Q2_K", 10, gguf.Q2_K, gguf.Q6_K, gguf.Q2_K},
	{"IQ2_M", 29, gguf.IQ2_S, gguf.Q5_K, gguf.IQ3_S},
	{"Q2_K_S", 21, gguf.Q2_K, gguf.Q6_K, gguf.Q2_K},
	{"TQ2_0", 37, gguf.TQ2_0, gguf.Q6_K, gguf.Q4_K},
	{"TQ1_0", 36, gguf.TQ1_0, gguf.Q6_K, gguf.Q4_K},
}

// All returns all recipes, those of the largest files first.
func All() []Recipe { return slices.Clone(all) }

// Names returns the names of all recipes, in that order.
func Names() []string {
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
	}
	return names
}

// aliases are other names of recipes, as in llama-quantize.
var aliases = map[string]string{"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}

// Parse returns the recipe with the given name; case does not matter. As in
// llama-quantize the number of a file type is a name, too.
func Parse(name string) (Recipe, error) {
	if other, ok := aliases[strings.ToUpper(name)]; ok {
		name = other
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		if i := slices.IndexFunc(all, func(r Recipe) bool { return r.FileType == uint32(n) }); i >= 0 {
			return all[i], nil
		}
	}
	names := make([]string, len(all))
	for i, r := range all {
		if strings.EqualFold(r.Name, name) {
			return r, nil
		}
		names[i] = r.Name
	}
	return Recipe{}, fmt.Errorf("quantize: unknown recipe %q: choose one of %s", name, strings.Join(names, ", "))
}

// Search returns the search that a recipe is made with if s is [quantize.SearchAuto]: the
// better one for the types with two levels of scales and for those with tables, where it
// pays; ggml's bytes for the simple types, which other programs make alike.
func (r Recipe) Search(s quantize.Search) quantize.Search {
	if s != quantize.SearchAuto {
		return s
	}
	switch r.Base {
	case gguf.Q4_0, gguf.Q4_1, gguf.Q5_0, gguf.Q5_1, gguf.Q8_0:
		return quantize.SearchReference
	}
	return quantize.SearchBetter
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
	return Choices{}.TensorType(r, name, ne, src, m)
}

// fit returns a type like want whose blocks divide the rows.
func fit(name string, ne []int, want gguf.Type, m ModelInfo) (t gguf.Type, note string) {
	t = want
	if isOutput(name, m) && ne[0]%blockValues(t) != 0 {
		t = gguf.Q8_0
	}
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
	switch {
	case isOutput(name, m):
		return r.Output
	case name == "token_embd.weight":
		return r.Embedding
	}
	block, part, _ := strings.Cut(strings.TrimPrefix(name, "blk."), ".")
	i, err := strconv.Atoi(block)
	if err != nil {
		return r.Base
	}
	for _, e := range exceptions[r.Name] {
		if e.part+".weight" == part && e.when.holds(m) && e.blocks(i, m.Blocks) {
			return e.typ
		}
	}
	return r.Base
}

// NeedsImatrix reports whether a matrix of type t is worthless unless the importance
// of its columns is known, as llama-quantize sees it: what there is of bits has to
// go where it counts.
func (r Recipe) NeedsImatrix(name string, t gguf.Type) bool {
	ends := name == "token_embd.weight" || name == "output.weight"
	switch t {
	case gguf.IQ2_XXS, gguf.IQ2_XS, gguf.IQ2_S, gguf.IQ1_S:
		return true
	case gguf.IQ1_M:
		return !ends
	case gguf.Q2_K:
		return r.Name == "Q2_K_S" && name != "token_embd.weight"
	}
	return false
}

// isOutput reports whether a matrix makes the logits.
func isOutput(name string, m ModelInfo) bool {
	return name == "output.weight" || m.Tied && name == "token_embd.weight"
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
	switch t {
	case gguf.Q6_K:
		return gguf.Q8_0
	case gguf.Q5_K:
		return gguf.Q5_1
	case gguf.Q4_K:
		return gguf.Q5_0
	case gguf.TQ1_0, gguf.TQ2_0:
		return gguf.Q4_0
	case gguf.Q2_K, gguf.Q3_K, gguf.IQ2_S, gguf.IQ3_XXS, gguf.IQ3_S, gguf.IQ4_XS:
		return gguf.IQ4_NL
	}
	return gguf.F16
}

// blockValues returns the number of values in a block of t.
func blockValues(t gguf.Type) int {
	n, _ := t.Block()
	return n
}
