package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/cmdline"
	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/cli/interrupt"
	"mptgo/cmd/internal/server"
	"mptgo/internal/newfile"
	"mptgo/mpt/serve"
)

const serveLong = `Serve a model over HTTP, in the words of OpenAI, llama.cpp's server, Ollama and Anthropic, and a page
to chat with it to browsers. Without -m it is the small story model that is built in.

Several models share threads and memory; a request names the one that it wants. A --lora belongs
to the -m before it, and its NAME is a model, too: the base model with this adapter alone.

An answer depends on its request alone: the same request with the same seed gives the same
text and the same log-probabilities, whoever else is served, with the cache or without.

Every flag may come from the environment: MPT_CTX_SIZE=4096 stands for --ctx-size 4096, and
so do the variables of llama.cpp, such as LLAMA_ARG_CTX_SIZE. --no-NAME switches off what is
on.

The first Ctrl-C ends it when what runs is finished, the second at once.

Examples:
  mpt serve
  mpt serve -m 7b-chat.gguf -c 4096 -np 8 --host 0.0.0.0 --api-key-file keys.txt
  mpt serve -m 7b.gguf --lora sql=sql-adapter.gguf --lora poet=poems/ --lora-init-without-apply
  mpt serve -m chat=7b-chat.gguf -m story=storywriter.gguf
  curl http://127.0.0.1:8080/v1/chat/completions -d '{"messages":[{"role":"user","content":"Hello"}]}'
  mpt serve --check http://127.0.0.1:8080`

// serveFlags are the flags of mpt serve.
type serveFlags struct {
	model    flags.Model // what all models have in common
	models   servedModels
	sampling flags.Sampling
	format   flags.ChatFormat
	spec     flags.Speculation
	context  int

	host, prefix     string
	port             int
	keys             []string
	keyFile          string
	cert, certKey    string
	hosts, origins   []string
	metrics, slots   bool
	page             bool
	ping, timeout    int
	drain, drainWait int
	log              string
	logText          bool
	check            string

	parallel, queue int
	step            int
	cacheRAM        int
	cacheOn         bool
	cacheDir        string
	cacheDisk       int

	pooling         string
	rate, tokenRate string
	slotDir         string
}

func newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [-m FILE] [--host ADDRESS] [--port N]",
		Short: "Serve a model over HTTP",
		Long:  serveLong,
		Args:  cmdline.NoArgs,
		RunE:  f.run,
	}
	fs := cmd.Flags()
	f.model.Add(cmd)
	f.models.add(fs)
	fs.IntVarP(&f.context, "ctx-size", "c", 0,
		"room for `N` tokens in each sequence; 0: what the model was trained for")
	fs.IntVar(&f.parallel, "parallel", 0, "answer `N` requests at the same time (-np); 0: twice the CPUs, at least 4")
	fs.IntVar(&f.queue, "max-queue", 64, "`N` requests may wait, others get the status 429")
	fs.IntVar(&f.step, "step-ms", 300, "aim at steps of `N` milliseconds while answers are written and prompts read")
	fs.IntVar(&f.cacheRAM, "cache-ram", -1, "`N` MiB of memory for prefixes; 0: none, -1: a quarter of what is left")
	fs.BoolVar(&f.cacheOn, "cache-prompt", true, "keep prefixes of prompts for later requests")
	fs.StringVar(&f.cacheDir, "cache-dir", "", "keep prefixes in the `FOLDER`, too, for the next start")
	fs.IntVar(&f.cacheDisk, "cache-disk", 4096, "`N` MiB of disk for them")
	fs.StringVar(&f.slotDir, "slot-save-path", "", "have clients save and restore slots in the `FOLDER`")
	fs.StringVar(&f.pooling, "pooling", "none",
		"`none|mean|last`: how the vectors of a text's tokens become its embedding")
	f.format.Add(cmd)
	f.addHTTP(cmd)
	f.sampling.Add(fs)
	f.spec.Add(fs)
	return cmd
}

