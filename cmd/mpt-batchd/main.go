// Command mpt-batchd is a NATS server with JetStream for batches: what mpt batch submit, work and
// collect talk to. It is nats-server, with settings that lose nothing that was acknowledged.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := newCommand()
	if err := cmd.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "mpt-batchd: %v\n", err)
		os.Exit(1)
	}
}

const long = `A NATS server with JetStream for mpt batch submit, work and collect. What it has acknowledged is
on its disk. It is nats-server: clients, tools and monitoring of NATS work with it.

It opens the port of --listen and no other. Whoever reaches that port can read and change all
batches: keep it in a network of your own, or give it --config with users and TLS.

Examples:
  mpt-batchd --store queue --listen 127.0.0.1:4222
  mpt-batchd --store queue --listen 0.0.0.0:4222 --config users.conf
  mpt-batchd --store queue --listen 0.0.0.0:4222 --name a --cluster 0.0.0.0:6222 --routes nats://b:6222,nats://c:6222`

func newCommand() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:           "mpt-batchd --store FOLDER --listen HOST:PORT",
		Short:         "A NATS server for batches",
		Long:          long,
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), &f, cmd.ErrOrStderr()) },
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.store, "store", "", "keep everything in `FOLDER`")
	fs.StringVar(&f.listen, "listen", "", "serve clients at `HOST:PORT`")
	fs.StringVar(&f.config, "config", "", "a configuration `FILE` of nats-server: users, permissions, TLS")
	fs.DurationVar(&f.sync, "sync", 0, "let a crash of the system lose what was stored within this `TIME`; 0: nothing")
	fs.StringVar(&f.monitor, "monitor", "", "serve nats-server's monitoring over HTTP at `HOST:PORT`")
	fs.StringVar(&f.name, "name", "", "the server's `NAME` in a cluster")
	fs.StringVar(&f.clusterName, "cluster-name", "mpt-batch", "the cluster's `NAME`")
	fs.StringVar(&f.cluster, "cluster", "", "serve the other servers of a cluster at `HOST:PORT`")
	fs.StringSliceVar(&f.routes, "routes", nil, "the other servers, `URLS` with commas between")
	fs.BoolVar(&f.debug, "debug", false, "log what nats-server does")
	return cmd
}
