package mpt

import "mptgo/ggml"

// Parameters are the weights of a model, for those who compute with them in another way than [Model.Run]
// does, as training. They lie in the model's file and must not be changed, nor used after Close. What a
// model does not have is nil.
type Parameters struct {
	Embedding *ggml.Matrix // [V, D]
	Positions *ggml.Matrix // [context, D], learned positions
	Layers    []LayerParameters
	Norm      ggml.Norm    // after the last layer
	Output    *ggml.Matrix // [V, D]: Embedding if they are tied
	Slopes    []float32    // of ALiBi, one for each head
}

// LayerParameters are the weights of one block of the decoder.
type LayerParameters struct {
	AttnNorm, FFNNorm ggml.Norm
	QKV               Linear      // [Hd+2Kd, D], or [Hd, D] if the keys are those of another layer
	QKNorms           []ggml.Part // of the columns of the product with QKV
	Out               Linear      // [D, Hd]
	Up, Gate          Linear      // [F, D]
	Scales            []float32   // [F]: what the activation is divided by
	Down              Linear      // [D, F]
}

// Linear is a matrix with, perhaps, a bias.
type Linear struct {
	W *ggml.Matrix
	B []float32
}

// Parameters returns the weights of m.
func (m *Model) Parameters() Parameters {
	p := Parameters{Embedding: m.w.wte, Positions: m.w.wpe, Norm: m.w.normF, Output: m.w.output, Slopes: m.slopes}
	for i := range m.w.layers {
		l := &m.w.layers[i]
		p.Layers = append(p.Layers, LayerParameters{
			AttnNorm: l.norm1, FFNNorm: l.norm2,
			QKV: l.qkv.parts(), QKNorms: l.qkNorms, Out: l.out.parts(),
			Up: l.up.parts(), Gate: l.gate.parts(), Scales: l.scales, Down: l.down.parts(),
		})
	}
	return p
}

func (l linear) parts() Linear { return Linear{l.w, l.b} }

// Attention describes the attention of a layer.
func (m *Model) Attention(layer int) ggml.Attention { return m.attention(layer) }
