package convert

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Shape is what a synthetic model has of a real one: its dimensions. Feed-forward
// layers are four times as wide as the model.
type Shape struct {
	Name    string // such as "mpt-7b", or the numbers "D,H,L"
	DModel  int
	Heads   int // divides DModel
	Layers  int
	Context int // tokens
}

// shapes is the table of the shapes that have names, the smallest first.
var shapes = []Shape{
	{"mpt-1b", 2048, 16, 24, 2048},
	{"mpt-7b", 4096, 32, 32, 2048},
	{"mpt-30b", 7168, 64, 48, 8192},
}

// Shapes returns the shapes that have names, the smallest first.
func Shapes() []Shape { return slices.Clone(shapes) }

// ParseShape returns the shape with the given name, or the one that three numbers
// describe: width, heads and layers, such as "256,4,2", with a context of 2048
// tokens.
func ParseShape(text string) (Shape, error) {
	names := make([]string, len(shapes))
	for i, s := range shapes {
		if s.Name == text {
			return s, nil
		}
		names[i] = s.Name
	}
	unknown := fmt.Errorf("convert: unknown shape %q: choose one of %s, or give D,H,L (width, heads, layers) such as 256,4,2",
		text, strings.Join(names, ", "))
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return Shape{}, unknown
	}
	s := Shape{Name: text, Context: 2048}
	for i, n := range []*int{&s.DModel, &s.Heads, &s.Layers} {
		var err error
		if *n, err = strconv.Atoi(fields[i]); err != nil {
			return Shape{}, unknown
		}
	}
	if err := s.check(); err != nil {
		return Shape{}, fmt.Errorf("convert: %w", err)
	}
	return s, nil
}

// The largest dimensions that are not taken for a mistake. A model of them all has
// 10^14 weights.
const (
	maxWidth   = 1 << 17
	maxLayers  = 1 << 10
	maxContext = 1 << 20
)

// check reports the first dimension that no model can have.
func (s Shape) check() error {
	for _, x := range []struct {
		what   string
		n, max int
	}{
		{"width", s.DModel, maxWidth}, {"number of heads", s.Heads, maxWidth},
		{"number of layers", s.Layers, maxLayers}, {"context", s.Context, maxContext},
	} {
		if x.n < 1 || x.n > x.max {
			return fmt.Errorf("shape %s: the %s is %d: it must be between 1 and %d", s.Name, x.what, x.n, x.max)
		}
	}
	if s.DModel%s.Heads != 0 {
		return fmt.Errorf("shape %s: a width of %d does not divide into %d heads", s.Name, s.DModel, s.Heads)
	}
	return nil
}
