package sampling

// sampler is one step of a chain. It is immutable: what it remembers is in the
// memory, so that chains can share it.
type sampler interface {
	// apply changes or drops candidates, and leaves at least one. Logits may
	// become infinite but not NaN.
	apply(c *candidates, m *memory)
}

// lookback is a sampler that reads past tokens.
type lookback interface {
	// window returns how many, or -1 for all.
	window() int
}

// picker ends a chain.
type picker interface {
	// pick chooses a candidate, or returns false if all logits are -Inf.
	pick(c *candidates, m *memory) (Candidate, bool)
}

// step is a sampler as users know it.
type step struct {
	name      string
	also      []string                                  // other names that llama.cpp takes
	truncates bool                                      // drops candidates; mirostat takes its place
	keepsBest bool                                      // leaves the best candidate the best one
	make      func(p *Params, v Vocab) (sampler, error) // nil: the parameters switch it off
}

// steps lists the samplers in llama.cpp's default order. A new sampler is a new
// file and one row here (and its parameters are rows of options).
var steps = [...]step{
	{name: "penalties", make: newPenalties},
	{name: "dry", make: newDRY},
	{name: "top_n_sigma", also: []string{"top-n-sigma"}, truncates: true, keepsBest: true, make: newTopNSigma},
	{name: "top_k", also: []string{"top-k"}, truncates: true, keepsBest: true, make: newTopK},
	{name: "typ_p", also: []string{"typical-p", "typical_p", "typical", "typ-p", "typ"}, truncates: true, make: newTypical},
	{name: "top_p", also: []string{"top-p", "nucleus"}, truncates: true, keepsBest: true, make: newTopP},
	{name: "min_p", also: []string{"min-p"}, truncates: true, keepsBest: true, make: newMinP},
	{name: "xtc", truncates: true, make: newXTC},
	{name: "temperature", also: []string{"temp"}, keepsBest: true, make: newTemperature},
}

// stepNamed returns the row with the given name, or nil.
func stepNamed(name string) *step {
	for i := range steps {
		if steps[i].name == name {
			return &steps[i]
		}
		for _, other := range steps[i].also {
			if other == name {
				return &steps[i]
			}
		}
	}
	return nil
}

// stepNames returns the names of all rows, in order.
func stepNames() []string {
	names := make([]string, len(steps))
	for i := range steps {
		names[i] = steps[i].name
	}
	return names
}
