package tune

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// tensor is a float32 matrix on its way into a file.
type tensor struct {
	name       string
	rows, cols int
	values     []float32
	transposed bool // values are [cols, rows]
	from, of   int  // of a part of the rows: the first, and how many all values have; 0: it is no part
}

// at returns where value i of the matrix, by rows, is among the values.
func (t *tensor) at(i int) int {
	if !t.transposed {
		return i
	}
	return i%t.cols*cmp.Or(t.of, t.rows) + t.from + i/t.cols
}

// part returns some rows of a matrix that is transposed.
func (t tensor) part(name string, from, rows int) tensor {
	t.name, t.from, t.of, t.rows = name, from, t.rows, rows
	return t
}

// writeTensors writes the format of safetensors: the length of a header, the header in JSON, the values.
func writeTensors(to io.Writer, tensors []tensor) error {
	type entry struct {
		Type    string `json:"dtype"`
		Shape   [2]int `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header, at := map[string]any{"__metadata__": map[string]string{"format": "pt"}}, 0
	for _, t := range tensors {
		end := at + 4*t.rows*t.cols
		header[t.name] = entry{"F32", [2]int{t.rows, t.cols}, [2]int{at, end}}
		at = end
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	w := bufio.NewWriterSize(to, 1<<20)
	w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
	w.Write(text)
	var value [4]byte
	for _, t := range tensors {
		for i := range t.rows * t.cols {
			binary.LittleEndian.PutUint32(value[:], math.Float32bits(t.values[t.at(i)]))
			w.Write(value[:]) // the error is that of Flush
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("tune: %w", err)
	}
	return nil
}
