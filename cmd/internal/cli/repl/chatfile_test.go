package repl

import (
	"bytes"
	"testing"

	"mptgo/internal/check"
)

// FuzzReadState feeds any bytes to the reader of saved chats: it may refuse
// them, not fail otherwise.
func FuzzReadState(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte(chatMagic))
	f.Add([]byte(chatMagic + "\xff\xff\xff\xff"))
	f.Add([]byte(chatMagic + "\x02\x00\x00\x00{}"))
	f.Add([]byte(chatMagic + "\x1b\x00\x00\x00" + `{"turns":[{"prompt":[-1]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *chatState
		var err error
		check.Bounded(t, len(b), func() { s, err = readState(bytes.NewReader(b), int64(len(b))) })
		if (s == nil) == (err == nil) {
			t.Fatalf("got %v, %v", s, err)
		}
		if s == nil {
			return
		}
		if err := s.check(512); err != nil {
			return
		}
		for _, turn := range s.Turns {
			for _, id := range turn.Prompt {
				if id < 0 || id >= 512 {
					t.Fatalf("token %d passed", id)
				}
			}
		}
	})
}
