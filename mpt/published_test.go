package mpt_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
	"mptgo/mpt"
	"mptgo/mpt/chat"
	"mptgo/mpt/convert"
	"mptgo/mpt/tokenizer"
)

// published is a checkpoint of the family as it was published: the configuration,
// the names of its tensors and its files, small in width and depth.
type published struct {
	name   string // of the folder, from which the prompt format may follow
	heads  int
	vocab  int // rows of the embedding
	native bool

	config string // further fields of config.json
	attn   string // further fields of attn_config
	alibi  float32
	clip   float32
	logit  float64 // factor of the logits that the file calls for

	dtype  string // of its weights
	shards int    // files; negative: torch .bin
	naming string // "old": the names of MosaicGPT

	tokenizer string // "neox", "chatml", or a model of sentencepiece under a name
	chat      string // the format that it is talked to in
}

// publishedModels are the checkpoints that are known, but for those whose
// configuration is not.
var publishedModels = []published{
	{name: "mpt-1b-redpajama-200b", heads: 16, vocab: 512, alibi: 8, config: mosaicGPT, dtype: "F32", shards: -1, naming: "old", tokenizer: "neox", chat: "raw"},
	{name: "mpt-1b-redpajama-200b-dolly", heads: 16, vocab: 512, alibi: 8, config: mosaicGPT, dtype: "F32", shards: -1, naming: "old", tokenizer: "neox", chat: "mpt-instruct"},
	{name: "mpt-7b", heads: 32, vocab: 512, alibi: 8, dtype: "BF16", shards: -2, tokenizer: "neox", chat: "raw"},
	{name: "mpt-7b-instruct", heads: 32, vocab: 512, alibi: 8, dtype: "BF16", shards: -2, tokenizer: "neox", chat: "mpt-instruct"},
	{name: "mpt-7b-chat", heads: 32, vocab: 512, alibi: 8, dtype: "BF16", shards: -2, tokenizer: "chatml", chat: "mpt-7b-chat"},
	{name: "mpt-7b-storywriter", heads: 32, vocab: 512, alibi: 16, clip: 6, dtype: "BF16", shards: -2, tokenizer: "neox", chat: "raw"},
	{name: "mpt-7b-8k", heads: 32, vocab: 512, alibi: 8, dtype: "BF16", shards: -2, tokenizer: "neox", chat: "raw"},
	{name: "mpt-7b-8k-instruct", heads: 32, vocab: 512, alibi: 8, dtype: "BF16", shards: -2, tokenizer: "neox", chat: "mpt-30b-instruct"},
	{name: "mpt-7b-8k-chat", heads: 32, vocab: 512, alibi: 8, dtype: "BF16", shards: -2, tokenizer: "chatml", chat: "mpt-30b-chat"},
	{name: "mpt-30b", heads: 64, vocab: 512, alibi: 8, dtype: "BF16", shards: -3, tokenizer: "neox", chat: "raw"},
	{name: "mpt-30b-instruct", heads: 64, vocab: 512, alibi: 8, dtype: "BF16", shards: 3, tokenizer: "neox", chat: "mpt-30b-instruct"},
	{name: "mpt-30b-chat", heads: 64, vocab: 512, alibi: 8, dtype: "BF16", shards: 3, tokenizer: "chatml", chat: "mpt-30b-chat"},
	{name: "mpt-30b-instruct-peft-compatible", heads: 64, vocab: 512, alibi: 8, dtype: "BF16", shards: -3, tokenizer: "neox", chat: "mpt-30b-instruct"},
	{name: "mpt-7b-bf16-sharded", heads: 32, vocab: 512, alibi: 8, native: true, attn: `, "eos_token_id": null, "id2label": {"0": "LABEL_0"}, "torch_dtype": null`, dtype: "BF16", shards: -3, tokenizer: "neox", chat: "raw"},
	{name: "replit-code-v1-3b", heads: 32, vocab: 640, alibi: 8, dtype: "F32", shards: -1, tokenizer: "spiece.model", chat: "raw"},
	{name: "Replit-v1-CodeInstruct-3B", heads: 32, vocab: 641, alibi: 8, dtype: "F32", shards: -2, tokenizer: "spiece.model", chat: "raw"},
	{name: "sea-lion-3b", heads: 20, vocab: 1000, config: `, "no_bias": false`, dtype: "F16", shards: 1, tokenizer: "tokenizer.model", chat: "raw"},
	{name: "sea-lion-7b", heads: 32, vocab: 1000, config: seaLion7B, attn: `, "qk_ln": true`, logit: 1.0 / 16, dtype: "BF16", shards: 2, tokenizer: "tokenizer.model", chat: "raw"},
	{name: "sea-lion-7b-instruct", heads: 32, vocab: 1000, config: seaLion7B, attn: `, "qk_ln": true`, logit: 1.0 / 16, dtype: "BF16", shards: 2, tokenizer: "tokenizer.model", chat: "sealion"},
	{name: "krutrim-like", heads: 32, vocab: 512, alibi: 8, attn: `, "attn_type": "grouped_query_attention", "kv_n_heads": 8`, dtype: "BF16", shards: 2, tokenizer: "neox", chat: "raw"},
	{name: "openflamingo-mpt-7b", heads: 32, vocab: 512, alibi: 8, dtype: "BF16", shards: -2, tokenizer: "neox", chat: "raw"},
	{name: "mpt-mini-shakespeare", heads: 8, vocab: 512, alibi: 8, dtype: "F32", shards: -1, naming: "old", tokenizer: "neox", chat: "raw"},
}

