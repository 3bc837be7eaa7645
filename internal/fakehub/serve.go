package fakehub

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// dataFaults are the faults of the bytes of files.
var dataFaults = []string{"drop", "stall", "slow", "500", "data429", "short", "long", "badlen", "corrupt", "badetag",
	"wrongrange",
	"norange", "range416", "gzip", "page", "newetag", "denied"}

// serveContent sends a file, or the range of it that is asked for, or what a fault makes
// of that.
func (h *Hub) serveContent(w http.ResponseWriter, r *http.Request, path string, c Content, etag string) {
	f := h.fault(path, dataFaults...)
	kind := ""
	if f != nil {
		kind = f.Kind
	}
	from, to, ranged := rangeOf(r, c.Size())
	switch kind {
	case "500", "data429":
		if kind == "data429" {
			w.Header().Set("Retry-After", strconv.FormatInt(f.After, 10))
			w.WriteHeader(429)
			return
		}
		w.WriteHeader(500)
		return
	case "denied":
		w.WriteHeader(403)
		return
	case "page":
		io.WriteString(w, "<html><body>Please log in</body></html>")
		return
	case "range416":
		if ranged {
			w.WriteHeader(416)
			return
		}
	case "norange":
		from, to, ranged = 0, c.Size(), false
	case "badetag", "newetag":
		etag = strings.Repeat("0", 63) + strconv.Itoa(int(time.Now().UnixNano()%10))
	}
	if match := r.Header.Get("If-Range"); match != "" && match != `"`+etag+`"` {
		from, to, ranged = 0, c.Size(), false
	}
	w.Header().Set("ETag", `"`+etag+`"`)
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Length", strconv.FormatInt(c.Size(), 10))
		return
	}
	if kind == "gzip" && !ranged {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		h.copy(z, c, from, to)
		z.Close()
		return
	}
	h.headers(w, kind, from, to, c.Size(), ranged)
	h.body(w, r, f, kind, c, from, to)
}

// headers writes those of a range or a whole file.
func (h *Hub) headers(w http.ResponseWriter, kind string, from, to, size int64, ranged bool) {
	length := to - from
	switch kind {
	case "short":
		length /= 2
	case "badlen":
		length += 100
	}
	if kind != "long" {
		w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	}
	if !ranged {
		w.WriteHeader(http.StatusOK)
		return
	}
	if kind == "wrongrange" {
		from += 7
	}
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
	w.WriteHeader(http.StatusPartialContent)
}

// body writes the bytes as a fault has them.
func (h *Hub) body(w http.ResponseWriter, r *http.Request, f *Fault, kind string, c Content, from, to int64) {
	switch kind {
	case "drop", "stall":
		h.copy(w, c, from, min(to, from+f.After))
		w.(http.Flusher).Flush()
		if kind == "stall" {
			h.hang(r)
		}
		panic(http.ErrAbortHandler)
	case "slow":
		for ; from < to; from += f.After {
			h.copy(w, c, from, min(to, from+f.After))
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	case "short":
		h.copy(w, c, from, from+(to-from)/2)
	case "corrupt":
		h.copy(w, c, from, to-1)
		var last [1]byte
		c.ReadAt(last[:], to-1)
		w.Write([]byte{^last[0]})
	case "long":
		h.copy(w, c, from, to)
		io.WriteString(w, strings.Repeat("more", 1000))
	default:
		h.copy(w, c, from, to)
	}
}

// copy writes bytes from up to to of a content and counts them.
func (h *Hub) copy(w io.Writer, c Content, from, to int64) {
	b := make([]byte, 128<<10)
	for from < to {
		n, err := c.ReadAt(b[:min(int64(len(b)), to-from)], from)
		if n == 0 && err != nil {
			return
		}
		k, err := w.Write(b[:n])
		h.mu.Lock()
		h.sent += int64(k)
		h.mu.Unlock()
		if err != nil {
			return
		}
		from += int64(n)
	}
}

// rangeOf reads a header Range of the form bytes=FROM-[TO].
func rangeOf(r *http.Request, size int64) (from, to int64, ok bool) {
	text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	a, b, both := strings.Cut(text, "-")
	if !ok || !both {
		return 0, size, false
	}
	from, err := strconv.ParseInt(a, 10, 64)
	if err != nil || from >= size {
		return 0, size, false
	}
	to = size - 1
	if b != "" {
		if to, err = strconv.ParseInt(b, 10, 64); err != nil {
			return 0, size, false
		}
	}
	return from, min(to+1, size), true
}
