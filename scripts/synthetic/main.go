// Command synthetic writes a HuggingFace checkpoint of an MPT shape with random
// weights, so that conversion can be measured at full size without downloading a
// model. For a GGUF file to measure inference with, see mpt-quantize --synthetic.
//
//	go run ./scripts/synthetic -shape mpt-7b -o /tmp/mpt-7b
//
// With -lora it writes a LoRA adapter for such a model, as PEFT would: of that rank, for all
// matrices of the blocks.
//
//	go run ./scripts/synthetic -shape mpt-7b -lora 16 -seed 1 -o /tmp/adapter-1
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"mptgo/mpt/convert"
)

// vocab is the number of rows of the embedding.
const vocab = 50432

// tensor is a row of a shard's header.
type tensor struct {
	name  string
	shape []int
}

func main() {
	name := flag.String("shape", "mpt-1b", "mpt-1b, mpt-7b, mpt-30b, or D,H,L")
	out := flag.String("o", "", "folder to write")
	shardBytes := flag.Int64("shard", 10_000_000_000, "largest size of a shard in bytes")
	rank := flag.Int("lora", 0, "write an adapter of this rank")
	seed := flag.Uint64("seed", 0, "of an adapter")
	flag.Parse()
	err := run(*name, *out, *shardBytes, *rank, *seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "synthetic:", err)
		os.Exit(1)
	}
}

func run(name, out string, shardBytes int64, rank int, seed uint64) error {
	s, err := convert.ParseShape(name)
	if err != nil {
		return err
	}
	if out == "" {
		return fmt.Errorf("give the folder to write with -o")
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	if rank > 0 {
		return writeAdapter(out, s, rank, seed)
	}
	for file, v := range map[string]any{
		"config.json": config(s), "tokenizer.json": byteTokenizer(),
		"generation_config.json": map[string]any{"eos_token_id": 0},
	} {
		if err := writeJSON(filepath.Join(out, file), v); err != nil {
			return err
		}
	}
	return writeShards(out, tensors(s), shardBytes)
}

// writeAdapter writes A and B for every matrix of the blocks.
func writeAdapter(dir string, s convert.Shape, rank int, seed uint64) error {
	var pairs []tensor
	for _, t := range tensors(s) {
		if len(t.shape) != 2 || !strings.Contains(t.name, ".blocks.") {
			continue
		}
		p := "base_model.model." + strings.TrimSuffix(t.name, ".weight")
		pairs = append(pairs,
			tensor{p + ".lora_A.weight", []int{rank, t.shape[1]}}, tensor{p + ".lora_B.weight",
				[]int{t.shape[0], rank}})
	}
	config := map[string]any{"peft_type": "LORA", "r": rank, "lora_alpha": rank,
		"target_modules": []string{"Wqkv", "out_proj", "up_proj", "down_proj"}}
	if err := writeJSON(filepath.Join(dir, "adapter_config.json"), config); err != nil {
		return err
	}
	return writeShard(filepath.Join(dir, "adapter_model.safetensors"), pairs, seed)
}

func config(s convert.Shape) map[string]any {
	return map[string]any{
		"architectures": []string{"MPTForCausalLM"}, "model_type": "mpt", "d_model": s.DModel, "n_heads": s.Heads,
		"n_layers": s.Layers, "vocab_size": vocab, "max_seq_len": s.Context, "expansion_ratio": 4, "no_bias": true,
		"norm_type": "low_precision_layernorm", "torch_dtype": "bfloat16",
		"attn_config": map[string]any{"alibi": true, "alibi_bias_max": 8, "attn_type": "multihead_attention"},
	}
}

// byteTokenizer is a vocabulary of the bytes of UTF-8 and the two special
// tokens, without merges.
func byteTokenizer() map[string]any {
	vocab := map[string]int{"<|endoftext|>": 0, "<|padding|>": 1}
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !(b >= 0x21 && b <= 0x7e || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		vocab[string(r)] = 2 + b
	}
	added := func(id int, text string) map[string]any {
		return map[string]any{"id": id, "content": text, "special": true, "normalized": false,
			"single_word": false, "lstrip": false, "rstrip": false}
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil,
		"added_tokens":  []any{added(0, "<|endoftext|>"), added(1, "<|padding|>")},
		"normalizer":    map[string]any{"type": "NFC"},
		"pre_tokenizer": byteLevel, "post_processor": byteLevel, "decoder": byteLevel,
		"model": map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}},
	}
}

