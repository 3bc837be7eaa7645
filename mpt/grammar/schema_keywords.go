package grammar

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"mptgo/mpt/grammar/internal/dfa"
)

// keyword is what is known of one.
type keyword struct {
	about  kinds  // the types that it says something about, none if it is about any
	refuse string // why it is refused; "": it is kept, or is an annotation
}

const notKept = "is not supported"

// keywords are all that are known. Others are refused: one that is misspelt would not be kept.
var keywords = map[string]keyword{
	"type": {}, "enum": {}, "const": {}, "$ref": {}, "allOf": {}, "anyOf": {}, "oneOf": {},

	"properties": {about: kindObject}, "required": {about: kindObject}, "additionalProperties": {about: kindObject},
	"patternProperties": {about: kindObject}, "propertyNames": {about: kindObject},
	"minProperties": {about: kindObject}, "maxProperties": {about: kindObject},
	"items": {about: kindArray}, "prefixItems": {about: kindArray}, "additionalItems": {about: kindArray},
	"minItems": {about: kindArray}, "maxItems": {about: kindArray},
	"minLength": {about: kindString}, "maxLength": {about: kindString}, "pattern": {about: kindString},
	"minimum": {about: kindNumber | kindInteger}, "maximum": {about: kindNumber | kindInteger},
	"exclusiveMinimum": {about: kindNumber | kindInteger}, "exclusiveMaximum": {about: kindNumber | kindInteger},
	"multipleOf": {about: kindNumber | kindInteger}, "format": {about: kindString},

	"$schema": {}, "$id": {}, "$anchor": {}, "$defs": {}, "definitions": {}, "$comment": {}, "title": {}, "description": {},
	"default": {}, "examples": {}, "example": {}, "deprecated": {}, "readOnly": {}, "writeOnly": {}, "discriminator": {},
	"contentEncoding": {}, "contentMediaType": {}, "contentSchema": {}, "$vocabulary": {}, "propertyOrdering": {},

	"not": {refuse: notKept}, "if": {refuse: notKept}, "then": {refuse: notKept}, "else": {refuse: notKept},
	"contains": {refuse: notKept}, "minContains": {refuse: notKept}, "maxContains": {refuse: notKept},
	"dependentRequired": {refuse: notKept}, "dependentSchemas": {refuse: notKept}, "dependencies": {refuse: notKept},
	"unevaluatedItems": {refuse: notKept}, "unevaluatedProperties": {refuse: notKept},
	"$dynamicRef": {refuse: notKept}, "$dynamicAnchor": {refuse: notKept}, "$recursiveRef": {refuse: notKept},
	"$recursiveAnchor": {refuse: notKept},
	"nullable":         {refuse: `is not of JSON schema: write "type": [..., "null"]`},
}

// checkKeywords refuses what of a schema is not kept.
func (s *schema) checkKeywords(v *value) error {
	if s.fine[v] {
		return nil
	}
	s.fine[v] = true
	if err := s.checkLoops(v, map[*value]bool{}); err != nil {
		return err
	}
	for _, name := range v.names {
		k, known := keywords[name]
		x := v.fields[name]
		switch {
		case name == "uniqueItems":
			if x.kind == isTrue {
				return failAt(v, name, notKept)
			}
		case strings.HasPrefix(name, "x-"):
		case !known:
			return failAt(v, name, "the keyword is not known (names that begin with x- are ignored)")
		case k.refuse != "":
			return failAt(v, name, "%s", k.refuse)
		case name == "format":
			if _, err := dfa.Format(x.text); err != nil {
				return failAt(v, name, "%v", err)
			}
		case name == "$id" && v != s.root && s.refers(v):
			return failAt(v, name, "references inside of a schema with an $id of its own are not supported")
		}
	}
	return s.checkDraft(v)
}

