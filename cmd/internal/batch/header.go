package batch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Identity is what results depend on beside the input.
type Identity struct {
	Model    string // SHA-256 of the file, hexadecimal
	Numerics int    // version of what is computed
	// Options are settings by the names of their flags.
	Options map[string]string
}

// Fingerprint returns 16 hexadecimal digits that tell the machines whose answers are the same: it
// is of the model, the numerics and the options, but for what chooses lines.
func (id Identity) Fingerprint() string {
	parts := []string{"identity", id.Model, fmt.Sprint(id.Numerics)}
	for _, name := range slices.Sorted(maps.Keys(id.Options)) {
		if name != "--limit" {
			parts = append(parts, name, id.Options[name])
		}
	}
	return digest(parts...)[:16]
}

// Header is what a journal begins with: all that results depend on.
type Header struct {
	Version int    `json:"mpt_batch"`
	SHA256  string `json:"input_sha256"`
	Size    int64  `json:"input_size"`
	Lines   int    `json:"lines"` // that are not blank
	Shard   Shard  `json:"shard"`

	Model    string            `json:"model_sha256"`
	Numerics int               `json:"numerics"`
	Options  map[string]string `json:"options"`
	Created  int64             `json:"created"`
}

const version = 1

// Name returns a name for the batch: the same for the same input and options.
func (h *Header) Name() string {
	id := Identity{h.Model, h.Numerics, h.Options}
	return digest("batch", h.SHA256, id.Fingerprint(), h.Options["--limit"], fmt.Sprint(h.Created))[:16]
}

// Differs says why results that were made under h are not those of want; nil: they are. A
// time of creation that is negative is any.
func (h *Header) Differs(want *Header) error {
	switch {
	case h.Version != want.Version:
		return fmt.Errorf("it was written by another version of this command (%d, not %d)", h.Version, want.Version)
	case h.SHA256 != want.SHA256 || h.Size != want.Size:
		return fmt.Errorf("the input changed: it had %d bytes with the SHA-256 %.12s, and has %d with %.12s",
			h.Size, h.SHA256, want.Size, want.SHA256)
	case h.Model != want.Model:
		return fmt.Errorf("the model is another: its SHA-256 was %.12s and is %.12s", h.Model, want.Model)
	case h.Numerics != want.Numerics:
		return fmt.Errorf("this program computes by version %d of the numerics, it was version %d",
			want.Numerics, h.Numerics)
	case want.Created >= 0 && h.Created != want.Created:
		return fmt.Errorf("--created was %d and is %d", h.Created, want.Created)
	case h.Shard != want.Shard:
		return fmt.Errorf("the shard was %v and is %v", h.Shard, want.Shard)
	}
	var changed []string
	all := maps.Clone(h.Options)
	maps.Copy(all, want.Options)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if a, b := h.Options[name], want.Options[name]; a != b {
			changed = append(changed, fmt.Sprintf("%s was %q and is %q", name, a, b))
		}
	}
	if changed == nil && h.Lines == want.Lines {
		return nil
	}
	if changed == nil {
		return fmt.Errorf("it is of %d lines, not %d", h.Lines, want.Lines)
	}
	return errors.New(strings.Join(changed, "; "))
}

// unset is a time of creation that nobody has chosen.
const unset = -1

func now(created int64) int64 {
	if created == unset {
		return time.Now().Unix()
	}
	return created
}
