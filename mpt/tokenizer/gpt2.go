package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseGPT2 reads a byte-level BPE from the files that came before tokenizer.json:
// vocab.json, which maps the tokens to their ids, and merges.txt, a merge in each line.
// They do not say how a text is prepared for them: that is up to the class that config,
// a tokenizer_config.json or nil, names. It is GPTNeoXTokenizer, the class of MPT
// models, if none is named.
//
// No token is an added one until [Vocab.Configure] is called.
func ParseGPT2(vocabJSON, mergesTXT, config []byte) (*Vocab, error) {
	v, err := parseGPT2(vocabJSON, mergesTXT, config)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return v, nil
}

func parseGPT2(vocabJSON, mergesTXT, config []byte) (v *Vocab, err error) {
	v = &Vocab{Model: ModelBPE, BOS: None, EOS: None, UNK: None, PAD: None}
	if v.Pre, err = preOfClass(config); err != nil {
		return nil, err
	}
	if !utf8.Valid(vocabJSON) || !utf8.Valid(mergesTXT) {
		return nil, fmt.Errorf("vocab.json, merges.txt: one of them is not UTF-8")
	}
	var ids map[string]int
	if err := json.Unmarshal(bytes.TrimPrefix(vocabJSON, []byte("\ufeff")), &ids); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	for line := range strings.Lines(strings.TrimPrefix(string(mergesTXT), "\ufeff")) {
		line = strings.TrimRight(line, "\r\n")
		if line != "" && !strings.HasPrefix(line, "#version") {
			v.Merges = append(v.Merges, line)
		}
	}
	if err := v.setTokens(ids, nil, len(vocabJSON)); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	return v, nil
}

// preOfClass returns the pre-tokenizer of the class that a tokenizer_config.json names.
func preOfClass(config []byte) (string, error) {
	var c struct {
		Class string `json:"tokenizer_class"`
	}
	if config != nil {
		if err := json.Unmarshal(config, &c); err != nil {
			return "", fmt.Errorf("%s: %w", configFile, err)
		}
	}
	switch strings.TrimSuffix(c.Class, "Fast") {
	case "", "GPTNeoXTokenizer":
		return PreMPT, nil
	case "GPT2Tokenizer":
		return PreGPT2, nil
	}
	return "", fmt.Errorf("%s: tokenizer_class %q does not work with vocab.json and merges.txt alone here: "+
		"save the tokenizer with transformers, which writes a tokenizer.json", configFile, c.Class)
}
