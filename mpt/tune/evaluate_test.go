package tune

import "testing"

// TestEvaluateTogether: rows have the losses together that each has alone, and the same bits in micro-batches
// of any size.
func TestEvaluateTogether(t *testing.T) {
	m, rows := variants[0].model(t), someRows(12)
	first := 0.0
	for i, tokens := range []int{1, 40, 1000} {
		c := small()
		c.MicroBatch = tokens
		tr := trainerOf(t, m, rows, c)
		total, all := 0.0, 0
		for i := range rows {
			if targetsOf(rows[i].Labels) == 0 {
				continue
			}
			loss, n, err := tr.Evaluate(t.Context(), rows[i:i+1])
			if err != nil {
				t.Fatal(err)
			}
			total, all = total+loss*float64(n), all+n
		}
		got, n, err := tr.Evaluate(t.Context(), rows)
		// Products of means and counts are off by a few roundings of float64; losses are float32.
		if want := total / float64(all); err != nil || n != all || got < want*(1-1e-13) || got > want*(1+1e-13) {
			t.Errorf("micro-batches of %d tokens: loss %v of %d targets, %v, want %v of %d", tokens, got, n, err, want, all)
		}
		if i == 0 {
			first = got
		}
		if got != first {
			t.Errorf("micro-batches of %d tokens: loss %v, want the bits of %v", tokens, got, first)
		}
	}
}
