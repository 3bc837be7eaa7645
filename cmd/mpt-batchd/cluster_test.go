package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mptgo/cmd/internal/batch/queue"
)

// newCluster starts three servers that know each other.
func newCluster(t *testing.T) (all []*site, urls string) {
	t.Helper()
	var ports [3]int
	var routes, clients []string
	for i := range ports {
		ports[i] = freePort(t)
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	for i, port := range ports {
		s := newSite(t, "--name", fmt.Sprint("n", i), "--cluster", fmt.Sprintf("127.0.0.1:%d", port), "--routes", strings.Join(routes, ","), "--sync", "2m")
		all = append(all, s)
		clients = append(clients, s.url())
	}
	return all, strings.Join(clients, ",")
}

// leader returns the server that leads a stream.
func leader(t *testing.T, all []*site, stream string) *site {
	t.Helper()
	var urls []string
	for _, s := range all {
		urls = append(urls, s.url())
	}
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) {
		nc, err := nats.Connect(strings.Join(urls, ","))
		if err != nil {
			continue
		}
		js, _ := jetstream.New(nc)
		s, err := js.Stream(t.Context(), stream)
		nc.Close()
		if err != nil || s.CachedInfo().Cluster == nil {
			continue
		}
		for i, x := range all {
			if s.CachedInfo().Cluster.Leader == fmt.Sprint("n", i) {
				return x
			}
		}
	}
	t.Error("no server leads " + stream)
	return all[0]
}

// Three servers keep everything; the one that leads is killed and started again.
func TestThreeServers(t *testing.T) {
	all, urls := newCluster(t)
	s := all[0]
	in := s.input(500)
	three := func(o *queue.Options) { o.Replicas = 3 }
	q := s.connect(urls, three)
	for limit := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) { // until they have found each other
		_, err := s.submit(t.Context(), q, in, 0)
		if err == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		s.work(urls, fmt.Sprint("w", i), &stub{delay: 5 * slow}, func(o *queue.WorkOptions) { o.Parallel = 2 })
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for i := range times(t, 2) {
			x := leader(t, all, []string{"MPT_RES", "MPT_REQ"}[i%2])
			x.kill()
			time.Sleep(500 * time.Millisecond)
			x.start()
			time.Sleep(500 * time.Millisecond)
		}
	}()
	s.wantSame(q, in, s.local(in))
	<-over
}
