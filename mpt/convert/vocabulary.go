package convert

import (
	"encoding/json"
	"fmt"

	"mptgo/mpt/checkpoint"
	"mptgo/mpt/tokenizer"
)

// readVocabulary reads the tokenizer in the folder dir, whose files are what file returns,
// with so many tokens.
func readVocabulary(dir string, file func(name string) ([]byte, error), rows int,
	logf func(string, ...any)) (*tokenizer.Vocab, error) {
	f := files{file, dir, rows, logf}
	v, err := f.read()
	if err != nil {
		return nil, err
	}
	if err := v.Pad(rows); err != nil {
		return nil, err
	}
	// Only a tokenizer that can be built is worth writing.
	if _, err := tokenizer.New(v); err != nil {
		return nil, err
	}
	f.noteRules(v)
	return v, nil
}

// noteRules says that other programs do not know the rules of added tokens.
func (f files) noteRules(v *tokenizer.Vocab) {
	for _, ids := range [][]int32{v.LStrip, v.RStrip, v.SingleWord} {
		for _, id := range ids {
			f.logf("token %d %q has lstrip, rstrip or single_word set: that is kept, but llama.cpp knows nothing of it",
				id, v.Tokens[id])
		}
	}
}

// ReadVocabulary reads the tokenizer of a checkpoint from the files in the folder dir:
// those of tokenizer.json, of vocab.json and merges.txt, or of a sentencepiece model,
// and what the files beside it say. Logf is told what a user should know although it
// is no error.
func ReadVocabulary(dir string, logf func(string, ...any)) (*tokenizer.Vocab, error) {
	return files{func(name string) ([]byte, error) { return checkpoint.ReadFile(dir, name) }, dir, 0, logf}.read()
}

// files are the small files of a checkpoint.
type files struct {
	file func(name string) ([]byte, error) // the content of one
	dir  string                            // where they are
	rows int                               // of the embedding, 0 if that is not known
	logf func(string, ...any)
}

func (f files) read() (*tokenizer.Vocab, error) {
	v, err := f.tokenizer()
	if err != nil {
		return nil, err
	}
	return v, f.configure(v)
}

// tokenizer reads the first of the files that a vocabulary may be in. Where there
// are both kinds, tokenizer.json may be a conversion of the model to steps that are
// not supported; then the model counts.
func (f files) tokenizer() (*tokenizer.Vocab, error) {
	b, err := f.optional("tokenizer.json")
	if err != nil {
		return nil, err
	}
	var refused error
	if b != nil {
		var v *tokenizer.Vocab
		if v, refused = tokenizer.ParseJSON(b); refused == nil {
			return v, nil
		}
	}
	for _, name := range []string{"tokenizer.model", "spiece.model"} {
		b, err := f.binary(name)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		if refused != nil {
			f.logf("%v: %s is read instead", refused, name)
		}
		v, err := tokenizer.ParseSentencepiece(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return v, nil
	}
	if refused != nil {
		return nil, refused
	}
	return f.gpt2()
}

// gpt2 reads the two files that came before tokenizer.json.
func (f files) gpt2() (*tokenizer.Vocab, error) {
	vocab, err := f.optional("vocab.json")
	if err != nil {
		return nil, err
	}
	if vocab == nil {
		_, err := f.file("tokenizer.json")
		return nil, fmt.Errorf("%w: the vocabulary is in it, in tokenizer.model or spiece.model, "+
			"or in vocab.json and merges.txt", err)
	}
	merges, err := f.text("merges.txt")
	if err != nil {
		return nil, fmt.Errorf("vocab.json is one half of a tokenizer: %w", err)
	}
	config, err := f.optional("tokenizer_config.json")
	if err != nil {
		return nil, err
	}
	return tokenizer.ParseGPT2(vocab, merges, config)
}

// configure adds what the files beside the vocabulary say.
func (f files) configure(v *tokenizer.Vocab) error {
	beside := tokenizer.Beside{Rows: f.rows, Logf: f.logf}
	for _, x := range []struct {
		name string
		into *[]byte
	}{
		{"special_tokens_map.json", &beside.SpecialTokens},
		{"tokenizer_config.json", &beside.Config},
		{"added_tokens.json", &beside.AddedTokens},
	} {
		var err error
		if *x.into, err = f.optional(x.name); err != nil {
			return err
		}
	}
	if err := v.Configure(beside); err != nil {
		return err
	}
	if err := f.templates(v); err != nil {
		return err
	}
	return f.generation(v)
}

// ids is an id, a list of them, or null.
type ids []int32

// UnmarshalJSON accepts all three.
func (v *ids) UnmarshalJSON(b []byte) error {
	var one int32
	if string(b) == "null" {
		return nil
	}
	if json.Unmarshal(b, &one) == nil {
		*v = ids{one}
		return nil
	}
	return json.Unmarshal(b, (*[]int32)(v))
}

// generation adds the ids that end an answer by generation_config.json, and takes
// from there what the tokenizer's own files leave open.
func (f files) generation(v *tokenizer.Vocab) error {
	const name = "generation_config.json"
	b, err := f.optional(name)
	if b == nil {
		return err
	}
	var g struct {
		BOS ids `json:"bos_token_id"`
		EOS ids `json:"eos_token_id"`
		PAD ids `json:"pad_token_id"`
	}
	if err := json.Unmarshal(b, &g); err != nil {
		return fmt.Errorf("%s: %w: %v", name, checkpoint.ErrFormat, err)
	}
	for _, x := range []struct {
		key   string
		id    *int
		from  ids
		spare bool // nothing uses it
	}{
		{"bos_token_id", &v.BOS, g.BOS, false},
		{"eos_token_id", &v.EOS, g.EOS, false},
		{"pad_token_id", &v.PAD, g.PAD, true},
	} {
		if *x.id != tokenizer.None || len(x.from) == 0 || x.from[0] < 0 || f.unknown(x.from[0], v) {
			continue
		}
		switch err := f.checkID(name, x.key, x.from[0], v); {
		case err == nil:
			*x.id = int(x.from[0])
		case !x.spare:
			return err
		default:
			f.logf("%v: it is left out, since nothing uses it", err)
		}
	}
	for _, id := range g.EOS {
		switch {
		case id < 0:
			f.logf("%s: eos_token_id %d is no token: it is left out", name, id)
			continue
		case f.unknown(id, v):
			continue
		}
		if err := f.checkID(name, "eos_token_id", id, v); err != nil {
			return err
		}
		v.EOG = append(v.EOG, id)
	}
	return nil
}

// unknown reports whether an id may be one of rows without a token: how many there are
// is not known.
func (f files) unknown(id int32, v *tokenizer.Vocab) bool {
	return f.rows == 0 && int(id) >= len(v.Tokens)
}

// checkID returns an error if an id is not one of the vocabulary, padding included.
func (f files) checkID(name, key string, id int32, v *tokenizer.Vocab) error {
	if n := max(f.rows, len(v.Tokens)); int(id) >= n {
		return fmt.Errorf("%s: %s %d is outside the vocabulary of %d tokens", name, key, id, n)
	}
	return nil
}
