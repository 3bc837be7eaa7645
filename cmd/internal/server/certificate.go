package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"sync"
)

// Certificate is one in files, which may change while the server runs: connections that begin
// after that get the new one.
type Certificate struct {
	files [2]string // of the certificate and of its key
	log   *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	seen [2]fs.FileInfo // what the files were like when they were read last
	why  string         // they could not be used then; "": they could
}

// LoadCertificate reads a certificate and its key, both in PEM.
func LoadCertificate(file, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{files: [2]string{file, key}, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// Config is for a server that has the certificate.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(false), nil }}
}

// Watch has the files read when the process gets a SIGHUP, where there is one, until ctx is done.
// Without that they are looked at when a connection begins.
func (c *Certificate) Watch(ctx context.Context) {
	if hangup == nil {
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, hangup)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-signals:
				c.current(true)
			case <-ctx.Done():
				return
			}
		}
	}()
}

// current returns the certificate, after reading the files if they have changed, or if asked to.
// While they cannot be used it is the one before, and they are tried again.
func (c *Certificate) current(asked bool) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !asked && c.why == "" && !c.changed() {
		return c.pair
	}
	if err := c.read(); err == nil {
		c.why = ""
		c.log.Info("the certificate was read again: new connections get it", "file", c.files[0])
	} else if c.why != err.Error() || asked {
		c.why = err.Error()
		c.log.Error("the new certificate cannot be used: connections get the one before", "file", c.files[0], "error", err)
	}
	return c.pair
}

// changed reports whether the files are others than those that were read.
func (c *Certificate) changed() bool {
	for i, name := range c.files {
		info, err := os.Stat(name)
		old := c.seen[i]
		if (err == nil) != (old != nil) {
			return true
		}
		if err == nil && (info.ModTime() != old.ModTime() || info.Size() != old.Size() || !os.SameFile(info, old)) {
			return true
		}
	}
	return false
}

// read reads the files. What they are like is noted first: if they change meanwhile they are read
// again.
func (c *Certificate) read() error {
	for i, name := range c.files {
		c.seen[i], _ = os.Stat(name)
	}
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return fmt.Errorf("--ssl-cert-file, --ssl-key-file: %w", err)
	}
	c.pair = &pair
	return nil
}