const (
	mosaicGPT = `, "attn_qk_ln": true, "mlp_ratio": 4, "low_precision_layernorm": true`
	seaLion7B = `, "no_bias": false, "logit_scale": "inv_sqrt_d_model", "embedding_fraction": 0.1`
)

// headDim is the size of the heads of these models; the reference's scale of the
// logits, 1/√(heads·headDim), is a power of two for 32 heads.
const headDim = 8

func (p *published) width() int   { return p.heads * headDim }
func (p *published) mosaic() bool { return p.config == mosaicGPT }

// write makes the checkpoint.
func (p *published) write(t *testing.T, dir string) {
	t.Helper()
	p.writeConfig(t, dir)
	p.writeTokenizer(t, dir)
	c := newForge(p)
	c.write(t, dir, p.shards)
}

func (p *published) writeConfig(t *testing.T, dir string) {
	attn := fmt.Sprintf(`"alibi": %v, "alibi_bias_max": %v, "attn_impl": "torch", "attn_pdrop": 0, "prefix_lm": false, "softmax_scale": null`,
		p.alibi > 0, max(p.alibi, 8))
	config := fmt.Sprintf(`{"d_model": %d, "n_heads": %d, "n_layers": 2, "max_seq_len": 64, "vocab_size": %d, "expansion_ratio": 4,
		"learned_pos_emb": true, "init_device": "cpu", "resid_pdrop": 0, "emb_pdrop": 0, "use_cache": false`, p.width(), p.heads, p.vocab)
	switch {
	case p.mosaic():
		config += `, "model_type": "mosaic_gpt", "architectures": ["MosaicGPT"], "attn_clip_qkv": null, "no_bias": true, ` + attn + p.config
	case p.native:
		config += `, "model_type": "mpt", "architectures": ["MptForCausalLM"], "layer_norm_epsilon": 1e-05, "no_bias": true, "torch_dtype": "bfloat16"` + p.config
	default:
		config += `, "model_type": "mpt", "architectures": ["MPTForCausalLM"], "auto_map": {"AutoModelForCausalLM": "modeling_mpt.MPTForCausalLM"},
			"norm_type": "low_precision_layernorm", "verbose": 0, "tokenizer_name": "EleutherAI/gpt-neox-20b"` + p.config
		if !strings.Contains(p.config, "no_bias") {
			config += `, "no_bias": true`
		}
	}
	if !p.mosaic() {
		clip := "null"
		if p.clip > 0 {
			clip = fmt.Sprint(p.clip)
		}
		if !strings.Contains(p.attn, "attn_type") {
			attn += `, "attn_type": "multihead_attention"`
		}
		config += `, "attn_config": {` + attn + `, "attn_uses_sequence_id": false, "clip_qkv": ` + clip + p.attn + `}`
	}
	put(t, dir, "config.json", []byte(config+"}"))
}

