package repl

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/fileio"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/mpt/chat"
	"mptgo/mpt/talk"
	"mptgo/sampling"
)

// A saved chat is chatMagic, the length of a JSON object as a little-endian
// uint32, the object (a [chatState]), and the session as [mpt.Session.Save] writes
// it. The last byte of the magic is the version of the format.
const chatMagic = "MPTCHAT\x01"

// chatState is what a saved chat knows beside its session.
type chatState struct {
	Format     string      `json:"format"`
	System     string      `json:"system"`
	Turns      []talk.Turn `json:"turns"`
	Sampling   string      `json:"sampling"` // as sampling.Parse reads it
	RandomSeed bool        `json:"random_seed"`
}

// saveChat writes the chat to a file. It replaces only a file that holds a saved
// chat.
func saveChat(path string, r *repl) error {
	if err := replaceable(path); err != nil {
		return err
	}
	b, err := json.Marshal(chatState{r.talk.Format().Name, r.talk.Format().System, r.talk.Turns(), r.params.String(),
		r.randomSeed})
	if err != nil {
		return err
	}
	return fileio.Write(path, func(w io.Writer) error {
		head := binary.LittleEndian.AppendUint32([]byte(chatMagic), uint32(len(b)))
		if _, err := w.Write(append(head, b...)); err != nil {
			return err
		}
		return r.talk.Session().Save(w)
	})
}

// replaceable returns an error if there is a file at path that is no chat.
func replaceable(path string) error {
	f, err := fileio.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	if err := readMagic(f); err != nil {
		return fmt.Errorf("%s: exists and is not a saved chat: choose another name", path)
	}
	return nil
}

func readMagic(r io.Reader) error {
	magic := make([]byte, len(chatMagic))
	switch _, err := io.ReadFull(r, magic); {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	case err != nil || string(magic) != chatMagic:
		return errors.New("not a chat that was saved by this version")
	}
	return nil
}

// loadChat puts the chat in a file in the place of r's. If it fails, r's goes
// on as it was.
func loadChat(path string, r *repl) error {
	f, err := fileio.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	state, err := readState(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := state.restore(r, f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readState reads the part before the session from a file of the given size.
func readState(f io.Reader, size int64) (*chatState, error) {
	if err := readMagic(f); err != nil {
		return nil, err
	}
	var n uint32
	if err := binary.Read(f, binary.LittleEndian, &n); err != nil {
		return nil, fmt.Errorf("cut off: %w", err)
	}
	if int64(n) > size {
		return nil, fmt.Errorf("damaged: %d bytes of text in a file of %d", n, size)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("cut off: %w", err)
	}
	var state chatState
	if err := json.Unmarshal(b, &state); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	return &state, nil
}

// restore makes the state, and the session that follows it in f, those of r.
func (s *chatState) restore(r *repl, f io.Reader) error {
	format := r.talk.Format()
	if s.Format != format.Name {
		var err error
		if format, err = chat.Named(s.Format); err != nil {
			return fmt.Errorf("%w: start the chat that is to go on with the same --chat-template", err)
		}
	}
	params, err := sampling.Parse(s.Sampling)
	if err != nil {
		return err
	}
	session := r.talk.Session()
	c, err := talk.Resume(session, format.WithSystem(s.System), s.Turns)
	if err != nil {
		return err
	}
	if err := s.check(session.Model().Config().Vocab); err != nil {
		return err
	}
	if err := session.Restore(f); err != nil {
		return err
	}
	c.Forgot, c.Progress = r.talk.Forgot, r.talk.Progress
	r.talk, r.params, r.randomSeed = c, params, s.RandomSeed
	r.timing = console.Timing{}
	return nil
}

// check refuses tokens that are not in the vocabulary.
func (s *chatState) check(vocab int) error {
	for i, t := range s.Turns {
		if err := flags.CheckIDs([][]int32{t.Prompt, t.Reply}, vocab); err != nil {
			return fmt.Errorf("of another model, or damaged: turn %d: %w", i, err)
		}
	}
	return nil
}
