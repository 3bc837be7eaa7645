package server

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// about is what the log says of a request.
type about struct {
	id     string
	key    string // who asks: which key, or the remote address
	status int
	attrs  []any
	ended  []func() // what is to be done at the end
}

type aboutKey struct{}

func aboutOf(r *http.Request) *about { return r.Context().Value(aboutKey{}).(*about) }

// note adds to the line of the log.
func note(r *http.Request, attrs ...any) {
	a := aboutOf(r)
	a.attrs = append(a.attrs, attrs...)
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	a *about
}

func (w *recorder) WriteHeader(status int) {
	if w.a.status == 0 {
		w.a.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.a.status == 0 {
		w.a.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

var goodID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// build returns the handler of everything.
func (s *Server) build() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		path, _ := s.clean(r.URL.Path)
		a := &about{id: r.Header.Get("X-Request-Id")}
		if !goodID.MatchString(a.id) {
			a.id = "req_" + rand.Text()
		}
		w.Header().Set("X-Request-Id", a.id)
		rec := &recorder{w, a}
		r = r.WithContext(context.WithValue(r.Context(), aboutKey{}, a))
		defer func() {
			if x := recover(); x != nil && x != http.ErrAbortHandler {
				s.c.Log.Error("panic", "request_id", a.id, "panic", x, "stack", string(debug.Stack()))
				if a.status == 0 {
					e := &apiError{Status: 500, Type: serverError, Message: "a fault of the server: its log has more under " + a.id}
					e.write(rec, path)
				}
			}
			for _, f := range a.ended {
				f()
			}
			s.metrics.request(path, a.status)
			s.c.Log.Info("request", append([]any{"request_id", a.id, "method", r.Method, "path", r.URL.Path, "status", a.status,
				"duration_ms", time.Since(begun).Milliseconds(), "remote", r.RemoteAddr, "key", a.key}, a.attrs...)...)
		}()
		if err := s.dispatch(rec, r); err != nil {
			err.write(rec, path)
		}
	})
}

// dispatch checks who asks and hands the request to its route.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) *apiError {
	if err := s.checkHost(r); err != nil {
		return err
	}
	if err := s.checkOrigin(w, r); err != nil {
		return err
	}
	path, ok := s.clean(r.URL.Path)
	if !ok {
		return notFound("there is nothing at %s: all paths begin with %s", r.URL.Path, s.c.Prefix)
	}
	if r.Method == "OPTIONS" {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if s.servePage(w, r) {
		return nil
	}
	route, rest, err := s.find(r.Method, path)
	if route == nil || !route.open {
		if err := s.checkKey(r); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := s.limit(w, r, route); err != nil {
		return err
	}
	r.SetPathValue("id", rest)
	return route.answer(s, w, r)
}

// checkHost refuses foreign names of a server that listens on loopback: a page whose name
// leads here would be of the same origin for a browser.
func (s *Server) checkHost(r *http.Request) *apiError {
	host := hostOf(r.Host)
	if !s.c.Loopback || loopback(host) || slices.Contains(s.c.AllowedHosts, host) {
		return nil
	}
	return &apiError{Status: 403, Type: "permission_error", Code: "host_not_allowed",
		Message: "the host " + host + " is not one that this server listens for: allow it where the server is started"}
}

// checkOrigin refuses pages of other origins, which could drive the server from any browser,
// and allows the others to read answers.
func (s *Server) checkOrigin(w http.ResponseWriter, r *http.Request) *apiError {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	u, err := url.Parse(origin)
	ours := err == nil && (u.Host == r.Host || loopback(u.Hostname()))
	if !ours && !slices.Contains(s.c.Origins, "*") && !slices.Contains(s.c.Origins, origin) {
		return &apiError{Status: 403, Type: "permission_error", Code: "origin_not_allowed",
			Message: "pages of " + origin + " may not use this server: allow it where the server is started"}
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
	h.Set("Access-Control-Expose-Headers", "X-Request-Id, Request-Id, Retry-After, "+
		"X-Ratelimit-Limit-Requests, X-Ratelimit-Remaining-Requests, X-Ratelimit-Reset-Requests, "+
		"X-Ratelimit-Limit-Tokens, X-Ratelimit-Remaining-Tokens, X-Ratelimit-Reset-Tokens")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	return nil
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") || host == "" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// checkKey asks for an API key if there are any.
func (s *Server) checkKey(r *http.Request) *apiError {
	a := aboutOf(r)
	a.key = hostOf(r.RemoteAddr)
	if len(s.c.Keys) == 0 {
		return nil
	}
	given := r.Header.Get("X-Api-Key")
	if kind, key, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(kind, "Bearer") {
		given = strings.TrimSpace(key)
	}
	sum := sha256.Sum256([]byte(given))
	for i, k := range s.c.Keys {
		want := sha256.Sum256([]byte(k))
		if subtle.ConstantTimeCompare(sum[:], want[:]) == 1 {
			a.key = "key " + strconv.Itoa(i+1)
			return nil
		}
	}
	return &apiError{Status: 401, Type: "authentication_error", Code: "invalid_api_key",
		Message: "a valid API key is needed, as Authorization: Bearer KEY or X-Api-Key: KEY",
		Head:    map[string]string{"WWW-Authenticate": "Bearer"}}
}

// receive reads the fields of a request and finds the model that it names.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) (*fields, *served, *apiError) {
	f, err := s.readBody(w, r)
	if err != nil {
		return nil, nil, err
	}
	fixedOf(r).anyModel(f)
	m, err := s.named(r, f)
	return f, m, err
}

// readBody reads the JSON object of a request.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (*fields, *apiError) {
	b, err := s.readBytes(w, r)
	if err != nil {
		return nil, err
	}
	return readFields(b)
}

// readBytes reads the body of a request.
func (s *Server) readBytes(w http.ResponseWriter, r *http.Request) ([]byte, *apiError) {
	if err := checkType(r); err != nil {
		return nil, err
	}
	var body io.Reader = &patient{r.Body, http.NewResponseController(w), s.c.BodyTimeout}
	switch e := r.Header.Get("Content-Encoding"); {
	case e == "" || e == "identity":
	case strings.EqualFold(e, "gzip"):
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, invalid(400, "invalid_json", "the body is not gzip, as its Content-Encoding says")
		}
		body = z
	default:
		return nil, invalid(415, "unsupported_media_type", "the Content-Encoding %s is not supported: use gzip or none", e)
	}
	b, err := io.ReadAll(io.LimitReader(body, s.c.MaxBody+1))
	switch {
	case int64(len(b)) > s.c.MaxBody:
		return nil, invalid(413, "body_too_large", "the body is larger than the server takes")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return nil, invalid(400, "invalid_json", "the body ends early or is damaged")
	case err != nil:
		return nil, invalid(400, "invalid_json", "the body could not be read")
	}
	return b, nil
}

// patient reads a body whose sender may take its time, but not for ever. At the end of the
// body net/http takes the limit back.
type patient struct {
	io.Reader
	c    *http.ResponseController
	wait time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	p.c.SetReadDeadline(time.Now().Add(p.wait)) // where that is not possible there is no limit
	return p.Reader.Read(b)
}

// checkType accepts JSON under the names that clients give it: curl -d sends a form's.
func checkType(r *http.Request) *apiError {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	t, _, _ := mime.ParseMediaType(header)
	if t == "application/json" || t == "application/x-www-form-urlencoded" || strings.HasSuffix(t, "+json") {
		return nil
	}
	return invalid(415, "unsupported_media_type", "the Content-Type %s is not supported: send application/json", header)
}