// addHTTP adds the flags that say how clients come in.
func (f *serveFlags) addHTTP(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.host, "host", "127.0.0.1", "listen on `ADDRESS`, or on a unix socket whose name ends in .sock")
	fs.IntVar(&f.port, "port", 8080, "listen on port `N`; 0: any that is free")
	fs.StringVar(&f.prefix, "api-prefix", "", "`PATH` that all paths begin with")
	fs.StringArrayVar(&f.keys, "api-key", nil, "`KEY` that clients have to give; may be given more than once")
	fs.StringVar(&f.keyFile, "api-key-file", "", "`FILE` of keys, one a line")
	fs.StringVar(&f.rate, "rate-limit", "", "`N` requests a minute for each key, or address; also N/s, N/h, N/d")
	fs.StringVar(&f.tokenRate, "rate-limit-tokens", "", "`N` tokens a minute, of prompts and answers, likewise")
	fs.StringVar(&f.cert, "ssl-cert-file", "", "`FILE` of a certificate, in PEM: serve https")
	fs.StringVar(&f.certKey, "ssl-key-file", "", "`FILE` of its private key, in PEM")
	fs.StringSliceVar(&f.hosts, "allowed-hosts", nil,
		"`NAMES` of this server, beside those of loopback, if it listens there")
	fs.StringSliceVar(&f.origins, "cors-origins", nil, "`ORIGINS` of pages that may ask, beside loopback's; *: all")
	fs.BoolVar(&f.metrics, "metrics", true, "serve /metrics for Prometheus")
	fs.BoolVar(&f.slots, "slots", true, "serve /slots")
	fs.BoolVar(&f.page, "webui", true, "show the page to browsers")
	fs.IntVar(&f.ping, "sse-ping-interval", 15, "keep silent streams alive every `N` seconds; -1: not")
	fs.IntVar(&f.timeout, "timeout", 60, "give up on clients that neither send nor take anything for `N` seconds")
	fs.IntVar(&f.drain, "drain", 30, "let running requests go on for `N` seconds at the end")
	fs.IntVar(&f.drainWait, "drain-delay", 0,
		"go on serving for `N` seconds at the end, while /health says that it ends")
	fs.StringVar(&f.log, "log-format", "text", "`text|json`")
	fs.BoolVar(&f.logText, "log-text", false, "log prompts and answers, too")
	fs.StringVar(&f.check, "check", "", "ask the server at `URL` whether it is ready, and end")
}

func (f *serveFlags) run(cmd *cobra.Command, _ []string) error {
	if f.check != "" {
		return checkServer(cmd.Context(), f.check)
	}
	asked := cmd.Flags().Changed("cache-dir")
	if err := cmdline.FromEnvironment(cmd.Flags(), os.Getenv); err != nil {
		return err
	}
	if !asked && (!f.cacheOn || f.cacheRAM == 0) {
		f.cacheDir = "" // a variable's: what was asked for goes first
	}
	if err := errors.Join(f.checkNumbers(), f.spec.Check()); err != nil {
		return err
	}
	params, err := f.sampling.Params(cmd.Flags())
	if err != nil {
		return err
	}
	c, err := f.config(cmd)
	if err != nil {
		return err
	}
	if f.log == "json" {
		cmd.SetErr(server.LogLines(c.Log))
	}
	c.Defaults, c.Fixed = params, f.sampling.FixedSeed(cmd.Flags())
	l, err := f.listen()
	if err != nil {
		return err
	}
	defer l.Close()
	return f.serve(cmd, server.New(c), l)
}

// mostMiB is a petabyte.
const mostMiB = 1 << 30

// checkNumbers refuses numbers that make no sense, before anything is opened.
func (f *serveFlags) checkNumbers() error {
	for _, x := range []struct {
		name         string
		value, least int
	}{
		{"parallel", f.parallel, 0}, {"max-queue", f.queue, 0}, {"step-ms", f.step, 1},
		{"models-max", f.models.most, 0}, {"cache-ram", f.cacheRAM, -1}, {"cache-disk", f.cacheDisk, 1},
		{"port", f.port, 0},
		{"timeout", f.timeout, 1}, {"drain", f.drain, 0}, {"drain-delay", f.drainWait, 0}, {"sse-ping-interval", f.ping, -1},
	} {
		if x.value < x.least {
			return fmt.Errorf("--%s %d: want at least %d", x.name, x.value, x.least)
		}
	}
	switch {
	case f.cacheDir != "" && (!f.cacheOn || f.cacheRAM == 0):
		return errors.New("--cache-dir: what is kept there comes from the cache in memory, which is switched off")
	case f.slotDir != "" && (!f.cacheOn || f.cacheRAM == 0):
		return errors.New("--slot-save-path: what is restored goes to the cache in memory, which is switched off")
	case f.cacheRAM > mostMiB:
		return fmt.Errorf("--cache-ram %d: want at most %d", f.cacheRAM, mostMiB)
	case f.cacheDisk > mostMiB:
		return fmt.Errorf("--cache-disk %d: want at most %d", f.cacheDisk, mostMiB)
	case f.port > 65535:
		return fmt.Errorf("--port %d: want at most 65535", f.port)
	case f.ping == 0:
		return errors.New("--sse-ping-interval 0: want at least 1, or -1 for no signs of life")
	case f.prefix != "" && f.prefix[0] != '/':
		return fmt.Errorf("--api-prefix %s: it has to begin with /", f.prefix)
	}
	return nil
}

