package mpt_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mptgo/mpt/checkpoint"
)

// factor returns a tensor of float32, such as adapters have.
func factor(name string, shape []int, values []float32) forged {
	return forged{name, "F32", shape, values}
}

// writeSafetensors writes tensors of float32.
func writeSafetensors(t testing.TB, path string, tensors ...forged) {
	t.Helper()
	header, data := map[string]any{}, []byte{}
	for _, x := range tensors {
		from := len(data)
		for _, v := range x.values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		header[x.name] = map[string]any{"dtype": "F32", "shape": x.shape, "data_offsets": []int{from, len(data)}}
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(h)))
	if err := os.WriteFile(path, append(append(b, h...), data...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// forgeAdapter makes an adapter of rank 3 for every matrix of the blocks of a checkpoint
// and, if it is wanted, for the embedding and the output matrix.
func forgeAdapter(t testing.TB, dir string, embedding bool) string {
	t.Helper()
	ck, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	r := rand.New(rand.NewPCG(3, 3))
	const rank = 3
	var tensors []forged
	add := func(name string, rows, cols int, size float64) {
		x := factor("base_model.model.transformer."+name, []int{rows, cols}, make([]float32, rows*cols))
		for i := range x.values {
			x.values[i] = float32(r.NormFloat64() * size)
		}
		tensors = append(tensors, x)
	}
	for _, x := range ck.Tensors() {
		module, ok := strings.CutSuffix(x.Name, ".weight")
		switch {
		case !ok || len(x.Shape) != 2 || module == "wpe":
		case module == "wte" && embedding:
			add("wte.lora_embedding_A", rank, x.Shape[0], 0.02)
			add("wte.lora_embedding_B", x.Shape[1], rank, 0.5)
		case strings.HasPrefix(module, "blocks.") || module == "lm_head" && embedding:
			add(module+".lora_A.weight", rank, x.Shape[1], 1/math.Sqrt(float64(x.Shape[1])))
			add(module+".lora_B.weight", x.Shape[0], rank, 0.02)
		}
	}
	return forgeFolder(t, map[string]any{"peft_type": "LORA", "r": rank, "lora_alpha": 4, "use_rslora": true}, tensors...)
}

// forgeFolder makes an adapter's folder.
func forgeFolder(t testing.TB, config map[string]any, tensors ...forged) string {
	t.Helper()
	to := t.TempDir()
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "adapter_config.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	writeSafetensors(t, filepath.Join(to, "adapter_model.safetensors"), tensors...)
	return to
}
