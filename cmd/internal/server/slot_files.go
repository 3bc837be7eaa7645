package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mptgo/internal/newfile"
	"mptgo/mpt"
	"mptgo/mpt/serve"
)

// slotAction is llama.cpp's POST /slots/N?action=save|restore|erase.
func (s *Server) slotAction(w http.ResponseWriter, r *http.Request) *apiError {
	if s.c.SlotDir == "" {
		return unsupported("slots are not saved by this server as it was started: --slot-save-path FOLDER switches that on")
	}
	action := r.URL.Query().Get("action")
	if action != "save" && action != "restore" && action != "erase" {
		return badField("action", "%q is not known: save, restore and erase are", action)
	}
	m, name, err := s.slotRequest(w, r, action)
	if err != nil {
		return err
	}
	n, bad := strconv.Atoi(r.PathValue("id"))
	if most := len(m.slots.last); bad != nil || n < 0 || n >= most {
		return badField("id_slot", "there is no slot %s: the server has 0 to %d", r.PathValue("id"), most-1)
	}
	if action == "erase" {
		return m.eraseSlot(w, n)
	}
	root, failed := os.OpenRoot(s.c.SlotDir) // nothing leads out of it, no link either
	if failed != nil {
		return errorOf(fmt.Errorf("the folder of slots: %w", failed))
	}
	defer root.Close()
	if action == "save" {
		return m.saveSlot(w, r, n, root, name)
	}
	return m.restoreSlot(w, r, n, root, name)
}

// slotRequest returns the model of a request about a slot, which its body or its query names, and
// the name of the file. What only erases needs no body.
func (s *Server) slotRequest(w http.ResponseWriter, r *http.Request, action string) (*served, string, *apiError) {
	b, err := s.readBytes(w, r)
	if err != nil {
		return nil, "", err
	}
	if len(b) == 0 && action == "erase" {
		b = []byte("{}")
	}
	f, err := readFields(b)
	if err != nil {
		return nil, "", err
	}
	name := ""
	if action != "erase" {
		name = slotFile(f)
	}
	if q := r.URL.Query().Get("model"); q != "" && f.has("model") && f.text("model") != q {
		f.fail("model", "it is %q, but %q in the query: name one of them", f.text("model"), q)
	}
	if f.err != nil {
		return nil, "", f.err
	}
	if f.has("model") {
		m, err := s.named(r, f)
		return m, name, err
	}
	m, err := s.meant(r)
	return m, name, err
}

// badField says what is wrong with what is no field of the body.
func badField(name, format string, args ...any) *apiError {
	e := invalid(400, "", "%s: %s", name, fmt.Sprintf(format, args...))
	e.Param = name
	return e
}

// mostName is how many bytes the name of a file may have.
const mostName = 200

// slotFile reads the name of a file, which is in the folder of slots and nowhere else.
func slotFile(f *fields) string {
	const name = "filename"
	text := f.text(name)
	odd := func(c rune) bool { return strings.ContainsRune(`/\:`, c) || !unicode.IsPrint(c) }
	switch {
	case text == "":
		f.fail(name, "it is missing")
	case len(text) > mostName:
		f.fail(name, "it has %d bytes: want at most %d", len(text), mostName)
	case strings.HasPrefix(text, ".") || strings.ContainsFunc(text, odd):
		f.fail(name, "%q: want a plain name, without a folder, that does not begin with a dot", text)
	}
	return text
}

// saveSlot writes a slot. The file is there when it is complete, or not at all.
func (m *served) saveSlot(w http.ResponseWriter, r *http.Request, n int, root *os.Root, name string) *apiError {
	begun, x := time.Now(), m.slots.of(n)
	if len(x.Tokens) == 0 {
		return badField("id_slot", "there is nothing in slot %d: no request has ended in it", n)
	}
	size, err := writeSlot(root, name, func(w io.Writer) error { return m.Engine.Save(r.Context(), x, w) })
	if err != nil {
		return slotError(name, err)
	}
	writeJSON(w, http.StatusOK, map[string]any{"id_slot": n, "filename": name, "n_saved": len(x.Tokens), "n_written": size,
		"timings": map[string]any{"save_ms": since(begun)}})
	return nil
}

// writeSlot writes a file under another name first, and returns its size.
func writeSlot(root *os.Root, name string, write func(io.Writer) error) (size int64, err error) {
	unfinished := newfile.Name(name)
	f, err := root.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
			root.Remove(unfinished)
		}
	}()
	b := bufio.NewWriterSize(f, 1<<18)
	if err := write(b); err != nil {
		return 0, err
	}
	if err := b.Flush(); err != nil {
		return 0, err
	}
	if size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, err
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	return size, root.Rename(unfinished, name)
}

// restoreSlot reads a slot.
func (m *served) restoreSlot(w http.ResponseWriter, r *http.Request, n int, root *os.Root, name string) *apiError {
	begun := time.Now()
	f, size, err := openSlot(root, name)
	if err != nil {
		return slotError(name, err)
	}
	defer f.Close()
	x, err := m.Engine.Restore(r.Context(), bufio.NewReaderSize(f, 1<<18))
	if err != nil {
		return slotError(name, err)
	}
	m.slots.keep(n, 0, x)
	writeJSON(w, http.StatusOK, map[string]any{"id_slot": n, "filename": name, "n_restored": len(x.Tokens), "n_read": size,
		"timings": map[string]any{"restore_ms": since(begun)}})
	return nil
}

func openSlot(root *os.Root, name string) (*os.File, int64, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() { // a pipe would be waited for
		return nil, 0, fmt.Errorf("%w: it is no file", mpt.ErrSession)
	}
	f, err := root.Open(name)
	return f, info.Size(), err
}

// eraseSlot forgets what is in a slot, in the prefix cache, too.
func (m *served) eraseSlot(w http.ResponseWriter, n int) *apiError {
	x := m.slots.clear(n)
	if len(x.Tokens) > 0 {
		if err := m.Engine.Forget(x); err != nil {
			return errorOf(err)
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"id_slot": n, "n_erased": len(x.Tokens)})
	return nil
}

// slotError says what is wrong with the file of a slot.
func slotError(name string, err error) *apiError {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e := notFound("filename: there is no file %q in the folder of slots", name)
		e.Param = "filename"
		return e
	case errors.Is(err, mpt.ErrSession):
		return badField("filename", "%q cannot be restored: %s", name, whyNoSession(err))
	case errors.Is(err, serve.ErrNoCache):
		return unavailable("", err.Error())
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = fmt.Errorf("%s: %w", name, p.Err) // the folder is nobody's business
	}
	return errorOf(err)
}

// whyNoSession leaves away which functions have found an error.
func whyNoSession(err error) string {
	text := err.Error()
	if _, why, ok := strings.Cut(text, mpt.ErrSession.Error()+": "); ok {
		return why
	}
	return text
}

func since(begun time.Time) float64 { return float64(time.Since(begun).Microseconds()) / 1000 }
