package report

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
)

// raster is a canvas of pixels. Edges are smoothed by how far a pixel's middle is from a line.
type raster struct {
	img   *image.RGBA
	scale float64
	cover []float32 // of the line that is drawn, by pixels; 0 between lines
}

// newRaster returns a white canvas with so many pixels for one of the chart in either direction.
func newRaster(scale int) *raster {
	r := &raster{img: image.NewRGBA(image.Rect(0, 0, chartWidth*scale, chartHeight*scale)), scale: float64(scale)}
	for i := range r.img.Pix {
		r.img.Pix[i] = 0xff
	}
	r.cover = make([]float32, len(r.img.Pix)/4)
	return r
}

func (r *raster) png() ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, r.img)
	return b.Bytes(), err
}

func (r *raster) line(p pen, points []point) {
	scaled := make([]point, len(points))
	for i, q := range points {
		scaled[i] = point{q.x * r.scale, q.y * r.scale}
	}
	lines := [][]point{scaled}
	if p.dash > 0 {
		lines = dashes(scaled, p.dash*r.scale)
	}
	for _, l := range lines {
		r.stroke(l, p.width*r.scale, p.ink)
	}
}

func (r *raster) dot(at point, radius float64, fill ink) {
	r.stroke([]point{{at.x * r.scale, at.y * r.scale}}, 2*radius*r.scale, fill)
}

// stroke draws a line through points, in pixels; one point is a dot. Where a line crosses itself it is
// not darker.
func (r *raster) stroke(points []point, width float64, ink ink) {
	box := image.Rectangle{}
	for i, q := range points {
		if i > 0 || len(points) == 1 {
			box = box.Union(r.segment(points[max(0, i-1)], q, width/2))
		}
	}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			i := y*r.img.Rect.Dx() + x
			if c := r.cover[i]; c > 0 {
				r.img.SetRGBA(x, y, mix(r.img.RGBAAt(x, y), ink, c))
				r.cover[i] = 0
			}
		}
	}
}

func mix(under color.RGBA, ink ink, cover float32) color.RGBA {
	blend := func(a, b uint8) uint8 { return uint8(float32(a) + (float32(b)-float32(a))*cover + 0.5) }
	return color.RGBA{blend(under.R, ink[0]), blend(under.G, ink[1]), blend(under.B, ink[2]), 0xff}
}

// segment covers the pixels of a segment and returns where they may be.
func (r *raster) segment(a, b point, half float64) image.Rectangle {
	box := image.Rect(
		int(math.Floor(min(a.x, b.x)-half-1)), int(math.Floor(min(a.y, b.y)-half-1)),
		int(math.Ceil(max(a.x, b.x)+half+1)), int(math.Ceil(max(a.y, b.y)+half+1))).Intersect(r.img.Rect)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			c := float32(half + 0.5 - distance(point{float64(x) + 0.5, float64(y) + 0.5}, a, b))
			if i := y*r.img.Rect.Dx() + x; c > r.cover[i] {
				r.cover[i] = min(c, 1)
			}
		}
	}
	return box
}

// distance returns how far p is from the segment from a to b.
func distance(p, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	t := 0.0
	if square := dx*dx + dy*dy; square > 0 {
		t = min(1, max(0, ((p.x-a.x)*dx+(p.y-a.y)*dy)/square))
	}
	return math.Hypot(p.x-a.x-t*dx, p.y-a.y-t*dy)
}

// dashes cuts a line into dashes with gaps of the same length.
func dashes(points []point, length float64) (all [][]point) {
	if len(points) < 2 {
		return [][]point{points}
	}
	current, left := []point{points[0]}, length
	on := true
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		for {
			d := math.Hypot(b.x-a.x, b.y-a.y)
			if d <= left {
				left -= d
				current = append(current, b)
				break
			}
			a = point{a.x + (b.x-a.x)*left/d, a.y + (b.y-a.y)*left/d}
			if current = append(current, a); on {
				all = append(all, current)
			}
			current, left, on = []point{a}, length, !on
		}
	}
	if on {
		all = append(all, current)
	}
	return all
}
