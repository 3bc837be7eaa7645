package report

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// The size of charts, in pixels, and of what stands around the plot.
const (
	chartWidth, chartHeight = 800, 500
	left, right             = 72, 728
	top, bottom             = 48, 440
)

// Inks are told apart in black and white, too: by their darkness, widths, dashes and marks.
var (
	black = ink{0x22, 0x22, 0x22}
	grey  = ink{0x77, 0x77, 0x77}
	grid  = ink{0xe4, 0xe4, 0xe4}
	faint = ink{0xa9, 0xbd, 0xdb}
	blue  = ink{0x1d, 0x3f, 0x8a}
	red   = ink{0xc2, 0x41, 0x0c}
	white = ink{0xff, 0xff, 0xff}
)

type ink [3]uint8

type point struct{ x, y float64 }

// pen is how a line is drawn. Dash is the length of dashes and of gaps, 0 for none.
type pen struct {
	ink   ink
	width float64
	dash  float64
}

// anchor says which place of a text its point is.
type anchor int

const (
	start anchor = iota
	middle
	end
	upright // middle, turned to read from below
)

// canvas is what a chart is drawn on, in pixels from the upper left corner.
type canvas interface {
	line(p pen, points []point)
	dot(at point, radius float64, fill ink)
	text(at point, size float64, a anchor, ink ink, s string)
}

// Charts writes loss.svg and loss.png anew.
func (l *Log) Charts() error {
	c := newChart(l.entries, l.options.Title)
	s := newSVG()
	c.draw(s)
	if err := replace(filepath.Join(l.dir, "loss.svg"), s.bytes()); err != nil {
		return err
	}
	r := newRaster(2)
	c.draw(r)
	png, err := r.png()
	if err != nil {
		return err
	}
	return replace(filepath.Join(l.dir, "loss.png"), png)
}

// chart is the course of a run.
type chart struct {
	title                    string
	loss, mean, evals, rates []point // by steps
	window                   int     // steps of a mean
	best                     *point
	x, y, rate               axis
}

func newChart(entries []entry, title string) *chart {
	c := &chart{title: title}
	for i := range entries {
		e := &entries[i]
		x := float64(*e.Step)
		if e.Loss != nil && e.Loss.finite() {
			c.loss = append(c.loss, point{x, float64(*e.Loss)})
		}
		if e.LearningRate != nil && e.LearningRate.finite() {
			c.rates = append(c.rates, point{x, float64(*e.LearningRate)})
		}
		if e.EvalLoss != nil && e.EvalLoss.finite() {
			p := point{x, float64(*e.EvalLoss)}
			c.evals = append(c.evals, p)
			if c.best == nil || p.y < c.best.y {
				c.best = &p
			}
		}
	}
	c.window = min(100, max(5, len(c.loss)/20))
	c.mean = runningMean(c.loss, c.window)
	c.x = axisOf(true, c.loss, c.evals)
	c.y = axisOf(false, c.loss, c.evals)
	c.rate = axisOf(true, c.rates)
	return c
}

// runningMean returns the mean of each point and those before it, so many together.
func runningMean(points []point, window int) []point {
	mean := make([]point, len(points))
	for i, p := range points {
		sum := 0.0
		first := max(0, i+1-window)
		for _, q := range points[first : i+1] {
			sum += q.y
		}
		mean[i] = point{p.x, sum / float64(i+1-first)}
	}
	return mean
}

// axis is a range of values with round numbers in it.
type axis struct{ low, high, step float64 }

// axisOf returns an axis for the steps of some points, or, if zero is not set, for their values.
// With zero it begins at 0.
func axisOf(zero bool, lists ...[]point) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, list := range lists {
		for _, p := range list {
			v := p.y
			if zero && len(lists) > 1 {
				v = p.x
			}
			low, high = min(low, v), max(high, v)
		}
	}
	if zero {
		low = 0
	}
	const same = 1e-6 // of a value: what differs by less cannot be told apart, nor its ticks counted
	least := max(same*max(math.Abs(low), math.Abs(high)), math.SmallestNonzeroFloat32)
	if !(high-low > least) { // or no points
		if math.IsInf(low, 0) {
			low = 0
		}
		high = low + max(1, math.Abs(low)*0.1)
		if zero && len(lists) == 1 {
			high = low + 1
		}
	}
	if !zero {
		low, high = low-0.05*(high-low), high+0.05*(high-low)
	}
	return axis{low, high, roundStep((high - low) / 6)}
}

