package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// pair makes a certificate with some name, and its key, in PEM.
func pair(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	c, err := x509.CreateCertificate(rand.Reader, &x, &x, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
}

// certificateTest serves https with a certificate in files.
type certificateTest struct {
	*testing.T
	*Certificate
	cert, key string
	url       string
	log       lockedLog
}

// lockedLog is a log that several goroutines write.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newCertificateTest(t *testing.T) *certificateTest {
	t.Helper()
	x := &certificateTest{T: t, cert: filepath.Join(t.TempDir(), "cert.pem"), key: filepath.Join(t.TempDir(), "key.pem")}
	x.write(pair(t, "first"))
	var err error
	if x.Certificate, err = LoadCertificate(x.cert, x.key, slog.New(slog.NewTextHandler(&x.log, nil))); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Server{TLSConfig: x.Config(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	go h.ServeTLS(l, "", "")
	t.Cleanup(func() { h.Close() })
	x.url = l.Addr().String()
	return x
}

func (x *certificateTest) write(cert, key []byte) {
	x.Helper()
	for path, b := range map[string][]byte{x.cert: cert, x.key: key} {
		if err := os.WriteFile(path+".new", b, 0o600); err != nil {
			x.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			x.Fatal(err)
		}
	}
}

// name is that of the certificate that a new connection gets.
func (x *certificateTest) name() string {
	x.Helper()
	c, err := tls.Dial("tcp", x.url, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		x.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// New connections get the certificate that the files hold now; one that is damaged, gone, or of
// another key leaves the one before in use, and the log says so, once.
func TestCertificateIsReadAgain(t *testing.T) {
	x := newCertificateTest(t)
	if n := x.name(); n != "first" {
		t.Fatalf("the certificate is %s", n)
	}
	x.write(pair(t, "second"))
	if n := x.name(); n != "second" || !strings.Contains(x.log.String(), "read again") {
		t.Errorf("after a change it is %s: %s", n, x.log.String())
	}
	third, thirdKey := pair(t, "third")
	_, secondKey := pair(t, "another")
	for what, change := range map[string]func(){
		"damaged":     func() { x.write([]byte("hello"), thirdKey) },
		"another key": func() { x.write(third, secondKey) },
		"gone":        func() { os.Remove(x.cert) },
	} {
		change()
		before := strings.Count(x.log.String(), "cannot be used")
		for range 3 {
			if n := x.name(); n != "second" {
				t.Errorf("%s: it is %s", what, n)
			}
		}
		if n := strings.Count(x.log.String(), "cannot be used") - before; n != 1 {
			t.Errorf("%s: %d lines say so: %s", what, n, x.log.String())
		}
		x.write(third, thirdKey)
		if n := x.name(); n != "third" {
			t.Errorf("%s: when it is mended it is %s", what, n)
		}
		x.write(pair(t, "second"))
		if n := x.name(); n != "second" {
			t.Errorf("%s: afterwards it is %s", what, n)
		}
	}
	x.mu.Lock()
	x.why = "too many open files" // which no change of the files mends
	x.mu.Unlock()
	if x.name(); x.why != "" {
		t.Errorf("files that could not be read are not read again: %s", x.why)
	}
	if _, err := LoadCertificate(x.cert+".none", x.key, slog.Default()); err == nil || !strings.Contains(err.Error(), "--ssl-cert-file") {
		t.Errorf("no file: %v", err)
	}
}

// A SIGHUP has the files read at once.
func TestCertificateHangup(t *testing.T) {
	if hangup == nil {
		t.Skip("there is no such signal")
	}
	x := newCertificateTest(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x.Watch(ctx)
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	x.write([]byte("hello"), []byte("hello"))
	if err := p.Signal(hangup); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "no line about the damaged certificate", func() bool { return strings.Contains(x.log.String(), "cannot be used") })
	x.write(pair(t, "second"))
	if err := p.Signal(hangup); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the new certificate was not read", func() bool { return strings.Contains(x.log.String(), "read again") })
	if n := x.name(); n != "second" {
		t.Errorf("it is %s", n)
	}
}
