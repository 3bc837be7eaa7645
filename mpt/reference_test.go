package mpt_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// object is a part of a config.json.
type object map[string]any

// num, str, yes and sub return a field, or what absent fields mean.
func (o object) num(key string, absent float64) float64 {
	if x, ok := o[key].(float64); ok {
		return x
	}
	return absent
}

func (o object) str(key, absent string) string {
	if x, ok := o[key].(string); ok {
		return x
	}
	return absent
}

func (o object) yes(key string) bool { x, _ := o[key].(bool); return x }

func (o object) sub(key string) object { x, _ := o[key].(map[string]any); return x }

// reference computes what llm-foundry's MPT does, as plainly as can be, in float64,
// straight from config.json and the tensors of a checkpoint. It shares nothing with
// the code under test, and is itself held against the logits of the reference cases.
type reference struct {
	config, attn object
	layers       []object // attn_config of each layer, overrides applied
	weights      map[string][]float64
	d, h, k, size, f,
	vocab int
}

func newReference(config object, weights map[string][]float64) *reference {
	r := &reference{config: config, attn: config.sub("attn_config"), weights: weights}
	r.d, r.h = int(config.num("d_model", 2048)), int(config.num("n_heads", 16))
	r.size = int(config.num("head_dim", float64(r.d/r.h)))
	switch r.attn.str("attn_type", "multihead_attention") {
	case "multiquery_attention":
		r.k = 1
	case "grouped_query_attention":
		r.k = int(r.attn.num("kv_n_heads", 0))
	default:
		r.k = r.h
	}
	r.f = int(config.sub("ffn_config").num("ffn_hidden_size", float64(r.d)*config.num("expansion_ratio", 4)))
	r.vocab = len(weights["wte.weight"]) / r.d
	r.layers = r.overridden()
	return r
}

// order returns the names that an order of block_overrides stands for.
func (o object) order() (names []string) {
	list, _ := o["order"].([]any)
	for _, x := range list {
		item := object(x.(map[string]any))
		part := append(item.order(), item.str("name", ""))
		if item["order"] != nil {
			part = part[:len(part)-1]
		}
		names = append(names, slices.Repeat(part, int(item.num("repeat", 1)))...)
	}
	return names
}

// overridden returns the attention's fields by layer.
func (r *reference) overridden() (layers []object) {
	blocks := r.config.sub("block_overrides")
	names := blocks.order()
	for i := range int(r.config.num("n_layers", 24)) {
		a := object{}
		for k, v := range r.attn {
			a[k] = v
		}
		if names != nil {
			for k, v := range blocks.sub("overrides").sub(names[i]).sub("attn_config") {
				a[k] = v
			}
		}
		layers = append(layers, a)
	}
	return layers
}

// linear returns x times the matrix of that name, of the given number of rows, plus
// its bias.
func (r *reference) linear(name string, rows int, x []float64) []float64 {
	w, b := r.weights[name+".weight"], r.weights[name+".bias"]
	if len(w) != rows*len(x) {
		panic(fmt.Sprintf("%s has %d weights, not %d x %d", name, len(w), rows, len(x)))
	}
	y := make([]float64, rows)
	for i := range y {
		for j, v := range x {
			y[i] += w[i*len(x)+j] * v
		}
		if b != nil {
			y[i] += b[i]
		}
	}
	return y
}

// norm is a layer norm or an RMS norm; o says which.
func (r *reference) norm(name string, o object, x []float64) []float64 {
	w, b := r.weights[name+".weight"], r.weights[name+".bias"]
	eps := o.num("norm_eps", o.num("layer_norm_epsilon", 1e-5))
	mean, square := 0.0, 0.0
	if !strings.Contains(strings.ToLower(o.str("norm_type", "")), "rms") {
		for _, v := range x {
			mean += v / float64(len(x))
		}
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v - mean) / math.Sqrt(square+eps) * w[i]
		if b != nil {
			y[i] += b[i]
		}
	}
	return y
}

// logits returns those after every token.
func (r *reference) logits(ids []int32) [][]float64 {
	x := make([][]float64, len(ids))
	for p, id := range ids {
		x[p] = slices.Clone(r.weights["wte.weight"][int(id)*r.d:][:r.d])
		if wpe := r.weights["wpe.weight"]; wpe != nil {
			add(x[p], wpe[p*r.d:][:r.d])
		}
	}
	keys, values := make([][][]float64, len(r.layers)), make([][][]float64, len(r.layers))
	for i := range r.layers {
		r.block(i, x, keys, values)
	}
	rows := make([][]float64, len(ids))
	for p := range x {
		rows[p] = r.head(r.norm("norm_f", r.config, x[p]))
	}
	return rows
}

