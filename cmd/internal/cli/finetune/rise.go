package finetune

// rise watches for losses that rise, as they do when the learning rate is too high.
type rise struct {
	losses []float64 // the last few
	first  float64   // mean of the first few
	above  int       // steps in a row whose mean is far above it
	told   bool
}

const (
	riseMean   = 10  // steps of a mean
	riseSteps  = 50  // after so many it is no accident
	riseFactor = 1.5 // above the first mean
)

// add takes the loss of a step, and reports whether it is time to warn, which it is once.
func (r *rise) add(loss float64) bool {
	if r.losses = append(r.losses, loss); len(r.losses) > riseMean {
		r.losses = r.losses[1:]
	}
	mean := r.mean()
	switch {
	case len(r.losses) < riseMean:
		return false
	case r.first == 0:
		r.first = mean
	}
	if r.above++; !(mean > riseFactor*r.first) {
		r.above = 0
	}
	if r.told || r.above < riseSteps {
		return false
	}
	r.told = true
	return true
}

// mean returns that of the last losses.
func (r *rise) mean() (mean float64) {
	for _, l := range r.losses {
		mean += l / float64(len(r.losses))
	}
	return mean
}
