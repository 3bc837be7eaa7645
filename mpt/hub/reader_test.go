package hub

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"mptgo/internal/fakehub"
)

// remoteFaults are what reading without a copy has to bear.
var remoteFaults = []fakehub.Fault{
	{}, {Kind: "drop", Times: 20, After: 30_000}, {Kind: "stall", Times: 1, After: 100}, {Kind: "500", Times: 3}, {Kind: "data429", Times: 1},
	{Kind: "wrongrange", Times: 1}, {Kind: "norange", Times: -1}, {Kind: "range416", Times: -1}, {Kind: "expired", Times: 1},
	{Kind: "denied", Times: 2},
}

func openRemote(t *testing.T, f fakehub.Fault) (c *Client, rev *Revision, file File, want []byte) {
	t.Helper()
	h := newHub(t)
	c = newClient(t, h)
	c.Times = hasty(f.Kind)
	c.Token = fakehub.Token
	rev, err := c.Resolve(context.Background(), tiny, "main")
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.Files(context.Background(), rev)
	if err != nil {
		t.Fatal(err)
	}
	h.Fail(f)
	at := slices.IndexFunc(files, func(f File) bool { return f.Path == "model.safetensors" })
	want, _ = io.ReadAll(io.NewSectionReader(repoFiles(h)["model.safetensors"], 0, 1<<30))
	return c, rev, files[at], want
}

func TestRemote(t *testing.T) {
	for _, f := range remoteFaults {
		t.Run(f.Kind, func(t *testing.T) {
			t.Parallel()
			c, rev, file, want := openRemote(t, f)
			r, err := c.Open(context.Background(), rev, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range []struct{ from, n int }{{0, 8}, {8, 100}, {65_530, 20}, {1_000_000, 3}, {999_000, 1003}, {1000, 300_000}, {0, len(want)}} {
				b := make([]byte, x.n)
				if _, err := r.ReadAt(b, int64(x.from)); err != nil || !bytes.Equal(b, want[x.from:x.from+x.n]) {
					t.Errorf("%d bytes at %d: %v, or other bytes", x.n, x.from, err)
				}
			}
			b := make([]byte, 10)
			if n, err := r.ReadAt(b, 1_000_000); n != 3 || err != io.EOF {
				t.Errorf("at the end: %d, %v", n, err)
			}
		})
	}
}

func TestStream(t *testing.T) {
	for _, f := range remoteFaults {
		for _, from := range []int64{0, 77_777} {
			t.Run(fmt.Sprintf("%s from %d", f.Kind, from), func(t *testing.T) {
				t.Parallel()
				c, rev, file, want := openRemote(t, f)
				s, err := c.Stream(context.Background(), rev, file, from)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if b, err := io.ReadAll(s); err != nil || !bytes.Equal(b, want[from:]) {
					t.Errorf("%d bytes, %v", len(b), err)
				}
			})
		}
	}
}
