package cli

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/internal/newfile"
	"mptgo/mpt"
)

const logitsLong = `Evaluate lists of token ids and write the logits after every token.

The input is a JSON list of lists of ids, such as [[786, 580], [12]]. OUT is a
safetensors file with a float32 tensor for each list: logits_0, logits_1, ..., of
one row for each token and one column for each entry of the vocabulary.`

func newLogits() *cobra.Command {
	var (
		model    flags.Model
		ids, out string
	)
	cmd := &cobra.Command{
		Use:   "logits -m FILE --tokens-file IDS.json -o OUT.safetensors",
		Short: "Write the logits of given token ids",
		Long:  logitsLong,
		Args:  cmdline.NoArgs,
		RunE: interrupt.Handled(func(cmd *cobra.Command, _ []string) error {
			if ids == "" || out == "" {
				return fmt.Errorf("logits: give token ids with --tokens-file FILE, and the output with -o FILE: see %s --help", cmd.CommandPath())
			}
			lists, err := readIDs(cmd, ids)
			if err != nil {
				return err
			}
			if newfile.Same(out, ids) || newfile.Same(out, model.Path) {
				return fmt.Errorf("logits: %s: the output would replace the input: give it another name", out)
			}
			if err := fileio.Writable(out); err != nil {
				return fmt.Errorf("logits: %w", err)
			}
			m, err := model.Open()
			if err != nil {
				return err
			}
			defer m.Close()
			if err := flags.CheckIDs(lists, m.Config().Vocab); err != nil {
				return fmt.Errorf("logits: %s: %w", ids, err)
			}
			err = fileio.Write(out, func(w io.Writer) error { return writeLogits(cmd.Context(), w, m, lists) })
			if err != nil {
				return fmt.Errorf("logits: %s: %w", out, err)
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&ids, "tokens-file", "",
		"read the lists of ids from `FILE`, or from standard input if it is -")
	cmd.Flags().StringVarP(&out, "output", "o", "", "write the logits to `FILE`")
	model.Add(cmd)
	return cmd
}

// readIDs reads a list of lists of ids.
func readIDs(cmd *cobra.Command, name string) ([][]int32, error) {
	in, err := flags.OpenInput(cmd, name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var numbers [][]json.Number // not int32, which would take null for 0
	dec := json.NewDecoder(io.LimitReader(in, fileio.Limit()))
	err = dec.Decode(&numbers)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = errors.New("more text follows the list")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("logits: %s: not a JSON list of lists of token ids: %w", name, err)
	}
	lists := make([][]int32, len(numbers))
	for i, list := range numbers {
		if lists[i], err = parseIDs(list); err != nil {
			return nil, fmt.Errorf("logits: %s: list %d, %w", name, i, err)
		}
	}
	return lists, nil
}

func parseIDs(list []json.Number) ([]int32, error) {
	ids := make([]int32, len(list))
	for i, n := range list {
		id, err := strconv.ParseInt(n.String(), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("position %d: %q is not a token id", i, n)
		}
		ids[i] = int32(id)
	}
	return ids, nil
}

// writeLogits writes a safetensors file with the logits of every list.
func writeLogits(ctx context.Context, w io.Writer, m *mpt.Model, lists [][]int32) error {
	out := bufio.NewWriterSize(w, 1<<20)
	vocab := m.Config().Vocab
	if err := writeLogitsHeader(out, lists, vocab); err != nil {
		return err
	}
	row := make([]byte, 0, 4*vocab)
	for i, list := range lists {
		err := evalAll(ctx, m, list, func(logits []float32) error {
			row = row[:0]
			for _, v := range logits {
				row = binary.LittleEndian.AppendUint32(row, math.Float32bits(v))
			}
			_, err := out.Write(row)
			return err
		})
		if err != nil {
			return fmt.Errorf("list %d: %w", i, err)
		}
	}
	return out.Flush()
}

// evalAll calls visit with the logits after every token of a new session.
func evalAll(ctx context.Context, m *mpt.Model, ids []int32, visit func(logits []float32) error) error {
	if len(ids) == 0 {
		return nil
	}
	s, err := m.NewSession(mpt.ContextSize(len(ids)))
	if err != nil {
		return err
	}
	defer s.Close()
	return s.EvalAll(ctx, ids, func(_ int, logits []float32) error { return visit(logits) })
}

// writeLogitsHeader writes the header of a safetensors file: its length as a
// uint64, then an object that says where every tensor lies, padded with spaces
// so that the data begins at a multiple of 8 bytes.
func writeLogitsHeader(w io.Writer, lists [][]int32, vocab int) error {
	type entry struct {
		DType   string    `json:"dtype"`
		Shape   [2]int    `json:"shape"`
		Offsets [2]uint64 `json:"data_offsets"`
	}
	header := make(map[string]entry, len(lists))
	var at uint64
	for i, list := range lists {
		end := at + 4*uint64(len(list))*uint64(vocab)
		header[fmt.Sprintf("logits_%d", i)] = entry{"F32", [2]int{len(list), vocab}, [2]uint64{at, end}}
		at = end
	}
	b, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(b))); err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
