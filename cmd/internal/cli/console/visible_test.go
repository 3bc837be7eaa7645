package console

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä\n\t漢👍": "plain ä\n\t漢👍", "a\x1b[31mb": `a\x1b[31mb`, "\x00\x7f\r": `\x00\x7f\x0d`, "\u009b1m": `\x9b1m`,
		"\u202eevil": `\u202eevil`, "\xff\ufffd": `\xff` + "\ufffd", "": "",
	} {
		if got := Visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := OneLine("a\nb\tc\x1b"); got != `a\nb\tc\x1b` {
		t.Errorf("got %q", got)
	}
	var out bytes.Buffer
	if n, err := (VisibleWriter{W: &out}).Write([]byte("a\x1b\r\n")); n != 4 || err != nil || out.String() != "a\\x1b\r\n" {
		t.Errorf("%d, %v, %q", n, err, out.String())
	}
	if got, want := string(escapeJSON([]byte("{\"a\u009b\": \"\x7f\"}\n"))), `{"a\u009b": "\u007f"}`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	Note(&out, "%s: %v", "a\x1b[2J", "mpt: x")
	if !strings.HasSuffix(out.String(), "mpt: a\\x1b[2J: x\n") {
		t.Errorf("%q", out.String())
	}
}
