package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mptgo/cmd/internal/cli/console"
)

// socket reports whether the host is the name of a unix socket.
func (f *serveFlags) socket() bool { return strings.HasSuffix(f.host, ".sock") }

func (f *serveFlags) onLoopback() bool {
	ip := net.ParseIP(f.host)
	return f.host == "localhost" || ip != nil && ip.IsLoopback()
}

// listen opens the port or the socket.
func (f *serveFlags) listen() (net.Listener, error) {
	if f.socket() {
		return listenSocket(f.host)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(f.host, strconv.Itoa(f.port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d of %s is in use: choose another with --port", f.port, f.host)
	}
	return l, err
}

// listenSocket opens a unix socket that only this user may use. One that nobody listens at
// any more is replaced.
func listenSocket(name string) (net.Listener, error) {
	if c, err := net.Dial("unix", name); err == nil {
		c.Close()
		return nil, fmt.Errorf("another server listens at %s", console.Visible(name))
	}
	if info, err := os.Lstat(name); err == nil && info.Mode()&os.ModeSocket != 0 {
		os.Remove(name)
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(name, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// checkServer asks a server whether it is ready.
func checkServer(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/health", nil)
	if err != nil {
		return fmt.Errorf("--check: %w", err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("--check: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000))
		return fmt.Errorf("--check: the server is not ready: %s: %s",
			answer.Status, console.Visible(strings.TrimSpace(string(text))))
	}
	return nil
}

// notifySystem tells systemd, if it started this process and wants to know.
func notifySystem(state string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return
	}
	if name[0] == '@' {
		name = "\x00" + name[1:] // Linux's abstract sockets
	}
	if c, err := net.Dial("unixgram", name); err == nil {
		io.WriteString(c, state)
		c.Close()
	}
}
