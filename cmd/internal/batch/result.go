package batch

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Answer is what a [Worker] makes of a request.
type Answer struct {
	Status int             // as of HTTP
	Body   json.RawMessage // an answer, or {"error": ...}
}

// line is a line of the outputs.
type line struct {
	ID       string    `json:"id"`
	CustomID *string   `json:"custom_id"`
	Response *response `json:"response"`
	Error    *Flaw     `json:"error"`
}

type response struct {
	Status    int             `json:"status_code"`
	RequestID string          `json:"request_id"`
	Body      json.RawMessage `json:"body"`
}

// Result is a line of the outputs.
type Result struct {
	Failed bool   // it belongs to the errors
	Text   []byte // with its end
}

// resultOf tells the answer of a request.
func resultOf(r *Request, a Answer) (Result, error) {
	return encode(a.Status != http.StatusOK, line{
		ID: "batch_req_" + r.ID, CustomID: &r.CustomID,
		Response: &response{a.Status, "req_" + r.ID, a.Body},
	})
}

// failure tells why a line was not answered.
func failure(id, customID string, flaw *Flaw) (Result, error) {
	l := line{ID: "batch_req_" + id, Error: flaw}
	if customID != "" {
		l.CustomID = &customID
	}
	return encode(true, l)
}

func encode(failed bool, l line) (Result, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(l)
	return Result{failed, b.Bytes()}, err
}
