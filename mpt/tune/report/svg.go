package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
)

// svg is a canvas that writes SVG.
type svg struct{ b bytes.Buffer }

func newSVG() *svg {
	s := &svg{}
	fmt.Fprintf(&s.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" `+
		`font-family="Helvetica, Arial, sans-serif">`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&s.b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", chartWidth, chartHeight)
	return s
}

func (s *svg) bytes() []byte { return append(s.b.Bytes(), "</svg>\n"...) }

func (i ink) String() string { return fmt.Sprintf("#%02x%02x%02x", i[0], i[1], i[2]) }

func (s *svg) line(p pen, points []point) {
	if len(points) == 0 {
		return
	}
	fmt.Fprintf(&s.b, `<polyline fill="none" stroke="%v" stroke-width="%g" stroke-linejoin="round" stroke-linecap="round"`, p.ink, p.width)
	if p.dash > 0 {
		fmt.Fprintf(&s.b, ` stroke-dasharray="%g"`, p.dash)
	}
	s.b.WriteString(` points="`)
	for i, q := range points {
		if i > 0 {
			s.b.WriteByte(' ')
		}
		fmt.Fprintf(&s.b, "%.1f,%.1f", q.x, q.y)
	}
	s.b.WriteString("\"/>\n")
}

func (s *svg) dot(at point, radius float64, fill ink) {
	fmt.Fprintf(&s.b, `<circle cx="%.1f" cy="%.1f" r="%g" fill="%v"/>`+"\n", at.x, at.y, radius, fill)
}

func (s *svg) text(at point, size float64, a anchor, ink ink, text string) {
	if text == "" {
		return
	}
	name := [...]string{start: "start", middle: "middle", end: "end", upright: "middle"}[a]
	fmt.Fprintf(&s.b, `<text x="%.1f" y="%.1f" font-size="%g" text-anchor="%s" fill="%v"`, at.x, at.y, size, name, ink)
	if a == upright {
		fmt.Fprintf(&s.b, ` transform="rotate(-90 %.1f %.1f)"`, at.x, at.y)
	}
	s.b.WriteByte('>')
	xml.EscapeText(&s.b, []byte(text)) // a buffer takes everything
	s.b.WriteString("</text>\n")
}