func put(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p *published) writeTokenizer(t *testing.T, dir string) {
	t.Helper()
	switch p.tokenizer {
	case "spiece.model":
		put(t, dir, "spiece.model", readFile(t, "tokenizer", "testdata", "sentencepiece", "unigram-bytes.model"))
		put(t, dir, "special_tokens_map.json", []byte(`{"eos_token": "<|endoftext|>", "unk_token": "<unk>"}`))
		if p.vocab%2 == 1 { // as fine-tuning adds one
			put(t, dir, "added_tokens.json", []byte(`{"[PAD]": 620}`))
		}
		return
	case "tokenizer.model":
		put(t, dir, "tokenizer.model", readFile(t, "tokenizer", "testdata", "sentencepiece", "bpe.model"))
		put(t, dir, "tokenizer_config.json", []byte(`{"add_bos_token": false, "add_eos_token": false, "eos_token": "<|endoftext|>", "pad_token": "<|pad|>", "unk_token": "<unk>"}`))
		return
	}
	var file map[string]any
	if err := json.Unmarshal(readFile(t, "tokenizer", "testdata", "tiny.tokenizer.json"), &file); err != nil {
		t.Fatal(err)
	}
	generation := `{"eos_token_id": 0}`
	if p.tokenizer == "chatml" {
		for i, text := range []string{"<|im_start|>", "<|im_end|>"} {
			file["added_tokens"] = append(file["added_tokens"].([]any), map[string]any{"id": 500 + i, "content": text, "special": true,
				"single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
		}
		generation = `{"eos_token_id": [0, 501]}`
	}
	b, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "tokenizer.json", b)
	put(t, dir, "generation_config.json", []byte(generation))
	put(t, dir, "special_tokens_map.json", []byte(`{"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}`))
	put(t, dir, "tokenizer_config.json", []byte(`{"add_prefix_space": false, "tokenizer_class": "GPTNeoXTokenizer"}`))
}

// Every published checkpoint: from its files to a chat.
func TestPublishedCheckpoints(t *testing.T) {
	if check.Race {
		t.Skip("its sessions run one after the other")
	}
	for _, p := range publishedModels {
		t.Run(p.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), p.name)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			p.write(t, dir)
			m := opened(t, convertAs(t, dir, "F32"), mpt.Threads(1), mpt.Exact())
			p.checkConfig(t, m)
			p.checkTokenizer(t, m, dir)
			p.checkChat(t, m)
			p.checkLogits(t, m, dir)
			opened(t, convertAs(t, dir, "Q8_0"))
		})
	}
}

func convertAs(t *testing.T, dir, typ string) string {
	t.Helper()
	out := filepath.Join(filepath.Dir(dir), filepath.Base(dir)+"-"+typ+".gguf")
	if _, err := convert.Convert(context.Background(), dir, out, convert.Options{Type: typ}); err != nil {
		t.Fatal(err)
	}
	return out
}

func (p *published) checkConfig(t *testing.T, m *mpt.Model) {
	t.Helper()
	c := m.Config()
	kv := p.heads
	if strings.Contains(p.attn, "kv_n_heads") {
		kv = 8
	}
	_, positions := m.File().Tensor("position_embd.weight")
	_, bias := m.File().Tensor("blk.1.ffn_down.bias")
	_, norm := m.File().Tensor("blk.1.attn_q_norm.weight")
	if c.Name != p.name || c.Embedding != p.width() || c.Heads != p.heads || c.KVHeads != kv || c.Layers != 2 || c.Vocab != p.vocab || c.Context != 64 ||
		c.AlibiMax != p.alibi || c.ClipQKV != p.clip || c.FFN != 4*p.width() || c.Eps != 1e-5 || c.Activation != "gelu" {
		t.Errorf("configuration %+v", c)
	}
	if positions != (p.alibi == 0) || bias != strings.Contains(p.config, `"no_bias": false`) || norm != strings.Contains(p.config+p.attn, "qk_ln") {
		t.Errorf("positions %v, bias %v, norm of queries %v", positions, bias, norm)
	}
	// All of these run in llama.cpp: the file must not keep it from that.
	if _, err := gguf.Get[float32](m.File(), "mpt.attention.max_alibi_bias"); err != nil {
		t.Error(err)
	}
}

