package server

import (
	"io"
	"net/http"
	"strings"
)

// running is what Ollama's clients look for.
const running = "Ollama is running"

// page is what browsers get.
const page = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>mpt serve</title>
<h1>mpt serve</h1>
<p>This server answers programs; its page to chat with is switched off. It speaks the API of
<ul>
<li>OpenAI: <code>v1/chat/completions</code>, <code>v1/responses</code>, <code>v1/completions</code>,
<code>v1/models</code></li>
<li>Ollama: <code>api/chat</code>, <code>api/generate</code>, <code>api/tags</code></li>
<li>Anthropic: <code>v1/messages</code></li>
<li>llama.cpp's server: <code>completion</code>, <code>tokenize</code>, <code>props</code></li>
</ul>
<p>Whether it is ready says <code>health</code>.
`

// root says to Ollama's clients and to browsers what this is. It is open, and names nothing.
func (s *Server) root(w http.ResponseWriter, r *http.Request) *apiError {
	h := w.Header()
	h.Add("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	text := running
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		text = page
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	}
	io.WriteString(w, text)
	return nil
}
