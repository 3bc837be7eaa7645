package flags

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mptgo/cmd/internal/cli/console"
	"mptgo/gguf"
	"mptgo/mpt"
)

// CacheTypes are the types of cached keys and values.
type CacheTypes struct {
	both, keys, values cacheType
}

// add adds the flags. llama.cpp's short forms -ctk and -ctv have three letters, which
// [longFlags] makes long ones.
func (c *CacheTypes) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	words := cacheWords()
	list := strings.Join(words, ", ") + " (default " + words[0] + ")"
	fs.VarP(&c.keys, "cache-type-k", "", "-ctk, keep the keys of the context as `TYPE`: "+list)
	fs.VarP(&c.values, "cache-type-v", "", "-ctv, keep the values of the context as `TYPE`: the same types")
	fs.VarP(&c.both, "cache-type", "", "keep both as `TYPE`")
	for _, name := range []string{"cache-type-k", "cache-type-v", "cache-type"} {
		cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

// options returns the flags that were given as options of the engine.
func (c *CacheTypes) options() (opts []mpt.Option) {
	for _, o := range []struct {
		flag   cacheType
		option func(gguf.Type) mpt.Option
	}{{c.both, mpt.CacheType}, {c.keys, mpt.CacheKeyType}, {c.values, mpt.CacheValueType}} {
		if o.flag.given {
			opts = append(opts, o.option(o.flag.typ))
		}
	}
	return opts
}

// Names returns the types that were given, by the names of the settings.
func (c *CacheTypes) Names() map[string]string {
	given := map[string]string{}
	for name, t := range map[string]cacheType{"cache_type": c.both, "cache_type_k": c.keys, "cache_type_v": c.values} {
		if t.given {
			given[name] = t.String()
		}
	}
	return given
}

// cacheType is the value of such a flag.
type cacheType struct {
	typ   gguf.Type
	given bool
}

func (c *cacheType) Type() string { return "string" }

func (c *cacheType) String() string {
	if !c.given {
		return ""
	}
	return strings.ToLower(c.typ.String())
}

func (c *cacheType) Set(s string) error {
	for _, t := range mpt.CacheTypes() {
		if strings.EqualFold(s, t.String()) {
			c.typ, c.given = t, true
			return nil
		}
	}
	words := cacheWords()
	last := len(words) - 1
	return fmt.Errorf("want %s or %s", strings.Join(words[:last], ", "), words[last])
}

// ContextMemory says how much memory the keys and values of a session take.
func ContextMemory(s *mpt.Session) string {
	k, v := s.Model().CacheType()
	return fmt.Sprintf("context of %s in %s keys and %s values: %s", console.Plural(s.Len(), "token", "tokens"),
		strings.ToLower(k.String()), strings.ToLower(v.String()), console.ByteSize(s.Model().CacheBytes(s.Len())))
}

// cacheWords returns the types as people write them.
func cacheWords() (words []string) {
	for _, t := range mpt.CacheTypes() {
		words = append(words, strings.ToLower(t.String()))
	}
	return words
}
