package tokenizer

import (
	"fmt"
	"maps"
	"slices"

	"mptgo/gguf"
)

// The keys of a tokenizer in a GGUF file. Those that start with mpt.ext are of
// this project; other readers ignore them and need not know them.
const (
	keyModel        = "tokenizer.ggml.model"
	keyPre          = "tokenizer.ggml.pre"
	keyTokens       = "tokenizer.ggml.tokens"
	keyTypes        = "tokenizer.ggml.token_type"
	keyMerges       = "tokenizer.ggml.merges"
	keyBOS          = "tokenizer.ggml.bos_token_id"
	keyEOS          = "tokenizer.ggml.eos_token_id"
	keyUNK          = "tokenizer.ggml.unknown_token_id"
	keyPAD          = "tokenizer.ggml.padding_token_id"
	keyEOT          = "tokenizer.ggml.eot_token_id"
	keyEOM          = "tokenizer.ggml.eom_token_id"
	keyAddBOS       = "tokenizer.ggml.add_bos_token"
	keyAddEOS       = "tokenizer.ggml.add_eos_token"
	keyChatTemplate = "tokenizer.chat_template"
	keyTemplates    = "tokenizer.chat_templates" // names; each template is under keyChatTemplate.NAME

	// Of sentencepiece models.
	keyScores      = "tokenizer.ggml.scores"
	keyPrefix      = "tokenizer.ggml.add_space_prefix"
	keyExtraSpaces = "tokenizer.ggml.remove_extra_whitespaces"
	keyCharsmap    = "tokenizer.ggml.precompiled_charsmap"

	keyEOG        = "mpt.ext.eog_token_ids"
	keyNormalized = "mpt.ext.normalized_token_ids"
	keyLStrip     = "mpt.ext.lstrip_token_ids"
	keyRStrip     = "mpt.ext.rstrip_token_ids"
	keySingleWord = "mpt.ext.single_word_token_ids"
)

// Meta returns the keys that describe v in a GGUF file.
//
// A single id of EOG that is not eos is stored as eot_token_id, which every
// reader honours; if there are more, the first is stored there and all of them
// under a key of this project.
func (v *Vocab) Meta() []gguf.KV {
	types := make([]int32, len(v.Types))
	for i, t := range v.Types {
		types[i] = int32(t)
	}
	kv := []gguf.KV{
		{Key: keyModel, Value: v.Model},
		{Key: keyPre, Value: v.Pre},
		{Key: keyTokens, Value: v.Tokens},
		{Key: keyTypes, Value: types},
	}
	kv = append(kv, v.modelMeta()...)
	for _, id := range v.ids() {
		if *id.value != None {
			kv = append(kv, gguf.KV{Key: id.key, Value: uint32(*id.value)})
		}
	}
	kv = append(kv, gguf.KV{Key: keyAddBOS, Value: v.AddBOS})
	kv = append(kv, v.eogMeta()...)
	for _, list := range v.lists() {
		if *list.ids != nil {
			kv = append(kv, gguf.KV{Key: list.key, Value: *list.ids})
		}
	}
	if v.ChatTemplate != "" {
		kv = append(kv, gguf.KV{Key: keyChatTemplate, Value: v.ChatTemplate})
	}
	if len(v.Templates) > 0 {
		names := slices.Sorted(maps.Keys(v.Templates))
		kv = append(kv, gguf.KV{Key: keyTemplates, Value: names})
		for _, name := range names {
			kv = append(kv, gguf.KV{Key: keyChatTemplate + "." + name, Value: v.Templates[name]})
		}
	}
	return kv
}

// modelMeta returns the keys that not all models have. Other readers end a text of
// a Unigram model with eos unless they are told not to.
func (v *Vocab) modelMeta() []gguf.KV {
	if !v.sentencepiece() {
		return []gguf.KV{{Key: keyMerges, Value: v.Merges}}
	}
	kv := []gguf.KV{
		{Key: keyScores, Value: v.Scores},
		{Key: keyPrefix, Value: v.AddSpacePrefix},
		{Key: keyExtraSpaces, Value: v.RemoveExtraSpaces},
		{Key: keyAddEOS, Value: false},
	}
	if len(v.Charsmap) > 0 {
		kv = append(kv, gguf.KV{Key: keyCharsmap, Value: v.Charsmap})
	}
	return kv
}

// ids lists the keys of single ids with where v keeps them.
func (v *Vocab) ids() []struct {
	key   string
	value *int
} {
	return []struct {
		key   string
		value *int
	}{{keyBOS, &v.BOS}, {keyEOS, &v.EOS}, {keyUNK, &v.UNK}, {keyPAD, &v.PAD}}
}

// eogMeta returns the keys that EOG is stored under.
func (v *Vocab) eogMeta() []gguf.KV {
	var others []int32
	for _, id := range v.EOG {
		if int(id) != v.EOS {
			others = append(others, id)
		}
	}
	if len(others) == 0 {
		return nil
	}
	kv := []gguf.KV{{Key: keyEOT, Value: uint32(others[0])}}
	if len(others) > 1 {
		kv = append(kv, gguf.KV{Key: keyEOG, Value: others})
	}
	return kv
}

