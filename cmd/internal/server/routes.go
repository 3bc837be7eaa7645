package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// route is a path and what answers there.
type route struct {
	method, path string
	answer       handler
	open         bool // needs no key
}

// handler answers a request, or returns what is wrong with it before anything is answered.
type handler func(*Server, http.ResponseWriter, *http.Request) *apiError

// routes are without /v1 and without a slash at the end: both are accepted everywhere. Only a /v1 that
// a path begins with is meant, behind the prefix; further behind it is part of the path, and of its row.
var routes = []route{
	{"GET", "/health", (*Server).health, true},
	{"GET", "/metrics", (*Server).showMetrics, false},
	{"GET", "/models", (*Server).listModels, false},
	{"POST", "/models/load", (*Server).loadModel, false},
	{"POST", "/models/unload", (*Server).unloadModel, false},
	{"GET", "/models/{id...}", (*Server).showModel, false},
	{"POST", "/chat/completions", (*Server).chatCompletions, false},
	{"POST", "/completions", (*Server).completions, false},
	{"POST", "/completion", (*Server).completion, false},
	{"POST", "/tokenize", (*Server).tokenize, false},
	{"POST", "/detokenize", (*Server).detokenize, false},
	{"POST", "/apply-template", (*Server).applyTemplate, false},
	{"GET", "/tokenizer_info", (*Server).tokenizerInfo, false},
	{"GET", "/props", (*Server).props, false},
	{"GET", "/slots", (*Server).slots, false},
	{"POST", "/slots/{id...}", (*Server).slotAction, false},
	{"POST", "/embeddings", (*Server).embeddings, false},
	{"POST", "/embedding", (*Server).embedding, false},
	{"GET", "/lora-adapters", (*Server).listAdapters, false},
	{"POST", "/lora-adapters", (*Server).scaleAdapters, false},
	{"POST", "/infill", notBuilt("texts between two others"), false},

	{"POST", "/messages", (*Server).messages, false},
	{"POST", "/messages/count_tokens", (*Server).countTokens, false},
	{"POST", "/responses", (*Server).responses, false},
	{"POST", "/responses/input_tokens", (*Server).responseTokens, false},
	{"GET", "/responses/{id...}", noResponse, false},
	{"DELETE", "/responses/{id...}", noResponse, false},

	{"GET", "/", (*Server).root, true},
	{"GET", "/api/version", (*Server).ollamaVersion, false},
	{"GET", "/api/tags", (*Server).ollamaTags, false},
	{"GET", "/api/ps", (*Server).ollamaRunning, false},
	{"POST", "/api/show", (*Server).ollamaShow, false},
	{"POST", "/api/chat", (*Server).ollamaChat, false},
	{"POST", "/api/generate", (*Server).ollamaGenerate, false},
	{"POST", "/api/embed", (*Server).ollamaEmbed, false},
	{"POST", "/api/embeddings", (*Server).ollamaEmbeddings, false},
	{"POST", "/api/pull", notHere("fetched"), false},
	{"POST", "/api/push", notHere("published"), false},
	{"POST", "/api/create", notHere("made"), false},
	{"POST", "/api/copy", notHere("copied"), false},
	{"DELETE", "/api/delete", notHere("deleted"), false},
	{"GET", "/api/blobs/{id...}", notHere("kept"), false},
	{"POST", "/api/blobs/{id...}", notHere("kept"), false},
}

// notBuilt refuses what this server does not have.
func notBuilt(what string) handler {
	return func(*Server, http.ResponseWriter, *http.Request) *apiError {
		return unsupported(what + " are not supported by this server")
	}
}

// notHere refuses to change which models there are.
func notHere(done string) handler {
	return func(*Server, http.ResponseWriter, *http.Request) *apiError {
		return unsupported("models are not " + done + " through this server: it has those that it was started with; " +
			"see mpt pull, mpt quantize and mpt serve -m")
	}
}

// find returns the route of a path and method. Without one it says what is wrong.
func (s *Server) find(method, path string) (*route, string, *apiError) {
	if method == "HEAD" {
		method = "GET"
	}
	var allowed []string
	for i := range routes {
		r := &routes[i]
		rest, ok := r.matches(path)
		if ok && r.method == method {
			return r, rest, nil
		}
		if ok {
			allowed = append(allowed, r.method)
		}
	}
	if allowed == nil {
		return nil, "", notFound("there is nothing at %s", path)
	}
	if slices.Contains(allowed, "GET") {
		allowed = append(allowed, "HEAD")
	}
	return nil, "", &apiError{Status: 405, Type: invalidRequest, Code: "method_not_allowed",
		Message: fmt.Sprintf("%s is not possible at %s: use %s", method, path, allowed[0]),
		Head:    map[string]string{"Allow": strings.Join(append(allowed, "OPTIONS"), ", ")}}
}

// matches reports whether a path is the route's, and returns what stands for {id...}.
func (r *route) matches(path string) (rest string, ok bool) {
	if fixed, _, open := strings.Cut(r.path, "{id...}"); open {
		rest, ok = strings.CutPrefix(path, fixed)
		return rest, ok && rest != ""
	}
	return "", path == r.path
}

// clean takes the prefix, /v1 and slashes at the end from a path.
func (s *Server) clean(path string) (string, bool) {
	path, ok := strings.CutPrefix(path, s.c.Prefix)
	path = strings.TrimRight(path, "/")
	if path == "" {
		return "/", ok
	}
	if after, v1 := strings.CutPrefix(path, "/v1/"); v1 {
		path = "/" + after
	}
	return path, ok
}
