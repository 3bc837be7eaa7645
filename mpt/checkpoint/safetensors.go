package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"sort"
)

// safetensors bounds its header at 100 MB; real ones are a few hundred kilobytes.
const maxHeader = 100 << 20

// extent is the place of a tensor in the data section of a safetensors file.
type extent struct {
	begin, end int64
	name       string
}

// readSafetensors reads a file laid out as
//
//	byte 0..7    N, the length of the header, unsigned and little-endian
//	byte 8..     N bytes of JSON: {"NAME": {"dtype", "shape", "data_offsets"}, ...}
//	byte 8+N..   the elements; data_offsets [begin, end) count from here
func (c *Container) readSafetensors() error {
	b, err := c.head(8)
	if err != nil {
		return err
	}
	if len(b) < 8 {
		return malformed("%d bytes are too few for a safetensors file", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || int64(n) > c.size-8 {
		return malformed("this is not a safetensors file, or it is truncated: a header of %d bytes does not fit in a file of %d", n, c.size)
	}
	header := make([]byte, n)
	if err := c.readFull(header, 8); err != nil {
		return err
	}
	spans, err := c.parseHeader(header)
	if err != nil {
		return err
	}
	return refuseOverlap(spans)
}

// parseHeader adds the tensors of a header to c.
func (c *Container) parseHeader(header []byte) ([]extent, error) {
	d := json.NewDecoder(bytes.NewReader(header))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed("the header is not a JSON object")
	}
	var spans []extent
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, malformed("header: %v", err)
		}
		name := t.(string) // the decoder accepts only strings as keys
		if name == "__metadata__" {
			if err := d.Decode(&c.metadata); err != nil {
				return nil, malformed("header: __metadata__: %v", err)
			}
			continue
		}
		s, err := c.parseEntry(d, name, int64(len(header))+8)
		if err != nil {
			return nil, err
		}
		spans = append(spans, s)
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed("header: %v", err)
	}
	return spans, nil
}

// parseEntry reads the description of one tensor; data is where the elements of
// the file begin.
func (c *Container) parseEntry(d *json.Decoder, name string, data int64) (extent, error) {
	var e struct {
		DType   string  `json:"dtype"`
		Shape   []int   `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := d.Decode(&e); err != nil {
		return extent{}, malformed("header: tensor %q: %v", name, err)
	}
	if len(e.Offsets) != 2 || e.Shape == nil || e.DType == "" {
		return extent{}, malformed("tensor %q: dtype, shape or data_offsets are missing", name)
	}
	s := extent{e.Offsets[0], e.Offsets[1], name}
	if s.begin < 0 || s.end < s.begin || s.end > c.size-data {
		return extent{}, malformed("tensor %q: bytes %d to %d lie outside the %d bytes of data: the file is truncated or damaged",
			name, s.begin, s.end, c.size-data)
	}
	dt, ok := dtypeNamed(e.DType)
	if !ok {
		dt = opaque(e.DType)
	}
	t, err := newTensor(c, name, dt, e.Shape, data+s.begin, nil)
	if err != nil {
		return extent{}, err
	}
	if t.space = s.end - s.begin; ok && int64(t.Bytes()) != t.space {
		return extent{}, malformed("tensor %q: %s %v takes %d bytes, the file gives it %d",
			name, e.DType, e.Shape, t.Bytes(), s.end-s.begin)
	}
	c.tensors = append(c.tensors, t)
	return s, nil
}

func refuseOverlap(spans []extent) error {
	sort.Slice(spans, func(i, j int) bool { return spans[i].begin < spans[j].begin })
	var last extent
	for _, s := range spans {
		if s.begin == s.end {
			continue
		}
		if s.begin < last.end {
			return malformed("tensors %q and %q overlap", last.name, s.name)
		}
		last = s
	}
	return nil
}
