package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// roots are the first parts of the canonical names of a model's tensors.
var roots = []string{"wte", "wpe", "blocks", "norm_f", "lm_head"}

// deepest is how many parts may stand before those of a model.
const deepest = 8

// foreign returns what stands before the part of a canonical name that is the model's,
// such as "ema_model.". It is empty if nothing does, and ok is false if no part of the name
// is the model's.
func foreign(name string) (prefix string, ok bool) {
	at := 0
	for range deepest {
		root, _, _ := strings.Cut(canonical(name[at:]), ".")
		if slices.Contains(roots, root) {
			return name[:at], true
		}
		n := strings.IndexByte(name[at:], '.')
		if n < 0 {
			break
		}
		at += n + 1
	}
	return "", false
}

// dropPrefix takes away what stands before the names of all tensors, such as "ema_model.":
// then the averaged weights of a trainer are the only ones. Of several sets nobody can tell
// which is meant.
func (c *Checkpoint) dropPrefix() error {
	sets := map[string]*Tensor{}
	strangers := 0
	for _, t := range c.tensors {
		prefix, ok := foreign(t.Name)
		if !ok {
			strangers++
		} else if sets[prefix] == nil {
			sets[prefix] = t
		}
	}
	switch names := slices.Sorted(maps.Keys(sets)); {
	case len(sets) > 1:
		return fmt.Errorf("checkpoint: %s: %w", sets[names[1]].in.path,
			malformed("there is more than one set of weights: %s: "+
				"nobody can tell which is meant: save that one alone", quotedSets(names)))
	case len(sets) == 1 && names[0] != "" && strangers == 0:
		c.note("the names of all tensors begin with %q, which is left out", names[0])
		return c.rename(names[0])
	}
	return nil
}

// quotedSets tells how the names of sets of weights begin.
func quotedSets(prefixes []string) string {
	var text []string
	for _, p := range prefixes {
		if p == "" {
			text = append(text, "one without anything before the names")
		} else {
			text = append(text, fmt.Sprintf("one with %q", p))
		}
	}
	return strings.Join(text, ", ")
}

// rename takes prefix from the names of all tensors. Buffers, and what is there twice, show
// only then.
func (c *Checkpoint) rename(prefix string) error {
	all := c.tensors
	c.tensors, c.byName = nil, make(map[string]*Tensor, len(all))
	for _, t := range all {
		t.Name = strings.TrimPrefix(t.Name, prefix)
		if err := c.addTensor(t); err != nil {
			return err
		}
	}
	return nil
}
