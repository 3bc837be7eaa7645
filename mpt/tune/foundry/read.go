package foundry

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Recipe is what a file says.
type Recipe struct {
	Settings Settings
	Notes    []string // keys that have no meaning here, and what else a person should know
}

// The bounds of a recipe.
const (
	maxBytes  = 1 << 20
	maxDepth  = 32
	maxFlow   = 1000  // brackets and braces that open
	maxLeaves = 10000 // keys with a value
)

// leaf is a key with a value that is no mapping.
type leaf struct {
	path   string   // keys joined by dots
	values []string // of a list or a scalar; none: null, or an empty list or mapping
	list   bool
	nested bool // a list with more than scalars in it
	line   int
}

// reader is the work of [Read].
type reader struct {
	path    string
	leaves  []leaf
	byPath  map[string]*leaf
	recipe  Recipe
	origin  map[string]*leaf // who set a flag
	ignored []string
	loaders map[string]map[string]*leaf // keys of dataset, by loader
}

// Read reads a recipe: flags of mpt finetune without their dashes as keys, or llm-foundry's YAML, or both. Path is
// for errors, which name a line. Keys that are not known are errors; those that concern GPUs are noted.
func Read(path string, text []byte) (*Recipe, error) {
	r := &reader{path: path, byPath: map[string]*leaf{}, origin: map[string]*leaf{}, loaders: map[string]map[string]*leaf{}}
	if err := r.parse(text); err != nil {
		return nil, err
	}
	for i := range r.leaves {
		l := &r.leaves[i]
		if err := r.expand(l); err != nil {
			return nil, err
		}
	}
	for i := range r.leaves {
		if err := r.leaf(&r.leaves[i]); err != nil {
			return nil, err
		}
	}
	for _, loader := range slices.Sorted(maps.Keys(r.loaders)) {
		if err := r.dataset(loader, r.loaders[loader]); err != nil {
			return nil, err
		}
	}
	if len(r.ignored) > 0 {
		r.note("without meaning on a CPU, or for an adapter: %s", strings.Join(r.ignored, ", "))
	}
	return &r.recipe, nil
}

func (r *reader) note(format string, args ...any) {
	r.recipe.Notes = append(r.recipe.Notes, fmt.Sprintf(format, args...))
}

// fail returns an error at a key.
func (r *reader) fail(l *leaf, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s: %s", r.path, l.line, l.path, fmt.Sprintf(format, args...))
}

// parse fills in the leaves.
func (r *reader) parse(text []byte) error {
	if len(text) > maxBytes || strings.Count(string(text), "[")+strings.Count(string(text), "{") > maxFlow {
		return fmt.Errorf("%s: too large for a recipe: at most %d bytes, and %d brackets and braces", r.path, maxBytes, maxFlow)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		line, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		return fmt.Errorf("%s: %s", r.path, line)
	}
	var documents []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			documents = append(documents, d.Body)
		}
	}
	if len(documents) != 1 {
		return fmt.Errorf("%s: it has %d YAML documents: want one", r.path, len(documents))
	}
	switch documents[0].(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		return fmt.Errorf("%s: want a mapping of keys to values", r.path)
	}
	return r.walk("", documents[0], 0)
}

// walk adds the leaves of a node.
func (r *reader) walk(path string, n ast.Node, depth int) error {
	l := leaf{path: path, line: n.GetToken().Position.Line}
	if depth > maxDepth || len(r.leaves) > maxLeaves {
		return r.fail(&l, "nested deeper than %d, or more than %d keys", maxDepth, maxLeaves)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			if err := r.entry(path, v, depth); err != nil {
				return err
			}
		}
		if len(n.Values) > 0 {
			return nil
		}
	case *ast.MappingValueNode:
		return r.entry(path, n, depth)
	case *ast.SequenceNode:
		l.list = true
		for _, v := range n.Values {
			s, ok := scalar(v)
			l.nested = l.nested || !ok
			l.values = append(l.values, s)
		}
	case *ast.NullNode:
	default:
		s, ok := scalar(n)
		if !ok {
			return r.fail(&l, "%s are not supported in recipes", strings.ToLower(n.Type().String()))
		}
		l.values = []string{s}
	}
	if _, twice := r.byPath[path]; twice {
		return r.fail(&l, "it is there twice")
	}
	r.leaves = append(r.leaves, l)
	r.byPath[path] = &leaf{path: l.path, values: l.values, list: l.list, nested: l.nested, line: l.line}
	return nil
}

// entry walks a key and its value.
func (r *reader) entry(path string, v *ast.MappingValueNode, depth int) error {
	key, ok := scalar(v.Key)
	if !ok {
		return r.fail(&leaf{path: path, line: v.GetToken().Position.Line}, "a key that is not a word: merge keys and such are not supported")
	}
	if path != "" {
		key = path + "." + key
	}
	return r.walk(key, v.Value, depth+1)
}

// scalar returns the text of a plain value.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return strings.ReplaceAll(n.GetToken().Value, "_", ""), true
	}
	return "", false
}

// expand replaces ${a.b} by the value of that key.
func (r *reader) expand(l *leaf) error {
	for i := range l.values {
		for depth := 0; strings.Contains(l.values[i], "${"); depth++ {
			before, rest, _ := strings.Cut(l.values[i], "${")
			name, after, closed := strings.Cut(rest, "}")
			other, known := r.byPath[name]
			switch {
			case !closed:
				return r.fail(l, "%q is not closed", "${"+name)
			case strings.Contains(name, ":"):
				return r.fail(l, "${%s}: resolvers of OmegaConf are not supported: write the value out", name)
			case !known || len(other.values) != 1 || other.list:
				return r.fail(l, "${%s}: there is no such value in this file", name)
			case depth > 16 || len(l.values[i]) > 1<<16:
				return r.fail(l, "${%s}: variables within variables without end", name)
			}
			l.values[i] = before + other.values[0] + after
		}
	}
	return nil
}

// put sets a flag from a key. Two keys that say the same may both be there.
func (r *reader) put(l *leaf, flag string, values ...string) error {
	if len(values) == 0 || l.nested {
		return r.fail(l, "want a value")
	}
	if other := r.origin[flag]; other != nil && !slices.Equal(other.values, l.values) {
		return r.fail(l, "it says %s, and %s in line %d says %s", strings.Join(l.values, ", "), other.path, other.line, strings.Join(other.values, ", "))
	}
	r.origin[flag] = l
	if err := r.recipe.Settings.set(flag, values); err != nil {
		return r.fail(l, "%v", err)
	}
	return nil
}
