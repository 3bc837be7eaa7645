package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"

	"mptgo/cmd/internal/cli/console"
	"mptgo/mpt/measure"
	"mptgo/quantize/imatrix"
)

// continued is the importance matrix that a run goes on with: the output, which is an
// input as well. Its chunks of the text are skipped, so they have to be of this text.
type continued struct {
	name string
	m    *imatrix.Matrix // nil if there is none
}

// from notes the matrix before anything is assumed about it.
func (c *continued) from(name string, m *imatrix.Matrix, size int) error {
	if m.KnowsChunkSize() && m.ChunkSize != size {
		return fmt.Errorf("imatrix: %s was measured in chunks of %d tokens, and now they have %d: "+
			"which of the text has been read cannot be told; use --ctx-size %d, or another name for the output", name, m.ChunkSize, size, m.ChunkSize)
	}
	c.name, c.m = name, m
	return nil
}

// skip returns how many chunks of a text are in the matrix already.
func (c *continued) skip(w io.Writer, origin, dataset string) (int, error) {
	switch {
	case c.m == nil || c.m.Chunks == 0:
		return 0, nil
	case c.m.Origin == origin:
		return c.m.Chunks, nil
	case c.m.Origin != "":
		return 0, fmt.Errorf("imatrix: %s was measured with another text, or another --documents, --chunk or --seed: "+
			"give the output another name, and what it holds counts beside all of this text", c.name)
	case len(c.m.Datasets) != 1 || c.m.Datasets[0] != dataset:
		return 0, fmt.Errorf("imatrix: %s holds chunks of %q: how many of them are of %q it does not tell; "+
			"give the output another name, and what it holds counts beside all of this text", c.name, c.m.Datasets, dataset)
	}
	console.Note(w, "imatrix: %s does not tell of which text it is: its %s are taken for the first of %s",
		c.name, console.Plural(c.m.Chunks, "chunk", "chunks"), dataset)
	return c.m.Chunks, nil
}

// dataset returns the name of the text.
func (f *imatrixFlags) dataset() string {
	switch {
	case f.self:
		return measure.SelfDataset
	case f.prompt.File != "":
		return filepath.Base(f.prompt.File)
	}
	return ""
}

// origin tells the text, and what of it is read, from others.
func (f *imatrixFlags) origin(text string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%v %v %d", f.self, f.opt.Documents, f.opt.Skip)
	if f.self {
		fmt.Fprintf(h, " %d", f.seed)
	}
	fmt.Fprintf(h, "\n%s", text)
	return hex.EncodeToString(h.Sum(nil))
}