func tensors(s convert.Shape) []tensor {
	ts := []tensor{{"transformer.wte.weight", []int{vocab, s.DModel}}}
	for i := range s.Layers {
		p := fmt.Sprintf("transformer.blocks.%d.", i)
		ts = append(ts,
			tensor{p + "norm_1.weight", []int{s.DModel}},
			tensor{p + "attn.Wqkv.weight", []int{3 * s.DModel, s.DModel}},
			tensor{p + "attn.out_proj.weight", []int{s.DModel, s.DModel}},
			tensor{p + "norm_2.weight", []int{s.DModel}},
			tensor{p + "ffn.up_proj.weight", []int{4 * s.DModel, s.DModel}},
			tensor{p + "ffn.down_proj.weight", []int{s.DModel, 4 * s.DModel}},
		)
	}
	return append(ts, tensor{"transformer.norm_f.weight", []int{s.DModel}})
}

// bytes returns the size of the tensor in bfloat16.
func (t tensor) bytes() int64 {
	n := int64(2)
	for _, d := range t.shape {
		n *= int64(d)
	}
	return n
}

// writeShards writes the tensors in bfloat16 and the index of the shards.
func writeShards(dir string, ts []tensor, limit int64) error {
	var shards [][]tensor
	var size, total int64
	for _, t := range ts {
		if shards == nil || size+t.bytes() > limit {
			shards = append(shards, nil)
			size = 0
		}
		last := len(shards) - 1
		shards[last] = append(shards[last], t)
		size += t.bytes()
		total += t.bytes()
	}
	weightMap := map[string]string{}
	for i, shard := range shards {
		file := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		for _, t := range shard {
			weightMap[t.name] = file
		}
		if err := writeShard(filepath.Join(dir, file), shard, uint64(i)); err != nil {
			return err
		}
	}
	return writeJSON(filepath.Join(dir, "model.safetensors.index.json"),
		map[string]any{"metadata": map[string]any{"total_size": total}, "weight_map": weightMap})
}

func writeShard(path string, ts []tensor, seed uint64) error {
	header := map[string]any{}
	var at int64
	for _, t := range ts {
		header[t.name] = map[string]any{"dtype": "BF16", "shape": t.shape, "data_offsets": []int64{at, at + t.bytes()}}
		at += t.bytes()
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	binary.Write(w, binary.LittleEndian, uint64(len(text)))
	w.Write(text)
	r := rand.New(rand.NewPCG(seed, 7))
	noise := gaussians(r)
	for _, t := range ts {
		if err := writeTensor(w, t, r, noise); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// gaussians returns bfloat16 values of standard deviation 0.02. Drawing every
// weight of a large model would take longer than writing it, so tensors take
// pieces of this from random places.
func gaussians(r *rand.Rand) []byte {
	b := make([]byte, 16<<20)
	for i := 0; i < len(b); i += 2 {
		binary.LittleEndian.PutUint16(b[i:], uint16(math.Float32bits(float32(r.NormFloat64()*0.02))>>16))
	}
	return b
}

func writeTensor(w *bufio.Writer, t tensor, r *rand.Rand, noise []byte) error {
	if len(t.shape) == 1 { // a norm
		for range t.shape[0] {
			if err := binary.Write(w, binary.LittleEndian, uint16(math.Float32bits(1)>>16)); err != nil {
				return err
			}
		}
		return nil
	}
	for left := t.bytes(); left > 0; {
		from := r.IntN(len(noise)/2/2) * 2
		n := min(left, int64(len(noise)-from))
		if _, err := w.Write(noise[from : from+int(n)]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o666)
}