// roundStep returns 1, 2 or 5 times a power of ten, at least x.
func roundStep(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= x*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// ticks returns the round numbers of an axis.
func (a axis) ticks() (list []float64) {
	const most = 20
	for i := math.Ceil(a.low / a.step); i*a.step <= a.high+1e-9*a.step && len(list) < most; i++ {
		list = append(list, i*a.step)
	}
	return list
}

// label writes a round number of an axis.
func (a axis) label(v float64) string {
	if v == 0 {
		return "0"
	}
	if a.high < 1e-2 || a.high >= 1e7 {
		return strings.Replace(strconv.FormatFloat(v, 'e', -1, 32), "e-0", "e-", 1)
	}
	digits := max(0, int(math.Ceil(-math.Log10(a.step)-1e-9)))
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// at returns where a value lies between two pixels.
func (a axis) at(v, from, to float64) float64 { return from + (v-a.low)/(a.high-a.low)*(to-from) }

// place returns the pixels of points on axes.
func place(points []point, x, y axis) []point {
	placed := make([]point, len(points))
	for i, p := range points {
		placed[i] = point{x.at(p.x, left, right), y.at(p.y, bottom, top)}
	}
	return placed
}

// draw draws everything, what matters most last.
func (c *chart) draw(to canvas) {
	c.frame(to)
	if len(c.rates) > 0 {
		to.line(pen{ink: grey, width: 1, dash: 5}, thin(place(c.rates, c.x, c.rate)))
	}
	to.line(pen{ink: faint, width: 1}, thin(place(c.loss, c.x, c.y)))
	to.line(pen{ink: blue, width: 2.5}, thin(place(c.mean, c.x, c.y)))
	evals := place(c.evals, c.x, c.y)
	to.line(pen{ink: red, width: 1.5}, evals)
	for _, p := range evals {
		to.dot(p, 4.5, red)
		to.dot(p, 2.8, white)
	}
	if c.best != nil {
		to.dot(place([]point{*c.best}, c.x, c.y)[0], 4.5, red)
	}
	c.legend(to)
}

// frame draws the axes with their numbers and names.
func (c *chart) frame(to canvas) {
	for _, v := range c.y.ticks() {
		y := c.y.at(v, bottom, top)
		to.line(pen{ink: grid, width: 1}, []point{{left, y}, {right, y}})
		to.text(point{left - 8, y + 4.5}, 13, end, black, c.y.label(v))
	}
	for _, v := range c.x.ticks() {
		x := c.x.at(v, left, right)
		to.line(pen{ink: black, width: 1}, []point{{x, bottom}, {x, bottom + 5}})
		to.text(point{x, bottom + 20}, 13, middle, black, c.x.label(v))
	}
	to.line(pen{ink: black, width: 1}, []point{{left, top}, {left, bottom}, {right, bottom}})
	to.text(point{(left + right) / 2, chartHeight - 18}, 14, middle, black, "step")
	to.text(point{20, (top + bottom) / 2}, 14, upright, black, "loss")
	to.text(point{left, 24}, 15, start, black, c.title)
	if len(c.rates) == 0 {
		return
	}
	for _, v := range c.rate.ticks() {
		to.text(point{right + 8, c.rate.at(v, bottom, top) + 4.5}, 12, start, grey, c.rate.label(v))
	}
	to.text(point{chartWidth - 10, (top + bottom) / 2}, 13, upright, grey, "learning rate")
}

// legend says what the lines are, at the upper right, where a loss that falls has left room.
func (c *chart) legend(to canvas) {
	const x, height = right - 190, 19
	y := float64(top) + 14
	row := func(p pen, mark bool, s string) {
		to.line(pen{ink: white, width: height}, []point{{x, y}, {right - 8, y}}) // over lines behind it
		to.line(p, []point{{x, y}, {x + 30, y}})
		if mark {
			to.dot(point{x + 15, y}, 4.5, red)
			to.dot(point{x + 15, y}, 2.8, white)
		}
		to.text(point{x + 38, y + 4.5}, 13, start, black, s)
		y += height
	}
	if len(c.loss) > 0 {
		row(pen{ink: faint, width: 1}, false, "loss of a step")
		row(pen{ink: blue, width: 2.5}, false, fmt.Sprintf("mean of %d", c.window))
	}
	if len(c.evals) > 0 {
		row(pen{ink: red, width: 1.5}, true, fmt.Sprintf("held out, best %.4g", c.best.y))
	}
	if len(c.rates) > 0 {
		row(pen{ink: grey, width: 1, dash: 5}, false, "learning rate")
	}
}

// thin leaves of many points the highest and the lowest of each pixel.
func thin(points []point) []point {
	if len(points) <= 2*chartWidth {
		return points
	}
	var kept []point
	for i := 0; i < len(points); {
		low, high := i, i
		column := math.Floor(points[i].x)
		for ; i < len(points) && math.Floor(points[i].x) == column; i++ {
			if points[i].y < points[low].y {
				low = i
			}
			if points[i].y > points[high].y {
				high = i
			}
		}
		kept = append(kept, points[min(low, high)])
		if low != high {
			kept = append(kept, points[max(low, high)])
		}
	}
	return kept
}
