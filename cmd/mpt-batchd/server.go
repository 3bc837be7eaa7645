package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// flags are the command's.
type flags struct {
	store, listen, config, monitor string
	name, clusterName, cluster     string
	routes                         []string
	sync                           time.Duration
	debug                          bool
}

// options returns the flags as options of nats-server.
func (f *flags) options() (*server.Options, error) {
	switch {
	case f.store == "":
		return nil, errors.New("no folder to keep things in: give --store FOLDER")
	case f.listen == "":
		return nil, errors.New("no port to serve: give --listen HOST:PORT")
	case f.sync < 0:
		return nil, fmt.Errorf("--sync %v: cannot be negative", f.sync)
	case f.cluster != "" && f.name == "":
		return nil, errors.New("a server in a cluster needs a name that no other has: give --name NAME")
	case f.cluster == "" && len(f.routes) > 0:
		return nil, errors.New("--routes without --cluster HOST:PORT")
	}
	o := &server.Options{}
	if f.config != "" {
		if err := o.ProcessConfigFile(f.config); err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
	}
	o.JetStream, o.StoreDir, o.NoSigs = true, f.store, true
	o.SyncAlways, o.SyncInterval = f.sync == 0, f.sync
	if f.name != "" {
		o.ServerName = f.name
	}
	o.Debug = o.Debug || f.debug
	var err error
	if o.Host, o.Port, err = hostPort("--listen", f.listen); err != nil {
		return nil, err
	}
	if f.monitor != "" {
		if o.HTTPHost, o.HTTPPort, err = hostPort("--monitor", f.monitor); err != nil {
			return nil, err
		}
	}
	return o, f.inCluster(o)
}

// inCluster sets what makes a server one of several.
func (f *flags) inCluster(o *server.Options) (err error) {
	if f.cluster == "" {
		return nil
	}
	o.Cluster.Name = f.clusterName
	if o.Cluster.Host, o.Cluster.Port, err = hostPort("--cluster", f.cluster); err != nil {
		return err
	}
	for _, text := range f.routes {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			return fmt.Errorf("--routes: %q is no URL: want nats://HOST:PORT", text)
		}
		o.Routes = append(o.Routes, u)
	}
	return nil
}

func hostPort(flag, text string) (string, int, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w: want HOST:PORT", flag, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return "", 0, fmt.Errorf("%s: %q is no port", flag, port)
	}
	if n == 0 {
		n = server.RANDOM_PORT
	}
	return host, n, nil
}

// run serves until ctx ends.
func run(ctx context.Context, f *flags, w io.Writer) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	l := &logger{out: log.New(w, "mpt-batchd: ", 0), fatal: make(chan string, 1)}
	s.SetLoggerV2(l, o.Debug, false, false)
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	for !s.ReadyForConnections(100 * time.Millisecond) {
		select {
		case why := <-l.fatal:
			return errors.New(why)
		case <-ctx.Done():
			return nil
		default:
		}
	}
	if f.config == "" && !loopback(o.Host) {
		l.out.Printf("whoever reaches %s can read and change all batches: see --help", s.Addr())
	}
	l.out.Printf("serving at %s, keeping everything in %s", s.Addr(), f.store)
	select {
	case why := <-l.fatal:
		return errors.New(why)
	case <-ctx.Done():
		return nil
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// logger prints what an operator should know. nats-server would end the process on what is
// fatal: here the command does.
type logger struct {
	out   *log.Logger
	fatal chan string
	once  sync.Once
}

func (l *logger) Noticef(string, ...any)            {}
func (l *logger) Warnf(format string, args ...any)  { l.out.Printf(format, args...) }
func (l *logger) Errorf(format string, args ...any) { l.out.Printf(format, args...) }
func (l *logger) Debugf(format string, args ...any) { l.out.Printf(format, args...) }
func (l *logger) Tracef(format string, args ...any) {}

func (l *logger) Fatalf(format string, args ...any) {
	l.once.Do(func() { l.fatal <- fmt.Sprintf(format, args...) })
}
