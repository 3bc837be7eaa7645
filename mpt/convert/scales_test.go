package convert

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"mptgo/gguf"
	"mptgo/internal/check"
)

func TestPowerOfTwo(t *testing.T) {
	for _, c := range []struct {
		x, unit float64
		factor  float32
		ok      bool
	}{
		{1, 1, 1, true},
		{0.5, 1, 0.5, true},
		{1.0 / 64, 1, 1.0 / 64, true},
		{0.1, 1, 0.125, false},
		{0.09449111825230679, 1 / math.Sqrt(112), 1, true}, // the default, written out
		{0.0944911, 1 / math.Sqrt(112), 1, false},
		{2 / math.Sqrt(80), 1 / math.Sqrt(80), 2, true},
		{1 << 20, 1, 1, false},
		{-1, 1, 1, false},
	} {
		factor, ok := powerOfTwo(c.x, c.unit)
		if ok != c.ok || ok && factor != c.factor {
			t.Errorf("powerOfTwo(%v, %v) = %v, %v", c.x, c.unit, factor, ok)
		}
	}
}

// scaleCase is a configuration and what must become of its scales.
type scaleCase struct {
	name, from string
	fields     map[string]any
	query      float32 // factor of the query rows
	norm       float32 // factor of output_norm
	softmax    float32 // mpt.attention.scale, 0 if it must be absent
	logit      float32 // mpt.logit_scale, 0 if it must be absent
}

// hf-tiny has d_model 64 in 4 heads of 16: the usual scale is 0.25.
var scaleCases = []scaleCase{
	{"none", "hf-tiny", nil, 1, 1, 0, 0},
	{"usual softmax scale", "hf-tiny", map[string]any{"attn_config.softmax_scale": 0.25}, 1, 1, 0, 0},
	{"twice the softmax scale", "hf-tiny", map[string]any{"attn_config.softmax_scale": 0.5}, 2, 1, 0, 0},
	{"twice, in bf16", "hf-bf16-bin", map[string]any{"attn_config.softmax_scale": 0.5}, 2, 1, 0, 0},
	{"odd softmax scale", "hf-softmax-scale", nil, 1, 1, 0.21, 0},
	{"twice, clipped", "hf-tiny", map[string]any{"attn_config.softmax_scale": 0.5, "attn_config.clip_qkv": 6}, 1, 1, 0.5, 0},
	{"usual, clipped", "hf-tiny", map[string]any{"attn_config.softmax_scale": 0.25, "attn_config.clip_qkv": 6}, 1, 1, 0, 0},
	{"logit scale by name", "hf-tiny", map[string]any{"logit_scale": "inv_sqrt_d_model"}, 1, 0.125, 0, 0},
	{"logit scale 2", "hf-tiny", map[string]any{"logit_scale": 2}, 1, 2, 0, 0},
	{"odd logit scale", "hf-tiny", map[string]any{"logit_scale": 0.3}, 1, 1, 0, 0.3},
	{"both odd", "hf-tiny", map[string]any{"logit_scale": 0.3, "attn_config.softmax_scale": 0.3}, 1, 1, 0.3, 0.3},
}

func TestScales(t *testing.T) {
	for _, c := range scaleCases {
		t.Run(c.name, func(t *testing.T) {
			dir := modified(t, c.from, c.fields)
			ck := openCase(t, dir)
			f := mustConvert(t, dir, Options{Type: "F32"})
			checkScaleKeys(t, f, c)
			norm := sourceFloats(t, ck, "norm_f.weight")
			multiply(norm, c.norm)
			if !bytes.Equal(mustTensor(t, f, "output_norm.weight").Data(), floatBytes(norm)) {
				t.Error("output_norm is not the scaled norm_f")
			}
			qkv := sourceFloats(t, ck, "blocks.1.attn.Wqkv.weight")
			multiply(qkv[:64*64], c.query)
			if !bytes.Equal(mustTensor(t, f, "blk.1.attn_qkv.weight").Data(), floatBytes(qkv)) {
				t.Error("attn_qkv is not Wqkv with scaled queries")
			}
		})
	}
}

func multiply(v []float32, factor float32) {
	for i := range v {
		v[i] *= factor
	}
}

// checkScaleKeys checks the keys, and that a file which needs them withholds the
// one that other readers require.
func checkScaleKeys(t *testing.T, f *gguf.File, c scaleCase) {
	t.Helper()
	var features []string
	for _, k := range []struct {
		key, feature string
		want         float32
	}{{"mpt.attention.scale", "softmax_scale", c.softmax}, {"mpt.logit_scale", "logit_scale", c.logit}} {
		if got, err := gguf.GetOr(f, k.key, float32(0)); err != nil || got != k.want {
			t.Errorf("%s is %v, want %v: %v", k.key, got, k.want, err)
		}
		if k.want != 0 {
			features = append(features, k.feature)
		}
	}
	if got, err := gguf.GetOr(f, "mpt.ext.features", []string(nil)); err != nil || !slices.Equal(got, features) {
		t.Errorf("features %q, want %q: %v", got, features, err)
	}
	usual, ext := "mpt.attention.max_alibi_bias", "mpt.ext.max_alibi_bias"
	if features != nil {
		usual, ext = ext, usual
	}
	if got := mustGet[float32](t, f, usual); got != 8 {
		t.Errorf("%s is %v", usual, got)
	}
	if _, ok := f.Value(ext); ok {
		t.Errorf("%s is there too", ext)
	}
}

// TestLogitScaleCase has both scales, and a clip that keeps one from being baked.
func TestLogitScaleCase(t *testing.T) {
	f := mustConvert(t, check.Shared(t, "testdata", "cases", "lf-logit-scale"), Options{Type: "F32"})
	if s := mustGet[float32](t, f, "mpt.attention.scale"); s != 0.2 {
		t.Errorf("softmax scale %v", s)
	}
	if s := mustGet[float32](t, f, "mpt.logit_scale"); s != float32(1/math.Sqrt(96)) {
		t.Errorf("logit scale %v", s)
	}
	if b := mustGet[float32](t, f, "mpt.ext.max_alibi_bias"); b != 16 {
		t.Errorf("bias %v", b)
	}
}

func TestNoALiBi(t *testing.T) {
	dir := modified(t, "hf-tiny", map[string]any{"attn_config.alibi": false, "learned_pos_emb": false})
	if b := mustGet[float32](t, mustConvert(t, dir, Options{Type: "F16"}), "mpt.attention.max_alibi_bias"); b != 0 {
		t.Errorf("a model without positions has max_alibi_bias %v", b)
	}
}
