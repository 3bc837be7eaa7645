package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/cmd/internal/server"
	"mptgo/gguf"
	"mptgo/mpt"
	"mptgo/mpt/builtin"
	"mptgo/mpt/serve"
)

// servedModels are the flags that say which models are served, and what is made of them.
type servedModels struct {
	given []*servedModel
	early []string // adapters before the first of them
	alias string   // of the first
	most  int
	auto  bool
	bare  bool // adapters are off until somebody asks for them

	host   *mpt.Host
	caches *serve.Caches
}

// servedModel is what the flags say of a model.
type servedModel struct {
	name, path string
	adapters   []string
	id         string
	engine     *serve.Engine // while it is loaded first
}

func (x *servedModels) add(fs *pflag.FlagSet) {
	m, l := fs.Lookup("model"), fs.Lookup("lora")
	m.Value, l.Value = (*modelList)(x), (*adapterList)(x)
	m.Usage = "a model, a GGUF file `[NAME=]FILE`; may be given more than once (default: the small model that is built in)"
	l.Usage = "a LoRA adapter `[NAME=]FILE[:SCALE]` of the -m before it, a GGUF file or a folder of PEFT; " +
		"may be given more than once"
	fs.BoolVar(&x.bare, "lora-init-without-apply", false,
		"have adapters change nothing until a request names one, gives scales or POST /lora-adapters does")
	fs.StringVarP(&x.alias, "alias", "a", "", "`NAMES` of the first model for clients, separated by commas")
	fs.IntVar(&x.most, "models-max", 4, "keep at most `N` models loaded; 0: all")
	fs.BoolVar(&x.auto, "models-autoload", true, "load a model when a request names it")
}

// modelList is the value of -m, adapterList that of --lora.
type (
	modelList   servedModels
	adapterList servedModels
)

func (x *modelList) String() string { return "" }
func (x *modelList) Type() string   { return "FILE" }

