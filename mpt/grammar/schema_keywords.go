package grammar

import (
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

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
		}
	}
	return s.checkDraft(v)
}

// checkLoops refuses a schema that a value has to obey before it can obey it.
func (s *schema) checkLoops(v *value, open map[*value]bool) error {
	if open[v] {
		return failAt(v, "", "it needs itself, with no property or item between")
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
	items, prefix := v.fields["items"], v.fields["prefixItems"]
	list := items != nil && items.kind == isArray
	switch {
	case s.draft != jsonschema.Draft2020 && prefix != nil:
		return failAt(v, "prefixItems", "only draft 2020-12 has it: use a list in items, or another $schema")
	case list && prefix != nil:
		return failAt(v, "items", "it is a list, as before draft 2020-12, beside prefixItems")
	case v.fields["additionalItems"] != nil && !list:
		return failAt(v, "additionalItems", "it means nothing without a list in items")
	}
	return nil
}

// checkAll refuses what is not kept anywhere in a schema: for places where values are looked at
// by the library.
func (s *schema) checkAll(v *value) error {
	for todo := []*value{v}; len(todo) > 0; {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if v.kind != isObject || s.checked[v] {
			continue
		}
		s.checked[v] = true
		if err := s.checkKeywords(v); err != nil {
			return err
		}
		if x := v.fields["pattern"]; x != nil {
			if _, err := s.pattern(x.text); err != nil {
				return failAt(v, "pattern", "%v", err)
			}
		}
		ref, err := s.reference(v)
		if err != nil {
			return err
		}
		if ref != nil {
			todo = append(todo, ref)
		}
		for _, x := range subschemas(v) {
			todo = append(todo, x)
		}
	}
	return nil
}
