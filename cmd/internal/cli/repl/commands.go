package repl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/sampling"
)

// chatCommand is one command of the chat.
type chatCommand struct {
	name     string
	args     string // for help
	help     string
	run      func(r *repl, ctx context.Context, arg string) error
	complete func(arg string) []string // what the argument may become; nil: nothing to offer
}

// chatCommands lists the commands in the order of the help text. A new command
// is one row here.
func chatCommands() []chatCommand {
	return []chatCommand{
		{"/help", "", "show this list", (*repl).help, nil},
		{"/regen", "", "answer the last message again", (*repl).regen, nil},
		{"/reset", "", "forget the conversation, but not the system prompt", (*repl).reset, nil},
		{"/system", "[TEXT]", "set the system prompt; without TEXT, show it; - removes it", (*repl).setSystem, nil},
		{"/set", "[NAME [VALUE]]", "change how tokens are chosen, or show a setting; alone, show all", (*repl).set, settingNames},
		{"/lora", "[add FILE[:SCALE] | remove N | scale N SCALE]", "change the LoRA adapters in use; alone, list them", (*repl).lora, func(string) []string { return loraWords }},
		{"/json", "[SCHEMA | FILE | -]", "answer in JSON that obeys a schema; alone, in any object; - ends it", (*repl).json, completeFile},
		{"/save", "FILE", "write the conversation to FILE", (*repl).save, completeFile},
		{"/load", "FILE", "go on with the conversation in FILE", (*repl).load, completeFile},
		{"/tokens", "", "show how full the context is", (*repl).tokens, nil},
		{"/speed", "", "show how fast the last answer was", (*repl).speed, nil},
		{"/quit", "", "end the chat; so do /exit and /bye", func(*repl, context.Context, string) error { return errQuit }, nil},
	}
}

// otherNames are those that other programs have taught people.
var otherNames = map[string]string{"/exit": "/quit", "/bye": "/quit"}

const chatKeys = `
A line that ends in \ goes on in the next; """ begins and ends a text of several lines;
lines that are pasted together are one message.
Ctrl-C stops an answer, Ctrl-D ends the chat.
`

// command runs the command in line.
func (r *repl) command(ctx context.Context, line string) error {
	name, arg, _ := strings.Cut(line, " ")
	for _, c := range chatCommands() {
		if c.name == name || c.name == otherNames[name] {
			arg = strings.TrimSpace(arg)
			if arg != "" && c.args == "" {
				return fmt.Errorf("%s: takes no argument", name)
			}
			err := c.run(r, ctx, arg)
			if err == nil || err == errQuit {
				return err
			}
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return fmt.Errorf(`%s: unknown command%s: /help lists them; a message that begins with / goes between """ and """`,
		name, nearCommand(name))
}

// nearCommand returns a question about the commands whose names are like one that there is not.
func nearCommand(name string) string {
	all := &cobra.Command{SuggestionsMinimumDistance: 2}
	for _, c := range chatCommands() {
		all.AddCommand(&cobra.Command{Use: c.name, Run: func(*cobra.Command, []string) {}})
	}
	for _, also := range slices.Sorted(maps.Keys(otherNames)) {
		all.AddCommand(&cobra.Command{Use: also, Run: func(*cobra.Command, []string) {}})
	}
	near := all.SuggestionsFor(name)
	if len(near) == 0 || len(near) > 4 { // a / alone is the beginning of all
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
}

func (r *repl) help(context.Context, string) error {
	t := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, c := range chatCommands() {
		fmt.Fprintf(t, "%s %s\t%s\n", c.name, c.args, c.help)
	}
	fmt.Fprint(t, chatKeys)
	return t.Flush()
}

// regen answers the last message again. If the new answer is stopped, the old one stays.
func (r *repl) regen(ctx context.Context, _ string) error {
	turns := r.talk.Turns()
	if len(turns) == 0 {
		return r.answer(ctx, r.talk.Retry)
	}
	before := turns[len(turns)-1]
	r.cut = true
	err := r.answer(ctx, r.talk.Retry)
	if r.cut {
		r.talk.Restore(before)
		r.note("the answer before stays")
	}
	return err
}

func (r *repl) reset(context.Context, string) error {
	r.talk.Reset()
	r.note("the conversation is forgotten")
	return nil
}

func (r *repl) setSystem(_ context.Context, arg string) error {
	switch arg {
	case "":
		_, err := fmt.Fprintln(r.out, console.Visible(r.talk.Format().System))
		return err
	case "-":
		arg = ""
	}
	return r.talk.SetSystem(arg)
}

func (r *repl) set(_ context.Context, arg string) error {
	if arg == "" {
		return r.settings()
	}
	name, value, ok := strings.Cut(arg, " ")
	if !ok {
		return r.setting(name)
	}
	value = strings.TrimSpace(value)
	seed := strings.ReplaceAll(name, "-", "_") == "seed"
	if seed && (value == "random" || value == "-1") {
		r.randomSeed = true
		return nil
	}
	p := r.params
	if err := p.Set(name, value); err != nil {
		return err
	}
	if _, err := flags.NewChain(p, r.tokenizer()); err != nil {
		return err
	}
	r.params, r.randomSeed = p, r.randomSeed && !seed // not before: a refused setting changes nothing
	return nil
}

// setting shows one setting.
func (r *repl) setting(name string) error {
	key := strings.ReplaceAll(name, "-", "_")
	for _, o := range sampling.Options() {
		if o.Name == key || slices.Contains(o.Also, key) {
			return r.showSettings(o)
		}
	}
	p := r.params
	return p.Set(name, "") // says which settings there are
}

// settings shows all settings.
func (r *repl) settings() error { return r.showSettings(sampling.Options()...) }

func (r *repl) showSettings(options ...sampling.Option) error {
	t := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, o := range options {
		value := o.Get(&r.params)
		if o.Name == "seed" && r.randomSeed {
			value = "random"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", o.Name, value, o.Usage)
	}
	return t.Flush()
}

// settingNames returns the names that /set takes.
func settingNames(string) []string {
	var names []string
	for _, o := range sampling.Options() {
		names = append(names, o.Name+" ")
	}
	return names
}

func (r *repl) save(_ context.Context, path string) error {
	if noName(path) {
		return fmt.Errorf("no file name")
	}
	if err := saveChat(path, r); err != nil {
		return err
	}
	r.note("saved to %s", path)
	return nil
}

// noName reports whether a name is empty, or what a shell would take for that. Other quotes
// are part of the name: here it ends with the line.
func noName(path string) bool { return path == "" || path == `""` || path == "''" }

func (r *repl) load(_ context.Context, path string) error {
	if noName(path) {
		return fmt.Errorf("no file name")
	}
	if err := loadChat(path, r); err != nil {
		return err
	}
	r.note("%s, %s", path, console.Plural(len(r.talk.Turns()), "turn", "turns"))
	return nil
}

func (r *repl) tokens(context.Context, string) error {
	_, err := fmt.Fprintf(r.out, "%d of %d tokens, %s\n", len(r.talk.Tokens()), r.talk.Session().ContextSize(),
		console.Plural(len(r.talk.Turns()), "turn", "turns"))
	return err
}

func (r *repl) speed(context.Context, string) error {
	if r.timing == (console.Timing{}) {
		return fmt.Errorf("no answer yet")
	}
	_, err := fmt.Fprintln(r.out, r.timing)
	return err
}