// Set reads [NAME=]FILE. A file that has the sign in its own name goes first.
func (x *modelList) Set(text string) error {
	name, path, ok := strings.Cut(text, "=")
	switch {
	case !ok || strings.ContainsAny(name, `/\`) || fileio.Exists(text):
		name, path = "", text
	case name == "":
		return errors.New("the name before the = is empty")
	}
	if path == "" {
		return errors.New("the name of the file is empty")
	}
	x.given = append(x.given, &servedModel{name: name, path: path})
	return nil
}

func (x *adapterList) String() string { return "" }
func (x *adapterList) Type() string   { return "stringArray" }

func (x *adapterList) Set(text string) error {
	if n := len(x.given); n > 0 {
		x.given[n-1].adapters = append(x.given[n-1].adapters, text)
	} else {
		x.early = append(x.early, text)
	}
	return nil
}

// settle completes the list: what is to come from the hub is there, or the built-in model.
func (f *serveFlags) settle() error {
	x := &f.models
	if len(x.given) > 0 {
		f.model.Path = x.given[0].path
	}
	if err := f.model.Locate(); err != nil {
		return err
	}
	if len(x.given) == 0 {
		x.given = []*servedModel{{path: f.model.Path}}
	}
	x.given[0].adapters = append(x.early, x.given[0].adapters...)
	return nil
}

// load offers the models, and loads the first of them.
func (f *serveFlags) load(cmd *cobra.Command, s *server.Server) error {
	if err := f.settle(); err != nil {
		return err
	}
	x := &f.models
	x.host = mpt.NewHost(f.model.Threads)
	x.caches = serve.NewCaches(serve.CacheOptions{
		CacheBytes: f.cacheBytes(), CacheDir: f.cacheDir, DiskBytes: int64(f.cacheDisk) << 20,
	})
	f.model.Host, f.model.LoRA.Unapplied = x.host, x.bare
	var list []server.Source
	for i := range x.given {
		source, err := f.source(cmd, s, i)
		if err != nil {
			x.close(s)
			return err
		}
		list = append(list, source)
	}
	if err := s.Offer(list, x.most, x.auto); err != nil {
		x.close(s)
		return err
	}
	return nil
}

// close ends what was loaded.
func (x *servedModels) close(s *server.Server) {
	s.Close()
	x.host.Close()
}

// source describes a model and says how it is loaded.
func (f *serveFlags) source(cmd *cobra.Command, s *server.Server, i int) (source server.Source, err error) {
	x := f.models.given[i]
	model := f.model
	model.Path, model.LoRA.Given = x.path, x.adapters
	adapters, err := servedAdapters(&model.LoRA)
	if err != nil {
		return source, err
	}
	for _, a := range adapters {
		source.Adapters = append(source.Adapters, a.Name)
	}
	if err := x.describe(&source, &model); err != nil {
		return source, err
	}
	if i == 0 && f.models.alias != "" {
		source.Names = append(aliases(f.models.alias), aliases(x.name)...)
	}
	x.id = source.Names[0]
	source.Load = func() (server.Model, error) {
		m, err := model.Open()
		if err != nil {
			return server.Model{}, err
		}
		served, err := f.start(cmd, s, m, source.Names[0])
		if err != nil {
			m.Close()
			return served, err
		}
		x.engine = served.Engine
		served.Names, served.Adapters = source.Names, adapters
		return served, nil
	}
	return source, nil
}

// describe says what is known of a model's file before it is loaded.
func (x *servedModel) describe(source *server.Source, model *flags.Model) error {
	if x.path == "" {
		source.Names = []string{builtin.Name}
		return nil
	}
	file, err := model.OpenFile()
	if err != nil {
		return err
	}
	defer file.Close()
	name, _ := gguf.Get[string](file, "general.name")
	source.Names = []string{cmp.Or(x.name, strings.Clone(name), strings.TrimSuffix(filepath.Base(x.path), ".gguf"))}
	source.Parameters, source.Size, source.Type = file.Parameters(), file.Size(), file.MainType().String()
	return nil
}

// start starts the engine of a model.
func (f *serveFlags) start(cmd *cobra.Command, s *server.Server, m *mpt.Model, name string) (server.Model, error) {
	var none server.Model
	format, err := f.format.Choose(cmd.Context(), m)
	if err != nil {
		return none, err
	}
	if format.Name == "raw" {
		console.Note(cmd.ErrOrStderr(), "the model has no chat format: messages go to it as they are (raw)")
	}
	spec, release, err := f.spec.Open(m, &f.model, cmp.Or(f.parallel, serve.DefaultParallel()))
	if err != nil {
		return none, err
	}
	served, err := f.startWith(cmd, s, m, name, spec)
	if err != nil {
		release()
		return none, err
	}
	e := served.Engine
	served.Format, served.Close = format, func() error {
		err := e.Close()
		release()
		return errors.Join(err, m.Close())
	}
	return served, nil
}

// startWith starts the engine of a model for which tokens are guessed.
func (f *serveFlags) startWith(cmd *cobra.Command, s *server.Server, m *mpt.Model, name string,
	spec *mpt.Speculation) (server.Model, error) {
	var none server.Model
	probe, err := flags.NewSession(cmd, m, f.context) // chooses a context that fits, or says why not
	if err != nil {
		return none, flags.ExplainMemory(err)
	}
	size := probe.ContextSize()
	probe.Close()
	e, err := serve.New(m, serve.Options{
		ContextSize: size, Parallel: f.parallel, MaxQueue: f.maxQueue(), StepTime: time.Duration(f.step) * time.Millisecond,
		Speculate: spec, Caches: f.models.caches, Observer: s.Observer(name), Log: s.Log(),
	})
	return server.Model{Engine: e}, err
}

// maxQueue is 0 for the engine's default, negative for none.
func (f *serveFlags) maxQueue() int {
	if f.queue == 0 {
		return -1
	}
	return f.queue
}

func (f *serveFlags) cacheBytes() int64 {
	switch {
	case !f.cacheOn || f.cacheRAM == 0:
		return -1
	case f.cacheRAM < 0:
		return 0 // the engine chooses
	}
	return int64(f.cacheRAM) << 20
}

// greet says what is served, and where.
func (f *serveFlags) greet(cmd *cobra.Command, l net.Listener) {
	where := "http://" + l.Addr().String() + strings.TrimRight(f.prefix, "/")
	if f.socket() {
		where = f.host
	} else if f.cert != "" {
		where = "https" + strings.TrimPrefix(where, "http")
	}
	for i, x := range f.models.given {
		model := f.model
		model.Path = x.path
		name := model.Name()
		if len(f.models.given) > 1 {
			name = fmt.Sprintf("%s (%s)", x.id, name)
		}
		if x.engine == nil {
			console.Note(cmd.ErrOrStderr(), "%s: not loaded yet", console.Visible(name))
			continue
		}
		console.Note(cmd.ErrOrStderr(), "%s: %s", console.Visible(name), described(x.engine, i == 0))
	}
	console.Note(cmd.ErrOrStderr(), "listening at %s", console.Visible(where))
}

// described says what an engine is, and what all have in common.
func described(e *serve.Engine, common bool) string {
	m, o := e.Model(), e.Options()
	text := fmt.Sprintf("%s parameters", console.Count(m.File().Parameters()))
	if common {
		text += fmt.Sprintf(", %s kernels, %s", m.Tier(), console.Plural(m.Threads(), "thread", "threads"))
	}
	text += fmt.Sprintf(", context %d, %d at the same time", o.ContextSize, o.Parallel)
	if n := len(m.Adapters()); n > 0 {
		text += ", " + console.Plural(n, "adapter", "adapters")
	}
	if !common {
		return text
	}
	if o.CacheBytes > 0 {
		text += ", prefix cache " + console.ByteSize(o.CacheBytes)
	} else {
		text += ", no prefix cache"
	}
	if o.CacheDir != "" {
		d := e.Stats().Disk
		text += fmt.Sprintf(" and %s of %s in %s", console.ByteSize(d.Bytes), console.ByteSize(d.Limit),
			console.Visible(o.CacheDir))
	}
	return text
}
