package recipes

import (
	"fmt"
	"regexp"
	"strings"

	"mptgo/gguf"
	"mptgo/quantize"
)

// Choices change what a recipe says about some matrices. What comes first here is
// stronger. Norms, biases and other small tensors stay F32 whatever is chosen.
type Choices struct {
	Tensors   []Choice   // by name; the first that matches counts
	Embedding *gguf.Type // of token_embd.weight
	Output    *gguf.Type // of the matrix that makes the logits
	Pure      bool       // all matrices get the base type of the recipe
}

// Choice is the type of the tensors whose names match.
type Choice struct {
	Name *regexp.Regexp
	Type gguf.Type
}

// ParseChoice returns the choice that a text REGEX=TYPE describes.
func ParseChoice(text string) (Choice, error) {
	i := strings.LastIndex(text, "=")
	if i < 1 {
		return Choice{}, fmt.Errorf("quantize: %q: want REGEX=TYPE, such as ffn_down=Q6_K", text)
	}
	name, err := regexp.Compile(text[:i])
	if err != nil {
		return Choice{}, fmt.Errorf("quantize: %q: %w", text, err)
	}
	t, err := quantize.ParseWritable(text[i+1:])
	return Choice{name, t}, err
}

// TensorType is [Recipe.TensorType] with the changes that are chosen.
func (c Choices) TensorType(r Recipe, name string, ne []int, src gguf.Type, m ModelInfo) (t gguf.Type, note string) {
	switch {
	case isSmall(name, ne):
		return gguf.F32, ""
	case !strings.HasSuffix(name, "weight"):
		return src, ""
	}
	return fit(name, ne, c.wanted(r, name, m), m)
}

func (c Choices) wanted(r Recipe, name string, m ModelInfo) gguf.Type {
	for _, x := range c.Tensors {
		if x.Name.MatchString(name) {
			return x.Type
		}
	}
	switch {
	case c.Embedding != nil && name == "token_embd.weight":
		return *c.Embedding
	case c.Output != nil && isOutput(name, m):
		return *c.Output
	case c.Pure:
		return r.Base
	}
	return r.wanted(name, m)
}

// Unused returns the first choice that matches none of the names, which is likely a
// mistake.
func (c Choices) Unused(names []string) (Choice, bool) {
	for _, x := range c.Tensors {
		used := false
		for _, n := range names {
			used = used || x.Name.MatchString(n)
		}
		if !used {
			return x, true
		}
	}
	return Choice{}, false
}

// Fixes reports whether a choice, not the recipe, says which type a matrix gets.
func (c Choices) Fixes(name string, m ModelInfo) bool {
	for _, x := range c.Tensors {
		if x.Name.MatchString(name) {
			return true
		}
	}
	return c.Embedding != nil && name == "token_embd.weight" || c.Output != nil && isOutput(name, m)
}