// checkTokenizer compares the ids with those of the checkpoint's own files.
func (p *published) checkTokenizer(t *testing.T, m *mpt.Model, dir string) {
	t.Helper()
	v, err := convert.ReadVocabulary(dir, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	own, err := tokenizer.New(v)
	if err != nil {
		t.Fatal(err)
	}
	const text = "Once upon a time\n    there was é☃ <|im_end|> <|endoftext|>[PAD]"
	for _, opt := range []tokenizer.EncodeOptions{{AddSpecial: true}, {ParseSpecial: true}, {Continue: true}} {
		got, want := m.Tokenizer().Encode(text, opt), own.Encode(text, opt)
		if !slices.Equal(got, want) || len(got) < 5 {
			t.Errorf("%+v: ids %v, want %v", opt, got, want)
		}
	}
	eog := []int32{0}
	switch p.tokenizer {
	case "chatml":
		eog = []int32{0, 501}
	case "spiece.model", "tokenizer.model":
		eog = []int32{1}
	}
	if got := m.Tokenizer().EOGs(); !slices.Equal(got, eog) || m.Tokenizer().Size() != p.vocab {
		t.Errorf("ends of generation %v, want %v; %d tokens", got, eog, m.Tokenizer().Size())
	}
}

func (p *published) checkChat(t *testing.T, m *mpt.Model) {
	t.Helper()
	tok := m.Tokenizer()
	c := chat.Model{Name: m.Config().Name, Template: tok.ChatTemplate(), Has: func(s string) bool { _, ok := tok.ID(s); return ok }}
	f, err := c.Detect()
	if err != nil || f.Name != p.chat {
		t.Fatalf("chat format %v, %v, want %s", f, err, p.chat)
	}
	pieces, err := f.Render([]chat.Message{{Role: chat.User, Content: "Hello"}}, true)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int32
	for _, x := range pieces {
		ids = tok.AppendEncode(ids, x.Text, tokenizer.EncodeOptions{ParseSpecial: x.Special})
	}
	s := session(t, m, mpt.ContextSize(0))
	if ids = ids[max(0, len(ids)-40):]; len(greedy(t, m, ids, 4)) != 4 || s == nil {
		t.Errorf("no answer to %v", ids)
	}
}

// checkLogits holds the logits against those of the same checkpoint in other files:
// one file of safetensors, in float32, with today's names. The scale of the logits,
// a power of two, is exact.
func (p *published) checkLogits(t *testing.T, m *mpt.Model, dir string) {
	t.Helper()
	q := *p
	q.shards, q.naming = 1, ""
	if p.mosaic() {
		q.config, q.attn = "", `, "qk_ln": true`
	}
	q.config = strings.Replace(q.config, `, "logit_scale": "inv_sqrt_d_model"`, "", 1)
	plain := filepath.Join(filepath.Dir(dir), "plain")
	if err := os.Mkdir(plain, 0o755); err != nil {
		t.Fatal(err)
	}
	q.writeConfig(t, plain)
	q.writeTokenizer(t, plain)
	c := newForge(p) // the same weights, rounded to the same type
	c.widen()
	c.naming = ""
	c.write(t, plain, 1)
	ids := []int32{3, 100, 7, 250, 9, 33, 2}
	got, want := allLogits(t, m, ids), allLogits(t, opened(t, convertAs(t, plain, "F32"), mpt.Threads(1), mpt.Exact()), ids)
	scale := float32(1)
	if p.logit != 0 {
		scale = float32(p.logit)
	}
	for i := range want {
		for j, w := range want[i] {
			if x := got[i][j]; x != w*scale || math.IsNaN(float64(x)) {
				t.Fatalf("logit %d of token %d is %v, want %v", j, i, x, w*scale)
			}
		}
	}
}

// Scales of AWQ divide the activations: with the columns of the next matrix multiplied
// by them, powers of two, nothing changes.
func TestAWQScales(t *testing.T) {
	p := publishedModels[2]
	var want [][]float32
	for _, scaled := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), p.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		p.writeConfig(t, dir)
		p.writeTokenizer(t, dir)
		c := newForge(&p)
		c.widen()
		if scaled {
			c.scaleActivations()
		}
		c.write(t, dir, 1)
		got := allLogits(t, opened(t, convertAs(t, dir, "F32"), mpt.Exact()), []int32{5, 6, 7})
		if !scaled {
			want = got
			continue
		}
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Errorf("other logits after token %d", i)
			}
		}
	}
}
