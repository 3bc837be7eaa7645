package report

import "strings"

// letters are drawn with strokes, so that a PNG needs no font. A glyph is strokes with spaces between them;
// a stroke is pairs of digits, x and y: 2 is the line that letters stand on, 7 how high small ones are, 9
// how high large ones are. A stroke that begins with ~ is a curve with its corners cut, one with o is such
// a curve that is closed.
var letters = map[rune]string{
	'0': "o02424909", '1': "172922", '2': "~0809494602 0242", '3': "~0809494616 ~1646420203", '4': "32390444",
	'5': "490906 ~0647420203", '6': "o02424606 ~390904", '7': "094912", '8': "o06464909 o02424606", '9': "o05454909 ~474212",
	'a': "o02424707 4742", 'b': "0902 o02424707", 'c': "~464707024243", 'd': "4942 o02424707", 'e': "0545 ~454707024243",
	'f': "~391916 1612 0737", 'g': "o02424707 4742 ~42400001", 'h': "0902 ~05074744 4442", 'i': "0702 0909", 'j': "1711 ~111000 1919",
	'k': "0902 4704 1542", 'l': "0902", 'm': "0702 ~05073734 3432 ~35376764 6462", 'n': "0702 ~05074744 4442", 'o': "o02424707",
	'p': "0700 o02424707", 'q': "4740 o02424707", 'r': "0702 ~050737", 's': "~4647070544420203", 't': "1914 ~141232 0737",
	'u': "0705 ~05024245 4742", 'v': "072247", 'w': "0712375267", 'x': "0742 0247", 'y': "0722 4710", 'z': "07470242",
	'A': "022942 1535", 'B': "0902 ~09494606 ~06464202", 'C': "~484909024243", 'D': "0902 ~09494202", 'E': "49090242 0636",
	'F': "490902 0636", 'G': "~484909024245 4525", 'H': "0902 4942 0646", 'I': "0902", 'J': "4944 ~44420204", 'K': "0902 4905 1642",
	'L': "090242", 'M': "0209356962", 'N': "02094249", 'O': "o02424909", 'P': "0902 ~09494505", 'Q': "o02424909 2442",
	'R': "0902 ~09494505 2542", 'S': "~4849090645420203", 'T': "0949 2922", 'U': "0904 ~04024244 4449", 'V': "092249",
	'W': "0912385269", 'X': "0942 0249", 'Y': "092549 2522", 'Z': "09490242",
	'.': "0202", ',': "1301", ':': "0303 0606", '-': "0535", '+': "0545 2723", '=': "0444 0646", '_': "0141", '/': "0249",
	'(': "~19060411", ')': "~09161401", '%': "0249 0808 4343",
}

// unknown is drawn for every other character.
const unknown = "0242490902"

// strokes returns the lines of a glyph, in its units, and how wide it is.
func strokes(c rune) (lines [][]point, width float64) {
	if c == ' ' {
		return nil, 2
	}
	glyph, ok := letters[c]
	if !ok {
		glyph = unknown
	}
	for _, s := range strings.Fields(glyph) {
		digits := strings.TrimLeft(s, "~o")
		var line []point
		for i := 0; i+1 < len(digits); i += 2 {
			p := point{float64(digits[i] - '0'), float64(digits[i+1] - '0')}
			line, width = append(line, p), max(width, p.x)
		}
		switch s[0] {
		case '~':
			line = cutCorners(line, false)
		case 'o':
			line = cutCorners(line, true)
		}
		lines = append(lines, line)
	}
	return lines, width
}

// cutCorners returns a smooth curve inside of a line with corners: it cuts them off, three times.
func cutCorners(line []point, closed bool) []point {
	first, last := line[0], line[len(line)-1]
	for range 3 {
		var cut []point
		for i, p := range line {
			q := line[(i+1)%len(line)]
			if i == len(line)-1 && !closed {
				break
			}
			cut = append(cut, point{0.75*p.x + 0.25*q.x, 0.75*p.y + 0.25*q.y}, point{0.25*p.x + 0.75*q.x, 0.25*p.y + 0.75*q.y})
		}
		if !closed {
			cut = append(append([]point{first}, cut[1:len(cut)-1]...), last)
		}
		line = cut
	}
	if closed {
		line = append(line, line[0])
	}
	return line
}

// text draws a text in letters as high as those of a font of this size.
func (r *raster) text(at point, size float64, a anchor, ink ink, s string) {
	const gap, baseline = 2, 2
	unit := size * 0.72 / 7 * r.scale
	total := 0.0
	for _, c := range s {
		_, w := strokes(c)
		total += w + gap
	}
	total -= gap
	offset := map[anchor]float64{start: 0, middle: total / 2, end: total, upright: total / 2}[a]
	x := -offset
	for _, c := range s {
		lines, w := strokes(c)
		for _, line := range lines {
			placed := make([]point, len(line))
			for i, p := range line {
				dx, dy := (x+p.x)*unit, (p.y-baseline)*unit
				placed[i] = point{at.x*r.scale + dx, at.y*r.scale - dy}
				if a == upright {
					placed[i] = point{at.x*r.scale - dy, at.y*r.scale - dx}
				}
			}
			r.stroke(placed, max(1, size*0.1*r.scale), ink)
		}
		x += w + gap
	}
}