func (r *reference) head(x []float64) []float64 {
	w := r.weights["wte.weight"]
	if tied, ok := r.config["tie_word_embeddings"].(bool); ok && !tied {
		w = r.weights["lm_head.weight"]
	}
	scale := r.config.num("logit_scale", 1)
	if r.config.str("logit_scale", "") == "inv_sqrt_d_model" {
		scale = 1 / math.Sqrt(float64(r.d))
	}
	y := make([]float64, r.vocab)
	for i := range y {
		y[i] = scale * dot(w[i*r.d:][:r.d], x)
		if c := r.config.num("final_logit_softcapping", 0); c > 0 {
			y[i] = c * math.Tanh(y[i]/c)
		}
	}
	return y
}

// block changes x, a row for each token, as layer i does.
func (r *reference) block(i int, x [][]float64, keys, values [][][]float64) {
	name, a := fmt.Sprintf("blocks.%d.", i), r.layers[i]
	queries := make([][]float64, len(x))
	for p := range x {
		h := r.norm(name+"norm_1", r.config, x[p])
		q, k, v := r.project(name+"attn.", a, h)
		queries[p] = r.turn(r.temper(q, a, p), a, p, len(x))
		if k != nil {
			keys[i], values[i] = append(keys[i], r.turn(k, a, p, len(x))), append(values[i], v)
		}
	}
	if back, ok := a["reuse_kv_layer_idx"].(float64); ok {
		keys[i], values[i] = keys[i+int(back)], values[i+int(back)]
	}
	for p := range x {
		add(x[p], r.linear(name+"attn.out_proj", r.d, r.attend(queries[p], keys[i], values[i], a, p)))
		add(x[p], r.feed(name+"ffn.", r.norm(name+"norm_2", r.config, x[p])))
	}
}

// project returns queries, keys and values of one token; the latter are nil if the layer has
// none of its own.
func (r *reference) project(name string, a object, x []float64) (q, k, v []float64) {
	wide, narrow := r.h*r.size, r.k*r.size
	if w := r.weights[name+"Wqkv.weight"]; w != nil {
		y := r.linear(name+"Wqkv", wide+2*narrow, x)
		q, k, v = y[:wide], y[wide:wide+narrow], y[wide+narrow:]
	} else {
		q = r.linear(name+"Wq", wide, x)
		if r.weights[name+"Wk.weight"] != nil {
			k, v = r.linear(name+"Wk", narrow, x), r.linear(name+"Wv", narrow, x)
		}
	}
	if c := a.num("clip_qkv", 0); c > 0 {
		for _, y := range [][]float64{q, k, v} {
			for i := range y {
				y[i] = max(-c, min(c, y[i]))
			}
		}
	}
	return r.qkNorm(name+"q_ln", a, q), r.qkNorm(name+"k_ln", a, k), v
}

// qkNorm is the norm of queries or keys, whose kind and epsilon are not the model's.
func (r *reference) qkNorm(name string, a object, x []float64) []float64 {
	switch {
	case a.yes("qk_gn"):
		for i := 0; i < len(x); i += r.size {
			copy(x[i:i+r.size], r.norm(name, a, x[i:i+r.size]))
		}
	case a.yes("qk_ln") && x != nil:
		return r.norm(name, a, x)
	}
	return x
}

func (r *reference) temper(q []float64, a object, p int) []float64 {
	t := a.sub("attn_temperature_tuning")
	factor := 1 + t.num("attn_scale", 0)*math.Log1p(math.Floor(float64(p+1)/t.num("floor_scale", 8192)))
	for i := range q {
		q[i] *= factor
	}
	return q
}

// turn applies rotary positions to the heads of x, which is at p of n tokens.
func (r *reference) turn(x []float64, a object, p, n int) []float64 {
	if !a.yes("rope") || a.yes("nope") {
		return x
	}
	freq, position := r.frequencies(a, n), float64(p)
	if hf := a.sub("rope_hf_config"); a.str("rope_impl", "dail") == "hf" && hf.str("type", "") == "linear" {
		position /= hf.num("factor", 1)
	}
	half := len(freq)
	for head := 0; head < len(x); head += r.size {
		for j, w := range freq {
			sin, cos := math.Sincos(position * w)
			u, v := x[head+j], x[head+j+half]
			x[head+j], x[head+j+half] = u*cos-v*sin, v*cos+u*sin
		}
	}
	return x
}

