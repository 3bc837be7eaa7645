package server

import (
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

// whole answers a request with one answer in one piece: body makes it.
func (m *served) whole(w http.ResponseWriter, g *group, body func(c *answered) any) *apiError {
	all, err := g.collect(m, 1, 1)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, body(&all[0]))
	return nil
}
