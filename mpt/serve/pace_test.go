package serve

import (
	"testing"
	"time"
)

// machine takes 40 ms for the weights and some for each row.
func machine(rows int, row time.Duration) time.Duration {
	return 40*time.Millisecond + time.Duration(rows)*row
}

func TestPaceBounds(t *testing.T) {
	var p pace
	if n := p.room(4, 512, time.Second); n != rowStep {
		t.Errorf("%d rows before anything is known", n)
	}
	p.observe(0, 4, machine(4, 2*time.Millisecond))
	p.observe(300, 4, machine(304, 2*time.Millisecond))
	if n := p.room(4, 512, time.Nanosecond); n != rowStep {
		t.Errorf("%d rows in no time", n)
	}
	if n := p.room(60, 4, time.Second); n != 4 {
		t.Errorf("%d rows where 4 fit", n)
	}
}

// Beside answers a prompt gets as many rows as fit into the time, soon, and hardly ever more,
// also where a row takes more and more, as it does deep in a long prompt.
func TestPaceFindsTheSize(t *testing.T) {
	var p pace
	for rows := 1; rows <= 512; rows *= 2 {
		p.observe(rows, 0, machine(rows, 2*time.Millisecond))
	}
	const limit = 300 * time.Millisecond
	for _, x := range []struct{ first, more time.Duration }{
		{2 * time.Millisecond, 0}, {4 * time.Millisecond, 0}, {2 * time.Millisecond, 200 * time.Microsecond},
	} {
		p.observe(0, 4, machine(4, 2*time.Millisecond))
		for step := range 50 {
			n, row := p.room(4, 512, limit), x.first+time.Duration(step)*x.more
			took := machine(4, 2*time.Millisecond) + time.Duration(n)*row
			if took > limit*5/4 {
				t.Errorf("step %d of %v a row takes %v", step, row, took)
			}
			if step > 8 && took+time.Duration(2*rowStep)*row < limit {
				t.Errorf("step %d of %v a row has %d rows and takes %v", step, row, n, took)
			}
			p.observe(n, 4, took)
		}
	}
}
