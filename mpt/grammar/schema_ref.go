package grammar

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// reference returns the schema that $ref names; nil: there is none.
func (s *schema) reference(v *value) (*value, error) {
	x := v.fields["$ref"]
	if x == nil {
		return nil, nil
	}
	ref := x.text
	if id := s.root.fields["$id"]; id != nil && id.text != "" {
		ref = strings.TrimPrefix(ref, strings.TrimSuffix(id.text, "#"))
	}
	fragment, local := strings.CutPrefix(ref, "#")
	if !local && ref != "" {
		return nil, failAt(v, "$ref", "%q is in another document: only references inside of the schema are supported", x.text)
	}
	target, err := s.at(fragment)
	if err != nil {
		return nil, failAt(v, "$ref", "%q: %v", x.text, err)
	}
	if target.kind != isObject && target.kind != isTrue && target.kind != isFalse {
		return nil, failAt(v, "$ref", "%q is no schema", x.text)
	}
	return target, nil
}

// at returns what a fragment of a URL names: a JSON pointer or an anchor.
func (s *schema) at(fragment string) (*value, error) {
	fragment, err := url.PathUnescape(fragment)
	if err != nil {
		return nil, err
	}
	if fragment != "" && fragment[0] != '/' {
		if v := s.anchors[fragment]; v != nil {
			return v, nil
		}
		return nil, errors.New("there is no such anchor")
	}
	v := s.root
	for _, part := range strings.Split(fragment, "/")[1:] {
		if x := v.fields["$id"]; x != nil && v != s.root && !strings.HasPrefix(x.text, "#") {
			return nil, errors.New("it leads through a schema with an $id of its own")
		}
		name := strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		next := v.fields[name]
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v.items) {
			next = v.items[i]
		}
		if next == nil {
			return nil, fmt.Errorf("there is nothing at %s", v.pointer+"/"+part)
		}
		v = next
	}
	return v, nil
}

// findAnchors finds the schemas that have names, and refuses those of which it would not be
// certain what they name.
func (s *schema) findAnchors() error {
	s.anchors = map[string]*value{}
	seen := map[*value]bool{}
	for todo := []*value{s.root}; len(todo) > 0; {
		v := todo[0]
		todo = todo[1:]
		if seen[v] {
			continue
		}
		seen[v] = true
		var name string
		if x := v.fields["$anchor"]; x != nil {
			name = x.text
		}
		if x := v.fields["$id"]; x != nil && v != s.root {
			if !strings.HasPrefix(x.text, "#") {
				if refers(v) {
					return failAt(v, "$id", "references inside of a schema with an $id of its own are not supported")
				}
				continue
			}
			name = x.text[1:]
		}
		if name != "" && s.anchors[name] != nil {
			return failAt(v, "", "the anchor %q is there twice", name)
		} else if name != "" {
			s.anchors[name] = v
		}
		todo = append(todo, subschemas(v)...)
	}
	return nil
}

// refers reports whether there is a reference somewhere inside of a schema.
func refers(v *value) bool {
	if v.fields["$ref"] != nil {
		return true
	}
	return slices.ContainsFunc(subschemas(v), refers)
}

// subschemas returns the schemas that stand in keywords of one, in their order.
func subschemas(v *value) (list []*value) {
	eachSubschema(v, func(_ string, x *value) { list = append(list, x) })
	return list
}

// eachSubschema calls f for the schemas that stand in keywords of one, in their order, and tells
// where they stand.
func eachSubschema(v *value, f func(pointer string, x *value)) {
	for _, name := range v.names {
		x, at := v.fields[name], v.pointer+"/"+escapePointer(name)
		switch name {
		case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
			for _, key := range x.names {
				f(at+"/"+escapePointer(key), x.fields[key])
			}
		case "allOf", "anyOf", "oneOf", "prefixItems":
			for i, item := range x.items {
				f(at+"/"+strconv.Itoa(i), item)
			}
		case "items", "additionalItems", "additionalProperties", "propertyNames", "not", "if", "then", "else", "contains",
			"unevaluatedItems", "unevaluatedProperties", "contentSchema":
			if x.kind != isArray {
				f(at, x)
			}
			for i, item := range x.items {
				f(at+"/"+strconv.Itoa(i), item)
			}
		}
	}
}