// config returns how the server answers.
func (f *serveFlags) config(cmd *cobra.Command) (server.Config, error) {
	c := server.DefaultConfig()
	keys, err := readKeys(cmd.Context(), f.keys, f.keyFile)
	if err != nil {
		return c, err
	}
	switch f.log {
	case "text":
		c.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	case "json":
		c.Log = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
	default:
		return c, fmt.Errorf("--log-format %q: want text or json", f.log)
	}
	if (f.cert == "") != (f.certKey == "") {
		return c, errors.New("--ssl-cert-file and --ssl-key-file belong together: give both or none")
	}
	c.Keys, c.AllowedHosts, c.Origins = keys, f.hosts, f.origins
	c.Loopback = f.onLoopback()
	c.Prefix = strings.TrimRight(f.prefix, "/")
	c.BodyTimeout, c.WriteWait = time.Duration(f.timeout)*time.Second, time.Duration(f.timeout)*time.Second
	c.Ping = time.Duration(f.ping) * time.Second
	c.LogText = f.logText
	c.Metrics, c.Slots, c.Page = f.metrics, f.slots, f.page
	if err := f.features(&c); err != nil {
		return c, err
	}
	if len(keys) == 0 && !c.Loopback && !f.socket() {
		console.Note(cmd.ErrOrStderr(), "everybody who reaches %s may use this server: --api-key asks for a key", f.host)
	}
	return c, nil
}

// features sets what the server does only if it is asked to.
func (f *serveFlags) features(c *server.Config) (err error) {
	switch f.pooling {
	case "none":
	case "mean":
		c.Pooling = serve.MeanPooling
	case "last":
		c.Pooling = serve.LastPooling
	default:
		return fmt.Errorf("--pooling %q: want none, mean or last", f.pooling)
	}
	if f.rate != "" {
		if c.Rate, err = server.ParseRate(f.rate, "requests"); err != nil {
			return fmt.Errorf("--rate-limit: %w", err)
		}
	}
	if f.tokenRate != "" {
		if c.TokenRate, err = server.ParseRate(f.tokenRate, "tokens"); err != nil {
			return fmt.Errorf("--rate-limit-tokens: %w", err)
		}
	}
	if f.slotDir != "" {
		if err := os.MkdirAll(f.slotDir, 0o700); err != nil {
			return fmt.Errorf("--slot-save-path: %w", err)
		}
		if err := newfile.Writable(filepath.Join(f.slotDir, "slot")); err != nil {
			return fmt.Errorf("--slot-save-path: %w", err)
		}
	}
	c.SlotDir = f.slotDir
	return nil
}

// readKeys returns the keys of flags and of a file, in which # begins a comment.
func readKeys(ctx context.Context, keys []string, file string) ([]string, error) {
	if file != "" {
		text, err := fileio.ReadFile(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("--api-key-file: %w", err)
		}
		had := len(keys)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				keys = append(keys, line)
			}
		}
		if len(keys) == had {
			return nil, fmt.Errorf("--api-key-file %s: there is no key in it", console.Visible(file))
		}
	}
	for _, k := range keys {
		if strings.TrimSpace(k) == "" {
			return nil, errors.New("--api-key: the key is empty")
		}
	}
	return keys, nil
}

// serve answers, at first that the model is being loaded, until a signal ends it.
func (f *serveFlags) serve(cmd *cobra.Command, s *server.Server, l net.Listener) error {
	h := &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 120 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	if f.cert != "" {
		c, err := server.LoadCertificate(f.cert, f.certKey, s.Log())
		if err != nil {
			return err
		}
		h.TLSConfig = c.Config()
		c.Watch(cmd.Context())
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	failed := make(chan error, 1)
	go func() {
		if f.cert != "" {
			failed <- h.ServeTLS(l, "", "")
		} else {
			failed <- h.Serve(l)
		}
	}()
	defer h.Close()
	if err := f.loadUnless(cmd, s, signals); err != nil {
		return err
	}
	defer f.models.close(s)
	f.greet(cmd, l)
	notifySystem("READY=1")
	select {
	case err := <-failed:
		return err
	case <-signals:
	case <-cmd.Context().Done():
	}
	notifySystem("STOPPING=1")
	return f.end(s, h, signals)
}

// loadUnless is load that a signal ends: a model may have to come from the hub first.
func (f *serveFlags) loadUnless(cmd *cobra.Command, s *server.Server, signals <-chan os.Signal) error {
	loaded := make(chan error, 1)
	go func() { loaded <- f.load(cmd, s) }()
	select {
	case err := <-loaded:
		return err
	case <-signals:
		return interrupt.Error{Err: context.Canceled} // the process ends, and with it what loads
	}
}

// end lets what runs come to its end. A second signal ends it at once.
func (f *serveFlags) end(s *server.Server, h *http.Server, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	second := make(chan struct{})
	go func() {
		select {
		case <-signals:
			close(second)
			cancel()
			time.AfterFunc(2*time.Second, func() { os.Exit(130) }) // if a disk does not answer
		case <-ctx.Done():
		}
	}()
	s.Leave()
	select {
	case <-time.After(time.Duration(f.drainWait) * time.Second):
	case <-ctx.Done():
	}
	limited, stop := context.WithTimeout(ctx, time.Duration(f.drain)*time.Second)
	defer stop()
	s.Drain(limited) // what is cut off has been told so
	h.Shutdown(limited)
	select {
	case <-second:
		return interrupt.Error{Err: context.Canceled}
	default:
		return nil
	}
}
