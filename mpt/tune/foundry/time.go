package foundry

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Time is a length of training as Composer writes it: 50ba, 2ep, 0.02dur.
type Time struct {
	Value float64
	Unit  Unit
}

// Unit is what a [Time] counts.
type Unit string

// The units of times.
const (
	Batches  Unit = "ba"  // steps
	Epochs   Unit = "ep"  // passes over the rows
	Duration Unit = "dur" // shares of the run
)

// ParseTime reads a time. A number without a unit is a share below 1 and steps from 1 on, as --warmup has it.
func ParseTime(s string) (Time, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	value, err := strconv.ParseFloat(digits, 64)
	unit := Unit(s[len(digits):])
	switch {
	case err != nil || !(value >= 0) || math.IsInf(value, 0):
		return Time{}, fmt.Errorf("%q is no time: want one such as 50ba, 2ep or 0.02dur", s)
	case unit == "" && value < 1:
		unit = Duration
	case unit == "":
		unit = Batches
	case unit != Batches && unit != Epochs && unit != Duration:
		return Time{}, fmt.Errorf("%q: the unit %s is not supported: ba (steps), ep (epochs) and dur (shares of the run) are", s, unit)
	}
	if unit == Batches && value != math.Trunc(value) {
		return Time{}, fmt.Errorf("%q: steps are whole", s)
	}
	return Time{value, unit}, nil
}

// Steps returns a time in steps, rounded up, of a run of so many in all and in an epoch.
func (t Time) Steps(all, epoch int) int {
	switch t.Unit {
	case Epochs:
		return ceil(t.Value * float64(epoch))
	case Duration:
		return ceil(t.Value * float64(all))
	}
	return int(t.Value)
}

// ceil rounds up, but not for what is only the error of a product: 0.02 of 150 is 3.
func ceil(x float64) int {
	if near := math.Round(x); math.Abs(x-near) < 1e-9*max(1, near) {
		return int(near)
	}
	return int(math.Ceil(x))
}
