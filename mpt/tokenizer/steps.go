package tokenizer

import (
	"encoding/json"
	"fmt"
)

// step is one element of a stage of a tokenizer.json: its type, and all of it.
type step struct {
	kind string
	raw  json.RawMessage
}

// steps returns the elements of a stage: none if it is null, those of a
// "Sequence", whose list has the given name, or the stage itself.
func steps(raw json.RawMessage, list string) ([]step, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	one, err := newStep(raw)
	if err != nil {
		return nil, err
	}
	if one.kind != "Sequence" {
		return []step{one}, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(fields[list], &elements); err != nil {
		return nil, fmt.Errorf("sequence: %w", err)
	}
	var all []step
	for _, e := range elements {
		s, err := newStep(e)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func newStep(raw json.RawMessage) (step, error) {
	var s struct {
		Type string `json:"type"`
	}
	err := json.Unmarshal(raw, &s)
	return step{s.Type, raw}, err
}

// byteLevel is the step that maps bytes to characters and back.
type byteLevel struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	TrimOffsets    bool   `json:"trim_offsets"`
	UseRegex       *bool  `json:"use_regex"` // absent: true
}

// parsePre returns the pre-tokenizer that a normalizer and a pre_tokenizer
// amount to.
func parsePre(normalizer, preTokenizer json.RawMessage) (string, error) {
	pre := PreGPT2
	norms, err := steps(normalizer, "normalizers")
	if err != nil {
		return "", fmt.Errorf("normalizer: %w", err)
	}
	for _, s := range norms {
		if s.kind != "NFC" {
			return "", fmt.Errorf("normalizer %q is not supported: MPT models use \"NFC\"", s.kind)
		}
		pre = PreMPT
	}
	splits, err := steps(preTokenizer, "pretokenizers")
	if err != nil {
		return "", fmt.Errorf("pre_tokenizer: %w", err)
	}
	if len(splits) != 1 || splits[0].kind != "ByteLevel" {
		return "", fmt.Errorf("pre_tokenizer %s is not supported: MPT models use \"ByteLevel\"", kinds(splits))
	}
	var b byteLevel
	if err := strict(splits[0].raw, &b); err != nil {
		return "", fmt.Errorf("pre_tokenizer: %w", err)
	}
	if b.AddPrefixSpace {
		return "", fmt.Errorf("pre_tokenizer: add_prefix_space is not supported")
	}
	if b.UseRegex != nil && !*b.UseRegex {
		return "", fmt.Errorf("pre_tokenizer: use_regex false is not supported")
	}
	return pre, nil
}

// kinds returns the types of steps for an error.
func kinds(all []step) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.kind
	}
	return fmt.Sprintf("%q", names)
}

// checkDecoder refuses decoders that are not the inverse of byte-level BPE.
func checkDecoder(decoder json.RawMessage) error {
	all, err := steps(decoder, "decoders")
	if err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	if len(all) != 1 || all[0].kind != "ByteLevel" {
		return fmt.Errorf("decoder %s is not supported: MPT models use \"ByteLevel\"", kinds(all))
	}
	return nil
}

// template is what TemplateProcessing makes of one text.
type template struct {
	Single []struct {
		SpecialToken *struct {
			ID string `json:"id"`
		}
		Sequence *struct {
			ID string `json:"id"`
		}
	} `json:"single"`
}

// parsePost reads the post_processor: byte-level, which does nothing to ids, or
// a template that puts at most bos before the text.
func (v *Vocab) parsePost(post json.RawMessage) error {
	all, err := steps(post, "processors")
	if err != nil {
		return fmt.Errorf("post_processor: %w", err)
	}
	for _, s := range all {
		switch s.kind {
		case "ByteLevel":
		case "TemplateProcessing":
			if err := v.parseTemplate(s.raw); err != nil {
				return fmt.Errorf("post_processor: %w", err)
			}
		default:
			return fmt.Errorf("post_processor %q is not supported", s.kind)
		}
	}
	return nil
}

func (v *Vocab) parseTemplate(raw json.RawMessage) error {
	var t template
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	parts := t.Single
	if len(parts) == 2 && parts[0].SpecialToken != nil && !v.AddBOS {
		id, ok := v.find(parts[0].SpecialToken.ID)
		if !ok {
			return fmt.Errorf("the template names the token %q, which does not exist", parts[0].SpecialToken.ID)
		}
		v.BOS, v.AddBOS = id, true
		parts = parts[1:]
	}
	if len(parts) != 1 || parts[0].Sequence == nil {
		return fmt.Errorf("a template that adds other tokens than one before the text is not supported")
	}
	return nil
}

// find returns the id of the token with the given text.
func (v *Vocab) find(text string) (int, bool) {
	for id, t := range v.Tokens {
		if t == text && v.Types[id] != Unused {
			return id, true
		}
	}
	return 0, false
}
