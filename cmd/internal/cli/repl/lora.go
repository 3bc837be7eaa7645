package repl

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/mpt"
)

// loraWords are what /lora does.
var loraWords = []string{"add ", "remove ", "scale "}

// lora shows, adds, removes and scales adapters. What was said so far is evaluated again
// with the next message.
func (r *repl) lora(_ context.Context, arg string) error {
	word, rest, _ := strings.Cut(arg, " ")
	rest = strings.TrimSpace(rest)
	uses := r.talk.Session().Adapters()
	switch {
	case arg == "":
		return r.showAdapters(uses)
	case word == "add" && rest != "":
		return r.addAdapter(uses, rest)
	case word == "remove" && rest != "":
		i, err := adapterNumber(uses, rest)
		if err != nil {
			return err
		}
		return r.setAdapters(slices.Delete(uses, i, i+1))
	case word == "scale":
		number, text, _ := strings.Cut(rest, " ")
		i, err := adapterNumber(uses, number)
		if err != nil {
			return err
		}
		if uses[i].Scale, err = flags.ParseScale(strings.TrimSpace(text)); err != nil {
			return err
		}
		return r.setAdapters(uses)
	}
	return fmt.Errorf("%s: want add FILE[:SCALE], remove N, or scale N SCALE; alone it lists the adapters", arg)
}

// adapterNumber reads the number of an adapter in the list, from 1 on, as an index.
func adapterNumber(uses []mpt.AdapterUse, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > len(uses) {
		return 0, fmt.Errorf("%q is not the number of an adapter: there %s; /lora lists them", text, isAre(len(uses)))
	}
	return n - 1, nil
}

func isAre(n int) string {
	if n == 1 {
		return "is 1"
	}
	return fmt.Sprintf("are %d", n)
}

func (r *repl) addAdapter(uses []mpt.AdapterUse, text string) error {
	path, scale, err := flags.ParseAdapter(text)
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	a, err := r.talk.Session().Model().LoadAdapter(path)
	if err != nil {
		return err
	}
	for _, text := range a.Notes() {
		r.note("%s: %s", path, text)
	}
	return r.setAdapters(append(uses, mpt.AdapterUse{Adapter: a, Scale: scale}))
}

func (r *repl) setAdapters(uses []mpt.AdapterUse) error {
	if err := r.talk.Session().SetAdapters(uses...); err != nil {
		return err
	}
	return r.showAdapters(uses)
}

// showAdapters lists the adapters with their numbers.
func (r *repl) showAdapters(uses []mpt.AdapterUse) error {
	if len(uses) == 0 {
		_, err := fmt.Fprintln(r.out, "no adapters")
		return err
	}
	t := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for i, u := range uses {
		fmt.Fprintf(t, "%d\t%s\tscale %v\t%s of %s\n", i+1, u.Adapter.Path(), u.Scale,
			flags.RankText(u.Adapter.Ranks()), console.Plural(u.Adapter.Matrices(), "matrix", "matrices"))
	}
	return t.Flush()
}
