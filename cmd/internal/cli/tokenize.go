package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/gguf"
	"mptgo/mpt/builtin"
	"mptgo/mpt/convert"
	"mptgo/mpt/tokenizer"
)

const tokenizeLong = `Print the token ids of a text as one line, such as [786, 580, 260].

With --jsonl every line of the input is an object {"text": ...}, and for each
one the line {"ids": [...]} is printed.`

func newTokenize() *cobra.Command {
	var (
		prompt      flags.Prompt
		model       string
		show, jsonl bool
	)
	cmd := &cobra.Command{
		Use:   "tokenize [-m FILE] [-p TEXT | -f FILE]",
		Short: "Turn text into token ids",
		Long:  tokenizeLong,
		Args:  cmdline.NoArgs,
		RunE: interrupt.Handled(func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(cmdline.OneOnly(cmd, "jsonl", "prompt"), cmdline.OneOnly(cmd, "jsonl", "show")); err != nil {
				return err
			}
			tok, err := openTokenizer(cmd.Context(), model)
			if err != nil {
				return err
			}
			opt := tokenizer.EncodeOptions{ParseSpecial: prompt.Special}
			if jsonl {
				return tokenizeLines(cmd, tok, prompt.File, opt)
			}
			text, err := prompt.Read(cmd)
			if err != nil {
				return err
			}
			return printTokens(cmd.OutOrStdout(), tok, tok.Encode(text, opt), show)
		}),
	}
	prompt.Add(cmd)
	prompt.AddSpecial(cmd)
	cmd.Flags().VarP((*cmdline.FileName)(&model), "model", "m",
		"a GGUF `FILE`, a tokenizer.json, a tokenizer.model or a checkpoint folder (default: the built-in model)")
	cmd.Flags().BoolVar(&show, "show", false, "print a line with the id and the text of every token instead")
	cmd.Flags().BoolVar(&jsonl, "jsonl", false, "the input is a text per line, in JSON")
	return cmd
}

// openTokenizer reads the tokenizer of a GGUF file, a tokenizer.json, a
// sentencepiece model, a checkpoint folder, or, if path is empty, the built-in
// model.
func openTokenizer(ctx context.Context, path string) (*tokenizer.Tokenizer, error) {
	if path == "" {
		if !builtin.Included {
			return nil, flags.ErrNoModel
		}
		f, err := builtin.File()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return tokenizer.FromGGUF(f)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return folderTokenizer(path)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		return readTokenizer(ctx, path, tokenizer.ParseJSON)
	case ".model":
		return readTokenizer(ctx, path, tokenizer.ParseSentencepiece)
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, flags.Explain(path, err)
	}
	defer f.Close()
	return tokenizer.FromGGUF(f)
}

// folderTokenizer reads the tokenizer of a checkpoint.
func folderTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	vocab, err := convert.ReadVocabulary(dir, func(string, ...any) {})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return tokenizer.New(vocab)
}

// readTokenizer reads a file that holds a vocabulary.
func readTokenizer(ctx context.Context, path string, parse func([]byte) (*tokenizer.Vocab, error)) (*tokenizer.Tokenizer, error) {
	b, err := fileio.ReadFile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	vocab, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tokenizer.New(vocab)
}

// printTokens prints ids in one line, or each with its text if show is set.
func printTokens(w io.Writer, tok *tokenizer.Tokenizer, ids []int32, show bool) error {
	out := bufio.NewWriter(w)
	if show {
		for _, id := range ids {
			// Bytes, not Decode: a token may be a part of a character.
			fmt.Fprintf(out, "%6d  %q\n", id, tok.AppendDecode(nil, []int32{id}, tokenizer.DecodeOptions{}))
		}
		return out.Flush()
	}
	out.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			out.WriteString(", ")
		}
		out.WriteString(strconv.Itoa(int(id)))
	}
	out.WriteString("]\n")
	return out.Flush()
}

// tokenizeLines answers every line {"text": ...} of a file, or of standard
// input, with a line {"ids": [...]}.
func tokenizeLines(cmd *cobra.Command, tok *tokenizer.Tokenizer, file string, opt tokenizer.EncodeOptions) error {
	in, err := flags.OpenInput(cmd, file)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := fileio.LineInput(in)
	out := bufio.NewWriter(cmd.OutOrStdout())
	for n := 1; ; n++ {
		line, err := fileio.ReadLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("tokenize: line %d: %w", n, err)
		}
		last := err != nil
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := tokenizeLine(out, tok, line, opt); err != nil {
				out.Flush()
				return fmt.Errorf("tokenize: line %d: %w", n, err)
			}
		}
		if last {
			return out.Flush()
		}
		// Whoever waits for an answer before the next question gets it.
		if lines.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func tokenizeLine(w io.Writer, tok *tokenizer.Tokenizer, line []byte, opt tokenizer.EncodeOptions) error {
	var in struct {
		Text *string `json:"text"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return fmt.Errorf(`not an object {"text": ...}: %w`, err)
	}
	if in.Text == nil {
		return errors.New(`no "text"`)
	}
	ids := tok.Encode(*in.Text, opt)
	if ids == nil {
		ids = []int32{} // printed as a list, not as null
	}
	return json.NewEncoder(w).Encode(struct {
		IDs []int32 `json:"ids"`
	}{ids})
}
