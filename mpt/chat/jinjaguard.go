package chat

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	controls "github.com/nikolalohinski/gonja/v2/builtins/control_structures"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// A template comes with a model from anywhere. While one is rendered a guard counts
// what it does: the iterations of its loops, and how large its values and its
// output become. Calls cost much more than iterations, since their number also
// bounds the depth of recursion. Since a step may work on a large text, there is a
// time by which it must have come to an end as well.
type guard struct {
	steps    int // left
	room     int // for the parts of one value, and for the output
	deadline time.Time
}

const (
	maxSteps   = 200000
	callCost   = 1000
	baseRoom   = 1 << 20 // beside what the messages take
	maxNesting = 1000    // of values
	maxTime    = 10 * time.Second
)

// newGuard returns a guard for messages of that size.
func newGuard(size int) *guard {
	return &guard{maxSteps, baseRoom + 16*size, time.Now().Add(maxTime)}
}

// guardKey is the name of the guard among the variables. No template can spell it.
const guardKey = " guard"

var (
	errSteps = errors.New("it does not come to an end")
	errRoom  = errors.New("its text grows without end")
)

// spend takes a number of steps.
func (g *guard) spend(n int) error {
	if g.steps -= n; g.steps < 0 || time.Now().After(g.deadline) {
		return errSteps
	}
	return nil
}

// check refuses a value that is too large.
func (g *guard) check(v any) error {
	if left := g.room; !measure(reflect.ValueOf(v), &left, 0) {
		return errRoom
	}
	return g.spend(0)
}

// measure takes the size of v from left, and reports whether that was enough. Depth
// is how many values v is in.
func measure(v reflect.Value, left *int, depth int) bool {
	if x, ok := asValue(v); ok {
		v = x
	}
	if *left--; depth > maxNesting {
		*left = -1
		return false
	}
	switch v.Kind() {
	case reflect.String:
		*left -= v.Len()
	case reflect.Pointer, reflect.Interface:
		return *left >= 0 && (v.IsNil() || measure(v.Elem(), left, depth+1))
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && *left >= 0; i++ {
			measure(v.Index(i), left, depth+1)
		}
	case reflect.Map:
		for it := v.MapRange(); *left >= 0 && it.Next(); {
			measure(it.Key(), left, depth+1)
			measure(it.Value(), left, depth+1)
		}
	case reflect.Struct:
		for i := 0; v.Type() == reflect.TypeFor[exec.Dict]() && i < v.NumField() && *left >= 0; i++ {
			measure(v.Field(i), left, depth+1)
		}
		if v.Type() == reflect.TypeFor[exec.Pair]() {
			measure(v.Field(0), left, depth+1)
			measure(v.Field(1), left, depth+1)
		}
	}
	return *left >= 0
}

// asValue returns what a value of the engine holds.
func asValue(v reflect.Value) (reflect.Value, bool) {
	if !v.IsValid() || !v.CanInterface() {
		return v, false
	}
	x, ok := v.Interface().(*exec.Value)
	if !ok || x == nil {
		return v, false
	}
	return reflect.ValueOf(x.Interface()), true
}

// writer returns w with a bound.
func (g *guard) writer(w io.Writer) io.Writer { return &boundedWriter{w, g, g.room} }

type boundedWriter struct {
	w    io.Writer
	g    *guard
	left int
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errRoom
	}
	if err := b.g.spend(0); err != nil {
		return 0, err
	}
	return b.w.Write(p)
}

// guardOf returns the guard of a renderer.
func guardOf(r *exec.Renderer) *guard {
	v, _ := r.Environment.Context.Get(guardKey)
	g, ok := v.(*guard)
	if !ok {
		panic("chat: a template without a guard")
	}
	return g
}

// tick is a node that counts: it stands at the beginning of the bodies of loops and
// macros. Names are the variables that these set.
type tick struct {
	at    *tokens.Token
	cost  int
	names []string
}

