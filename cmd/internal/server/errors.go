package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"mptgo/mpt"
	"mptgo/mpt/grammar"
	"mptgo/mpt/serve"
	"mptgo/sampling"
)

// The types of errors, in OpenAI's words.
const (
	invalidRequest = "invalid_request_error"
	serverError    = "server_error"
)

// apiError is an answer that says what is wrong.
type apiError struct {
	Status  int
	Type    string
	Code    string // "" is null
	Param   string // the path of the field, "" is null
	Message string

	Extra map[string]any    // more members of the error object
	Head  map[string]string // headers
}

func (e *apiError) Error() string { return e.Message }

// body returns {"error": ...}.
func (e *apiError) body() map[string]any {
	o := map[string]any{"message": e.Message, "type": e.Type, "param": null(e.Param), "code": null(e.Code)}
	for k, v := range e.Extra {
		o[k] = v
	}
	return map[string]any{"error": o}
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// write answers with the error, in the form that clients of the path expect.
func (e *apiError) write(w http.ResponseWriter, path string) {
	for k, v := range e.Head {
		w.Header().Set(k, v)
	}
	writeJSON(w, e.Status, e.form(path, w.Header().Get("X-Request-Id")))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // a client that has gone is no error of ours
}

// errorOf turns an error of the engine into an answer.
func errorOf(err error) *apiError {
	var api *apiError
	var full *serve.QueueFullError
	var long *serve.ContextError
	var bad *serve.RequestError
	var memory *mpt.MemoryError
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &full):
		return &apiError{Status: 429, Type: "rate_limit_error", Code: "queue_full", Message: err.Error(),
			Head: map[string]string{"Retry-After": strconv.Itoa(int(math.Ceil(full.RetryAfter.Seconds())))}}
	case errors.As(err, &long):
		return &apiError{Status: 400, Type: invalidRequest, Code: "context_length_exceeded", Message: err.Error(),
			Extra: map[string]any{"n_prompt_tokens": long.Tokens, "n_ctx": long.Context}}
	case errors.As(err, &bad):
		return &apiError{Status: 400, Type: invalidRequest, Param: bad.Field, Message: err.Error()}
	case errors.Is(err, serve.ErrDraining), errors.Is(err, serve.ErrClosed):
		return unavailable("draining", "the server is about to end")
	case errors.Is(err, context.Canceled):
		return &apiError{Status: 499, Type: invalidRequest, Message: "the client has gone"} // for the log: nobody reads it
	case errors.Is(err, grammar.ErrTooManyStates): // which shows only as a text goes on
		e := invalid(400, "invalid_grammar", "%s", strings.TrimPrefix(grammar.ErrTooManyStates.Error(), "grammar: "))
		e.Param = "grammar"
		return e
	case errors.Is(err, mpt.ErrNothingAllowed), errors.Is(err, sampling.ErrRuledOut):
		return invalid(400, "", "every token is ruled out: check logit_bias, the penalties and the grammar, if there is one")
	case errors.As(err, &memory):
		return unavailable("", err.Error())
	}
	return &apiError{Status: 500, Type: serverError, Message: err.Error()}
}

// invalid is an error of a request's form.
func invalid(status int, code, format string, args ...any) *apiError {
	return &apiError{Status: status, Type: invalidRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

func unavailable(code, message string) *apiError {
	return &apiError{Status: 503, Type: "unavailable_error", Code: code, Message: message,
		Head: map[string]string{"Retry-After": "1"}}
}

func notFound(format string, args ...any) *apiError {
	return &apiError{Status: 404, Type: "not_found_error", Code: "not_found", Message: fmt.Sprintf(format, args...)}
}

func unsupported(message string) *apiError {
	return &apiError{Status: 501, Type: "not_supported_error", Message: message}
}
