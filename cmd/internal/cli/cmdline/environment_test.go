package cmdline_test

import (
	"strings"
	"testing"

	"mptgo/cmd/internal/cli"
	"mptgo/cmd/internal/cli/cmdline"
)

// Variables stand in for flags, llama.cpp's names too; flags go first.
func TestFromEnvironment(t *testing.T) {
	for name, x := range map[string]struct {
		args []string
		env  map[string]string
		want map[string]string // flags
		err  string
	}{
		"ours":       {nil, map[string]string{"MPT_PORT": "81", "MPT_PARALLEL": "3"}, map[string]string{"port": "81", "parallel": "3"}, ""},
		"llama's":    {nil, map[string]string{"LLAMA_ARG_N_PARALLEL": "5", "LLAMA_ARG_CTX_SIZE": "99"}, map[string]string{"parallel": "5", "ctx-size": "99"}, ""},
		"ours first": {nil, map[string]string{"LLAMA_ARG_PORT": "1", "MPT_PORT": "2"}, map[string]string{"port": "2"}, ""},
		"flag first": {[]string{"--port", "3"}, map[string]string{"MPT_PORT": "2"}, map[string]string{"port": "3"}, ""},
		"sampling":   {nil, map[string]string{"MPT_TEMP": "0.25"}, map[string]string{"temp": "0.25"}, ""},
		"switches": {nil, map[string]string{"LLAMA_ARG_NO_ENDPOINT_SLOTS": "1", "MPT_CACHE_PROMPT": "off", "MPT_EXACT": "enabled"},
			map[string]string{"slots": "false", "cache-prompt": "false", "exact": "true"}, ""},
		"keys":  {nil, map[string]string{"LLAMA_API_KEY": "a,b"}, map[string]string{"api-key": "[a,b]"}, ""},
		"empty": {nil, map[string]string{"MPT_PORT": "", "LLAMA_ARG_PORT": "7"}, map[string]string{"port": "7"}, ""},
		"a flag stands for all of its kind": {[]string{"-m", "x.gguf", "--cache-type", "f32"},
			map[string]string{"MPT_HF_REPO": "a/b", "LLAMA_ARG_CACHE_TYPE_K": "q8_0"}, map[string]string{"hf-repo": "", "cache-type-k": ""}, ""},
		"service link": {nil, map[string]string{"MPT_PORT": "tcp://10.0.0.1:8080"}, map[string]string{"port": "8080"}, ""},
		"no number":    {nil, map[string]string{"MPT_PORT": "many"}, nil, "MPT_PORT=many, which stands for --port"},
		"no switch":    {nil, map[string]string{"MPT_NO_SLOTS": "x"}, nil, "MPT_NO_SLOTS=x: want 1 or 0"},
		"no to a flag": {[]string{"--no-slots", "--no-cache-prompt"}, nil, map[string]string{"slots": "false", "cache-prompt": "false"}, ""},
	} {
		cmd, _, err := cli.Mpt().Find([]string{"serve"})
		if err != nil {
			t.Fatal(err)
		}
		args := cmdline.LongFlags(cmd, x.args)
		if err := cmd.ParseFlags(args); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		err = cmdline.FromEnvironment(cmd.Flags(), func(name string) string { return x.env[name] })
		if (err == nil) != (x.err == "") || err != nil && !strings.Contains(err.Error(), x.err) {
			t.Errorf("%s: error %v", name, err)
		}
		for flag, want := range x.want {
			if got := cmd.Flags().Lookup(flag).Value.String(); got != want {
				t.Errorf("%s: --%s is %s, want %s", name, flag, got, want)
			}
		}
	}
}
