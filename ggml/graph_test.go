package ggml

import "testing"

// Shapes that do not fit are an error, also those of another graph; a panic of the builder's
// own goes through.
func TestBuildErrors(t *testing.T) {
	_, err := Build(func(g *Graph) { g.Bias("b", g.newTensor("x", 3), []float32{1, 2}) })
	if want := "ggml: b: a vector of 2 with 3 columns"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	g, err := Build(func(g *Graph) { g.Clamp("c", newGraph().newTensor("elsewhere", 3), 1) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Measure(g, 1, Options{}); err == nil || err.Error() != "ggml: c reads elsewhere before it is computed" {
		t.Errorf("a tensor of another graph: %v", err)
	}
	defer func() {
		if x := recover(); x != "mine" {
			t.Errorf("recovered %v", x)
		}
	}()
	Build(func(*Graph) { panic("mine") })
}