// checkLoops refuses a schema that a value has to obey before it can obey it.
func (s *schema) checkLoops(v *value, open map[*value]bool) error {
	if open[v] {
		return failAt(v, "", "it needs itself before anything of a value: no value can obey it")
	}
	if s.straight[v] || v.kind != isObject {
		return nil
	}
	open[v] = true
	var list []*value
	for _, name := range []string{"allOf", "anyOf", "oneOf"} {
		if x := v.fields[name]; x != nil {
			list = append(list, x.items...)
		}
	}
	if ref, err := s.reference(v); err != nil {
		return err
	} else if ref != nil {
		list = append(list, ref)
	}
	for _, x := range list {
		if err := s.checkLoops(x, open); err != nil {
			return err
		}
	}
	delete(open, v)
	s.straight[v] = true
	return nil
}

// checkDraft refuses keywords that the drafts understand differently.
func (s *schema) checkDraft(v *value) error {
	items := v.fields["items"]
	switch {
	case s.seven && v.fields["prefixItems"] != nil:
		return failAt(v, "prefixItems", "draft 7 does not have it: use a list in items, or $schema 2020-12")
	case !s.seven && items != nil && items.kind == isArray && v.fields["prefixItems"] != nil:
		return failAt(v, "items", "it is a list, as in draft 7, beside prefixItems")
	case v.fields["additionalItems"] != nil && (items == nil || items.kind != isArray):
		return failAt(v, "additionalItems", "it means nothing without a list in items")
	}
	return nil
}

// refers reports whether there is a reference somewhere inside of a value.
func (s *schema) refers(v *value) bool {
	if x := v.fields["$ref"]; x != nil && x.kind == isString {
		return true
	}
	for _, x := range v.fields {
		if s.refers(x) {
			return true
		}
	}
	for _, x := range v.items {
		if s.refers(x) {
			return true
		}
	}
	return false
}

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
		if v := s.anchor(s.root, fragment); v != nil {
			return v, nil
		}
		return nil, errors.New("there is no such anchor")
	}
	v := s.root
	for _, part := range strings.Split(fragment, "/")[1:] {
		name := strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		next := v.fields[name]
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(v.items) {
			next = v.items[i]
		}
		if next == nil {
			return nil, fmt.Errorf("there is nothing at %s", strings.TrimPrefix(v.pointer+"/"+part, "/"))
		}
		v = next
	}
	return v, nil
}

// anchor returns the schema in v that has a name.
func (s *schema) anchor(root *value, name string) *value {
	if s.anchors == nil {
		s.anchors = map[string]*value{}
		for todo := []*value{root}; len(todo) > 0; {
			v := todo[len(todo)-1]
			todo = append(todo[:len(todo)-1], v.items...)
			for _, x := range v.fields {
				todo = append(todo, x)
			}
			if x := v.fields["$anchor"]; x != nil && x.kind == isString {
				s.anchors[x.text] = v
			}
			if x := v.fields["$id"]; x != nil && strings.HasPrefix(x.text, "#") {
				s.anchors[x.text[1:]] = v
			}
		}
	}
	return s.anchors[name]
}

// ofSeven reports whether a schema has a keyword in a form that only draft 7 and those before
// it know.
func ofSeven(v *value, schema bool) bool {
	if schema && v.kind == isObject {
		if x := v.fields["items"]; x != nil && x.kind == isArray {
			return true
		}
		if v.fields["additionalItems"] != nil {
			return true
		}
	}
	for name, x := range v.fields {
		switch {
		case schema && (name == "enum" || name == "const" || name == "default" || name == "examples"):
		case schema && (name == "properties" || name == "patternProperties" || name == "$defs" || name == "definitions"):
			for _, y := range x.fields {
				if ofSeven(y, true) {
					return true
				}
			}
		default:
			if ofSeven(x, true) {
				return true
			}
		}
	}
	for _, x := range v.items {
		if ofSeven(x, true) {
			return true
		}
	}
	return false
}
