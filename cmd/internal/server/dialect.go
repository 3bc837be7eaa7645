package server

import (
	"maps"
	"net/http"
	"strings"
)

// errorForms are how errors are told under some paths; elsewhere they have OpenAI's form.
var errorForms = []struct {
	under string
	form  func(e *apiError, requestID string) map[string]any
}{
	{"/api", ollamaError},
	{"/messages", anthropicError},
}

// form returns the body of an error for clients of a path.
func (e *apiError) form(path, requestID string) map[string]any {
	for _, x := range errorForms {
		if path == x.under || strings.HasPrefix(path, x.under+"/") {
			return x.form(e, requestID)
		}
	}
	return e.body()
}

// shapeAs reads the shape of an answer where a dialect asks for it in a field of its own: format
// is what that means as OpenAI's response_format, nil if it asks for none. Other fields that ask
// for a shape count, too.
func shapeAs(f *fields, m *served, w *wish, name string, format map[string]any) {
	if format["type"] == "json_schema" { // until readShape knows schemas
		f.failCode("invalid_schema", name, "schemas are not supported yet: any JSON object is, and grammar")
		return
	}
	if f.has("response_format") {
		f.failCode("invalid_schema", "response_format", "here it is called %s", name)
		return
	}
	g := &fields{all: maps.Clone(f.all), path: f.path}
	if format != nil {
		g.all["response_format"] = format
	}
	readShape(g, m, w)
	if e := g.err; e != nil && strings.HasPrefix(e.Param, f.path+"response_format") {
		g.err = nil
		g.failCode(e.Code, name, "%s", strings.TrimPrefix(e.Message, e.Param+": "))
	}
	f.take(g)
}

// schemaFormat is OpenAI's response_format of a schema.
func schemaFormat(schema any) map[string]any {
	return map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "answer", "schema": schema}}
}

// whole answers a request with one answer in one piece: body makes it.
func (m *served) whole(w http.ResponseWriter, g *group, body func(c *answered) any) *apiError {
	all, err := g.collect(m, 1, 1)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, body(&all[0]))
	return nil
}
