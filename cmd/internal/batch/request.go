package batch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Code says what is wrong with a line, in OpenAI's words as far as there are any.
type Code string

// The codes of lines that are not answered.
const (
	InvalidJSON   Code = "invalid_json_line"
	MissingID     Code = "missing_custom_id"
	DuplicateID   Code = "duplicate_custom_id"
	InvalidMethod Code = "invalid_method"
	InvalidURL    Code = "invalid_url"
	ModelMismatch Code = "model_mismatch"

	TimedOut  Code = "request_timeout"
	Crashed   Code = "request_crashed"
	Cancelled Code = "batch_cancelled"
)

// Flaw is why a line is not answered.
type Flaw struct {
	Code    Code   `json:"code"`
	Message string `json:"message"` // begins with "line N: "
}

func (f *Flaw) Error() string { return f.Message }

// Request is a line that can be answered. Its answer depends on nothing but this and the model.
type Request struct {
	Line     int    // the physical line, from 1
	CustomID string // what the answer is known by
	URL      string // such as /v1/completions
	Body     []byte // JSON as it stands in the line; empty if there is none
	ID       string // 32 hexadecimal digits, from the model, the custom id and the body
	Created  int64  // seconds since 1970
}

// urls are those that the format has. The server refuses what it does not support.
var urls = []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}

// mostLine is how long a line may be, in bytes.
const mostLine = 32 << 20

// rules say which lines are answered.
type rules struct {
	models []string // names of the model; none: any
}

// parse reads a line, without its end. Even a line with a flaw has a custom id, if that is there.
func (p rules) parse(n int, text []byte) (r Request, flaw *Flaw) {
	r.Line = n
	bad := func(code Code, format string, args ...any) (Request, *Flaw) {
		return r, &Flaw{code, fmt.Sprintf("line %d: ", n) + fmt.Sprintf(format, args...)}
	}
	switch {
	case len(text) > mostLine:
		return bad(InvalidJSON, "it is longer than %d MiB", mostLine>>20)
	case !utf8.Valid(text):
		return bad(InvalidJSON, "it is not UTF-8")
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil || all == nil {
		return bad(InvalidJSON, "%s", whyNoObject(err))
	}
	var method, url string
	if json.Unmarshal(all["custom_id"], &r.CustomID) != nil || r.CustomID == "" {
		return bad(MissingID, "it has no custom_id, a string that is not empty")
	}
	if json.Unmarshal(all["method"], &method) != nil || method != "POST" {
		return bad(InvalidMethod, `its method is not "POST"`)
	}
	if json.Unmarshal(all["url"], &url) != nil || !slices.Contains(urls, url) {
		return bad(InvalidURL, "its url is none of %s", strings.Join(urls, ", "))
	}
	r.URL, r.Body = url, all["body"]
	if name := modelOf(r.Body); name != "" && len(p.models) > 0 && !slices.Contains(p.models, name) {
		return bad(ModelMismatch, "it is for the model %q: here is %s", name, strings.Join(p.models, ", "))
	}
	return r, nil
}

func whyNoObject(err error) string {
	if _, wrongType := err.(*json.UnmarshalTypeError); err == nil || wrongType {
		return "it is not a JSON object"
	}
	return "it is not JSON: " + strings.TrimPrefix(err.Error(), "json: ")
}

// modelOf returns the model that a body names; "": none, or what the server will refuse.
func modelOf(body []byte) (name string) {
	json.Unmarshal(fieldsOf(body)["model"], &name)
	return name
}

// fieldsOf returns the fields of a body; nil if it is no object.
func fieldsOf(body []byte) (all map[string]json.RawMessage) {
	json.Unmarshal(body, &all)
	return all
}

// idOf returns what names the answer of a request: it depends on the model, the custom id and
// the meaning of the body. The order of its names and the spaces between them do not count.
func idOf(model string, r *Request) string {
	return digest("request", model, r.CustomID, string(canonical(r.Body)))
}

// flawedID names the answer of a line without a custom id.
func flawedID(model string, n int, text []byte) string {
	return digest("line", model, fmt.Sprint(n), string(text))
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// canonical returns JSON with sorted names and without spaces, numbers as they are written.
func canonical(body []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return body
	}
	b, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return b
}