// FromGGUF returns the tokenizer that the metadata of f describes. Files made
// by llama.cpp are read as their model's tokenizer.json would be: text is
// normalised, and [PADn] tokens, which old files call user-defined, are unused.
// A file without tokenizer.ggml.pre, as old ones are, must be of an MPT model. Where
// there are no types of tokens, they follow from the merges and the spelling.
func FromGGUF(f *gguf.File) (*Tokenizer, error) {
	v, err := vocabFromGGUF(f)
	if err != nil {
		return nil, err
	}
	t, err := New(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return t, nil
}

// vocabFromGGUF reads what Meta writes, and what llama.cpp does.
func vocabFromGGUF(f *gguf.File) (*Vocab, error) {
	r := reader{f: f}
	v := &Vocab{
		Model:        get[string](&r, keyModel),
		Pre:          r.pre(),
		Tokens:       get[[]string](&r, keyTokens),
		EOG:          getOr[[]int32](&r, keyEOG, nil),
		ChatTemplate: getOr(&r, keyChatTemplate, ""),
	}
	for _, id := range v.ids() {
		*id.value = getOr(&r, id.key, None)
	}
	for _, list := range v.lists() {
		*list.ids = getOr[[]int32](&r, list.key, nil)
	}
	r.defaults(v)
	r.model(v)
	for _, name := range getOr[[]string](&r, keyTemplates, nil) {
		if v.Templates == nil {
			v.Templates = map[string]string{}
		}
		v.Templates[name] = get[string](&r, keyChatTemplate+"."+name)
	}
	v.EOG = r.eog(v.EOG)
	if getOr(&r, keyAddEOS, false) {
		r.fail(unsupported("%s: tokenizer: %s is true: prompts that end with eos are not supported", f.Name(), keyAddEOS))
	}
	types := getOr[[]int32](&r, keyTypes, nil)
	if r.err != nil {
		return nil, r.err
	}
	if types == nil {
		v.guessTypes()
	} else {
		v.Types = typesOf(types, v.Tokens)
	}
	return v, nil
}

// defaults gives a file of an MPT model that names neither bos nor eos, as the first
// ones do not, those of the reference's tokenizer: see [Vocab.Configure].
func (r *reader) defaults(v *Vocab) {
	if v.Model != ModelBPE || v.BOS != None || v.EOS != None || getOr(r, "general.architecture", "") != "mpt" {
		return
	}
	if id := slices.Index(v.Tokens, endOfText); id >= 0 {
		v.BOS, v.EOS = id, id
	}
}

// model reads the keys that not all models have. Where they are missing, llama.cpp
// takes the values that the first models of a kind had.
func (r *reader) model(v *Vocab) {
	spm := v.Model == ModelSPM
	v.AddBOS = getOr(r, keyAddBOS, spm && v.BOS != None)
	if !v.sentencepiece() {
		v.Merges = get[[]string](r, keyMerges)
		return
	}
	v.Scores = get[[]float32](r, keyScores)
	v.AddSpacePrefix = getOr(r, keyPrefix, spm)
	v.RemoveExtraSpaces = getOr(r, keyExtraSpaces, false)
	v.Charsmap = r.charsmap()
}

// charsmap returns the table of replacements, which some writers make an array of
// signed bytes.
func (r *reader) charsmap() []byte {
	v, ok := r.f.Value(keyCharsmap)
	if !ok {
		return nil
	}
	signed, ok := v.([]int8)
	if !ok {
		return get[[]uint8](r, keyCharsmap)
	}
	b := make([]byte, len(signed))
	for i, x := range signed {
		b[i] = byte(x)
	}
	return b
}

// typesOf returns the types of tokens; padding that is called user-defined is
// unused.
func typesOf(types []int32, tokens []string) []TokenType {
	out := make([]TokenType, len(types))
	for id, t := range types {
		out[id] = TokenType(t)
		if out[id] == UserDefined && id < len(tokens) && tokens[id] == padText(id) {
			out[id] = Unused
		}
	}
	return out
}

// reader reads keys and keeps the first error.
type reader struct {
	f   *gguf.File
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func get[T gguf.Value](r *reader, key string) T {
	v, err := gguf.Get[T](r.f, key)
	if err != nil {
		r.fail(err)
	}
	return v
}

func getOr[T gguf.Value](r *reader, key string, absent T) T {
	v, err := gguf.GetOr(r.f, key, absent)
	if err != nil {
		r.fail(err)
	}
	return v
}

// pre returns the pre-tokenizer. Files from before April 2024 do not name it; for
// sentencepiece models there is none.
func (r *reader) pre() string {
	if model := getOr(r, keyModel, ""); model == ModelSPM || model == ModelUnigram {
		return getOr(r, keyPre, PreDefault)
	}
	if getOr(r, "general.architecture", "") == "mpt" {
		return getOr(r, keyPre, PreMPT)
	}
	return get[string](r, keyPre)
}

// eog adds to ids those that end a turn or a message under keys of their own.
func (r *reader) eog(ids []int32) []int32 {
	for _, key := range []string{keyEOT, keyEOM} {
		id := getOr[int32](r, key, None)
		if id != None && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