func (t *tick) Position() *tokens.Token { return t.at }
func (t *tick) String() string          { return "tick" }

func (t *tick) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	g := guardOf(r)
	for _, name := range t.names {
		if v, ok := r.Environment.Context.Get(name); ok {
			if err := g.check(v); err != nil {
				return err
			}
		}
	}
	return g.spend(t.cost)
}

// before puts t at the beginning of a body.
func (t *tick) before(body *nodes.Wrapper) {
	t.at = body.Location
	block := &nodes.ControlStructureBlock{Location: body.Location, Name: "tick", ControlStructure: t}
	body.Nodes = append([]nodes.Node{block}, body.Nodes...)
}

// builtin returns the parser of a control structure of the engine.
func builtin(name string) parser.ControlStructureParser {
	parse, ok := builtins.ControlStructures.Get(name)
	if !ok {
		panic("chat: the engine has no " + name)
	}
	return parse
}

// structures are the control structures of templates. There is none that reads
// another template, and no block, which could call itself.
func structures() *exec.ControlStructureSet {
	set := map[string]parser.ControlStructureParser{"for": parseFor, "macro": parseMacro, "set": parseSet, "generation": parseGeneration}
	for _, name := range []string{"if", "break", "continue", "filter"} {
		set[name] = builtin(name)
	}
	return exec.NewControlStructureSet(set)
}

func parseFor(p, args *parser.Parser) (nodes.ControlStructure, error) {
	parsed, err := builtin("for")(p, args)
	if err != nil {
		return nil, err
	}
	loop, ok := parsed.(*controls.ForControlStructure)
	if !ok {
		return nil, fmt.Errorf("a loop of the kind %T", parsed)
	}
	if loop.Recursive {
		return nil, errors.New("recursive loops are not supported")
	}
	t := &tick{cost: 1, names: []string{loop.Key}}
	if loop.Value != "" {
		t.names = append(t.names, loop.Value)
	}
	t.before(loop.BodyWrapper)
	return loop, nil
}

func parseMacro(p, args *parser.Parser) (nodes.ControlStructure, error) {
	parsed, err := builtin("macro")(p, args)
	if err != nil {
		return nil, err
	}
	macro, ok := parsed.(*controls.MacroControlStructure)
	if !ok {
		return nil, fmt.Errorf("a macro of the kind %T", parsed)
	}
	t := &tick{cost: callCost}
	for _, arg := range macro.Kwargs {
		if name, ok := arg.Key.(*nodes.String); ok {
			t.names = append(t.names, name.Val)
		}
	}
	t.before(macro.Wrapper)
	return macro, nil
}

// assignment is a set structure whose variable is measured afterwards.
type assignment struct {
	exec.ControlStructure
	name string
}

func parseSet(p, args *parser.Parser) (nodes.ControlStructure, error) {
	name := args.Current().Val
	parsed, err := builtin("set")(p, args)
	if err != nil {
		return nil, err
	}
	set, ok := parsed.(exec.ControlStructure)
	if !ok {
		return nil, fmt.Errorf("an assignment of the kind %T", parsed)
	}
	return &assignment{set, name}, nil
}

func (a *assignment) Execute(r *exec.Renderer, block *nodes.ControlStructureBlock) error {
	if err := a.ControlStructure.Execute(r, block); err != nil {
		return err
	}
	v, _ := r.Environment.Context.Get(a.name)
	return guardOf(r).check(v)
}

// generation marks what an assistant has said, for training. It shows its body.
type generation struct{ body *nodes.Wrapper }

func (g *generation) Position() *tokens.Token { return g.body.Location }
func (g *generation) String() string          { return "generation" }

func (g *generation) Execute(r *exec.Renderer, _ *nodes.ControlStructureBlock) error {
	return r.ExecuteWrapper(g.body)
}

func parseGeneration(p, args *parser.Parser) (nodes.ControlStructure, error) {
	body, _, err := p.WrapUntil("endgeneration")
	return &generation{body}, err
}
