package fakehub

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// serveSite answers for the site.
func (h *Hub) serveSite(w http.ResponseWriter, r *http.Request) {
	h.note("site", r)
	if h.failSite(w, r) {
		return
	}
	rest, isAPI := strings.CutPrefix(r.URL.Path, "/api/models/")
	parts := strings.SplitN(strings.TrimPrefix(rest, "/"), "/", 3)
	if len(parts) < 2 {
		refuse(w, 404, "RepoNotFound", "")
		return
	}
	name := parts[0] + "/" + parts[1]
	h.mu.Lock()
	repo := h.repos[name]
	h.mu.Unlock()
	what := ""
	if len(parts) == 3 {
		what = parts[2]
	}
	switch {
	case repo == nil:
		refuse(w, 401, "", "") // as the real one does: missing or private
	case repo.Moved != "":
		http.Redirect(w, r, strings.Replace(r.URL.Path, name, repo.Moved, 1), http.StatusTemporaryRedirect)
	case r.Header.Get("Authorization") != "" && r.Header.Get("Authorization") != "Bearer "+Token:
		refuse(w, 401, "", "Invalid credentials in Authorization header")
	case repo.Private && r.Header.Get("Authorization") == "":
		refuse(w, 401, "RepoNotFound", "Repository not found")
	case repo.Disabled:
		refuse(w, 403, "", "Access to this resource is disabled.")
	case isAPI:
		h.serveAPI(w, r, repo, what)
	default:
		h.serveResolve(w, r, repo, what)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	if message != "" {
		w.Header().Set("X-Error-Message", message)
	}
	w.WriteHeader(status)
}

// failSite answers if something is to go wrong with the site.
func (h *Hub) failSite(w http.ResponseWriter, r *http.Request) bool {
	path := r.URL.Path
	f := h.fault(path, "503", "429", "html", "badjson", "bigjson", "loop", "offhost", "http", "hang")
	if f == nil {
		return false
	}
	switch f.Kind {
	case "503":
		w.WriteHeader(503)
	case "429":
		w.Header().Set("Retry-After", strconv.FormatInt(f.After, 10))
		w.WriteHeader(429)
	case "html":
		fmt.Fprint(w, "<html><body>Welcome to the hotel</body></html>")
	case "badjson":
		fmt.Fprint(w, `{"sha": "0123`)
	case "bigjson":
		w.Write([]byte(`{"sha": "`))
		for range 17 {
			w.Write(make([]byte, 1<<20))
		}
	case "loop":
		http.Redirect(w, r, path+"?again", http.StatusFound)
	case "offhost":
		http.Redirect(w, r, h.CDN+path, http.StatusFound)
	case "hang":
		h.hang(r)
	}
	return true
}

// hang waits until the client or the hub gives up.
func (h *Hub) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-h.closing:
	}
}

// serveAPI answers what is asked about a repository.
func (h *Hub) serveAPI(w http.ResponseWriter, r *http.Request, repo *Repo, what string) {
	rev, isRev := strings.CutPrefix(what, "revision/")
	switch {
	case what == "" || isRev && (slices.Contains(repo.Branches, rev) || rev == "main"):
		json.NewEncoder(w).Encode(map[string]any{"sha": repo.Commit, "gated": repo.Gated, "disabled": repo.Disabled})
	case what == "tree/"+repo.Commit:
		h.serveTree(w, r, repo)
	default:
		refuse(w, 404, "RevisionNotFound", "Invalid rev id")
	}
}

func (h *Hub) serveTree(w http.ResponseWriter, r *http.Request, repo *Repo) {
	list := slices.Clone(repo.Entries)
	for _, path := range slices.Sorted(maps.Keys(repo.Files)) {
		list = append(list, h.entry(repo, path))
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	if n := repo.PageSize; n > 0 {
		if (page+1)*n < len(list) {
			next := h.URL + r.URL.Path + "?recursive=true&cursor=" + strconv.Itoa(page+1)
			w.Header().Set("Link", `<`+next+`>; rel="next"`)
			list = list[:(page+1)*n]
		}
		list = list[page*n:]
	}
	fmt.Fprintf(w, "[%s]", strings.Join(list, ","))
}

// entry describes a file as the list of files does.
func (h *Hub) entry(repo *Repo, path string) string {
	c := repo.Files[path]
	e := map[string]any{"type": "file", "path": path, "size": c.Size()}
	if !repo.NoHashes {
		e["oid"] = h.hashes[c][0]
		if large(c) {
			e["lfs"] = map[string]any{"oid": h.hashes[c][1], "size": c.Size(), "pointerSize": 134}
		}
	}
	b, _ := json.Marshal(e)
	return string(b)
}

// serveResolve answers for a file: itself if it is small, a signed link if it is large.
func (h *Hub) serveResolve(w http.ResponseWriter, r *http.Request, repo *Repo, what string) {
	rest, _ := strings.CutPrefix(what, "resolve/")
	rev, path, _ := strings.Cut(rest, "/")
	c := repo.Files[path]
	w.Header().Set("X-Repo-Commit", repo.Commit)
	switch {
	case rev != repo.Commit && rev != "main":
		refuse(w, 404, "RevisionNotFound", "Invalid rev id")
	case repo.Gated && r.Header.Get("Authorization") == "":
		refuse(w, 401, "GatedRepo", "Access to model is restricted. You must have access to it and be authenticated.")
	case c == nil:
		refuse(w, 404, "EntryNotFound", "Entry not found")
	case !large(c):
		h.serveContent(w, r, path, c, h.hashes[c][0])
	default:
		w.Header().Set("X-Linked-Etag", `"`+h.hashes[c][1]+`"`)
		w.Header().Set("X-Linked-Size", strconv.FormatInt(c.Size(), 10))
		w.Header().Set("ETag", `"`+h.hashes[c][1]+`"`)
		w.Header().Set("Location", h.sign(h.hashes[c][1], path))
		w.WriteHeader(http.StatusFound)
	}
}

// sign returns a link to a blob.
func (h *Hub) sign(hash, path string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serial++
	key := strconv.Itoa(h.serial)
	h.signed[key] = true
	return h.CDN + "/blobs/" + hash + "/" + url.PathEscape(path) + "?Signature=" + key
}

// Expire makes all links that were given out so far invalid.
func (h *Hub) Expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signed = map[string]bool{}
}

// serveCDN answers for the host with the large files.
func (h *Hub) serveCDN(w http.ResponseWriter, r *http.Request) {
	h.note("cdn", r)
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/blobs/"), "/", 2)
	if h.fault(r.URL.Path, "expired") != nil {
		h.Expire()
	}
	h.mu.Lock()
	c, valid := h.blobs[parts[0]], h.signed[r.URL.Query().Get("Signature")]
	h.mu.Unlock()
	if c == nil || !valid || len(parts) < 2 {
		w.WriteHeader(403)
		return
	}
	h.serveContent(w, r, parts[1], c, parts[0])
}
