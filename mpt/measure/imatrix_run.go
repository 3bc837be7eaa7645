package measure

import (
	"fmt"
	"mptgo/mpt"
)

// mostProducts is how much memory the input correlations of [ImatrixOptions] take at the most if their
// groups are not chosen, in bytes: those of a 7B in groups of 256 columns.
const mostProducts = 1 << 30

// shortestRun is what the largest blocks of quantised types hold.
const shortestRun = 256

// setRun checks how many columns a group is to have, or chooses it, and that there is
// memory for the correlations.
func setRun(m *mpt.Model, o *ImatrixOptions) error {
	if !o.Products {
		return nil
	}
	if o.Run < 0 || o.Run%shortestRun != 0 {
		return fmt.Errorf("measure: imatrix: input correlations in groups of %d columns: want a multiple of %d, or 0 to choose one", o.Run, shortestRun)
	}
	cols := inputColumns(m, o.Output)
	if o.Run == 0 {
		o.Run = longestRun(cols, mostProducts)
	}
	limit, ok := m.MemoryLeft()
	if !ok {
		return nil
	}
	return checkProducts(cols, o.Run, m.File().Size(), limit)
}

// inputColumns returns the columns of every matrix whose inputs are measured.
func inputColumns(m *mpt.Model, output bool) (cols []int) {
	all := m.Matrices()
	if !output {
		all = all[:len(all)-1]
	}
	for _, w := range all {
		cols = append(cols, w.Cols)
	}
	return cols
}

// productBytes returns the size of the correlations in groups of so many columns.
func productBytes(cols []int, run int) (n int64) {
	for _, c := range cols {
		n += 4 * int64(c) * int64(min(c, run))
	}
	return n
}

// longestRun returns the largest group that is a power of two and whose correlations take no
// more than so many bytes, or the shortest there is. None need be longer than a row.
func longestRun(cols []int, most int64) int {
	longest := 0
	for _, c := range cols {
		longest = max(longest, c)
	}
	run := shortestRun
	for run < longest && productBytes(cols, 2*run) <= most {
		run *= 2
	}
	return run
}

// checkProducts refuses correlations that do not fit beside the model's file. Writing them
// takes two more copies.
func checkProducts(cols []int, run int, file int64, limit mpt.MemoryLimit) error {
	need := 3*productBytes(cols, run) + file
	if need <= limit.Bytes {
		return nil
	}
	return fmt.Errorf("measure: imatrix: input correlations in groups of %d columns need %s of memory with the weights, and %s are %s: "+
		"a smaller group, down to %d, takes less",
		run, gigabytes(need), gigabytes(limit.Bytes), limit.Source, shortestRun)
}

func gigabytes(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }
