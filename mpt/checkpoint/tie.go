package checkpoint

import (
	"maps"
	"slices"
)

// The two matrices that a model may have in one.
const (
	embedding = "wte.weight"
	head      = "lm_head.weight"
)

// twin returns the name of the matrix that the one of the given name may be tied to.
func twin(name string) string {
	switch name {
	case embedding:
		return head
	case head:
		return embedding
	}
	return ""
}

// resolve gives tensors that are stored once the names that they have besides.
func (c *Checkpoint) resolve() {
	for _, s := range c.shards {
		c.resolveNames(s)
	}
	t := c.byName[head]
	if c.byName[embedding] != nil || t == nil || !c.Config.TieWordEmbeddings {
		return
	}
	c.note("the embedding is there under the name of the output matrix only, %s: it is both, as config.json says", head)
	t.Name = embedding
	c.byName[embedding] = t
	delete(c.byName, head)
}

// resolveNames reads what safetensors' save_model writes into __metadata__: for each name
// that is left out, the one under which its tensor is in the file.
func (c *Checkpoint) resolveNames(s *Container) {
	for _, key := range slices.Sorted(maps.Keys(s.metadata)) {
		name, t := canonical(key), c.byName[canonical(s.metadata[key])]
		if t == nil || t.in != s || c.byName[name] != nil || isBuffer(name) {
			continue
		}
		same := *t
		same.Name = name
		c.byName[name] = &same
		c.tensors = append(c.tensors, &same)
	}
}