func (r *reference) frequencies(a object, n int) []float64 {
	hf, dim, theta := object{}, r.d/r.h, a.num("rope_theta", 10000)
	if a.str("rope_impl", "dail") == "hf" {
		hf, dim = a.sub("rope_hf_config"), r.size
	}
	if trained := r.config.num("max_seq_len", 2048); hf.str("type", "") == "dynamic" && float64(n) > trained {
		theta *= math.Pow(hf.num("factor", 1)*float64(n)/trained-(hf.num("factor", 1)-1), float64(dim)/float64(dim-2))
	}
	freq := make([]float64, dim/2)
	for j := range freq {
		freq[j] = math.Pow(theta, -2*float64(j)/float64(dim))
		if hf.str("type", "") == "llama3" {
			freq[j] = smoothed(freq[j], hf)
		}
	}
	return freq
}

// smoothed is Llama 3.1's change of a frequency.
func smoothed(w float64, hf object) float64 {
	wave, context := 2*math.Pi/w, hf.num("original_max_position_embeddings", 0)
	low, high, factor := hf.num("low_freq_factor", 1), hf.num("high_freq_factor", 4), hf.num("factor", 1)
	switch {
	case wave < context/high:
		return w
	case wave > context/low:
		return w / factor
	}
	s := (context/wave - low) / (high - low)
	return (1-s)*w/factor + s*w
}

// attend returns what the query of all heads at p sees.
func (r *reference) attend(q []float64, keys, values [][]float64, a object, p int) []float64 {
	out := make([]float64, r.h*r.size)
	slopes := r.slopes()
	window := int(a.num("sliding_window_size", -1))
	for h := range r.h {
		kv := h / (r.h / r.k) * r.size
		scores, top := make([]float64, p+1), math.Inf(-1)
		for j := range scores {
			s := dot(q[h*r.size:][:r.size], keys[j][kv:kv+r.size]) * a.num("softmax_scale", 1/math.Sqrt(float64(r.d/r.h)))
			if c := a.num("attn_logit_softcapping", 0); c > 0 {
				s = c * math.Tanh(s/c)
			}
			if a.yes("alibi") {
				s += slopes[h] * float64(j-p)
			}
			if window >= 0 && j < p-window {
				s = math.Inf(-1)
			}
			scores[j] = s
			top = max(top, s)
		}
		sum := 0.0
		for j := range scores {
			scores[j] = math.Exp(scores[j] - top)
			sum += scores[j]
		}
		for j, s := range scores {
			for i, v := range values[j][kv : kv+r.size] {
				out[h*r.size+i] += s / sum * v
			}
		}
	}
	return out
}

func (r *reference) slopes() []float64 {
	n := 1
	for n < r.h {
		n *= 2
	}
	var all, odd, even []float64
	for i := range n {
		m := math.Exp2(-float64(i+1) * r.attn.num("alibi_bias_max", 8) / float64(n))
		all = append(all, m)
		if i%2 == 1 {
			odd = append(odd, m)
		} else {
			even = append(even, m)
		}
	}
	if n == r.h {
		return all
	}
	return append(odd, even...)[:r.h]
}

func (r *reference) feed(name string, x []float64) []float64 {
	up := r.linear(name+"up_proj", r.f, x)
	gated := up
	ffn := r.config.sub("ffn_config")
	if ffn.str("ffn_type", "mptmlp") == "mptglu" {
		gated = r.linear(name+"gate_proj", r.f, x)
	}
	act := ffn.sub("ffn_act_fn")
	y := make([]float64, r.f)
	for i, v := range gated {
		y[i] = activation(act.str("name", "gelu")+act.str("approximate", ""), v)
		if &gated[0] != &up[0] {
			y[i] *= up[i]
		}
		if s := r.weights[name+"act.scales"]; s != nil {
			y[i] /= s[i]
		}
	}
	return r.linear(name+"down_proj", r.d, y)
}

func activation(name string, x float64) float64 {
	switch name {
	case "gelu", "gelunone":
		return x / 2 * (1 + math.Erf(x/math.Sqrt2))
	case "gelutanh":
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case "silu":
		return x / (1 + math.Exp(-x))
	case "quick_gelu":
		return x / (1 + math.Exp(-1.702*x))
	case "relu":
		return max(0, x)
	}
	panic("no activation " + name)
}

func add(x, y []float64) {
	for i := range x {
		x[i] += y[i]
	}
}

func dot(x, y []float64) (s float64) {
	for i := range x {
		s += x[i] * y[i]
	}
	return s
}
