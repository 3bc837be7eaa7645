package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A file of at least manyFrom bytes is fetched as segments of segmentBytes, several at
// a time. Files of models are gigabytes.
const (
	manyFrom     = 256 << 20
	segmentBytes = 64 << 20
)

// saveBytes is how much may come before it is noted how far the download is: what a
// process that is killed fetches twice.
const saveBytes = 32 << 20

// writeBytes is how much is written at once, and the memory of a connection.
const writeBytes = 1 << 20

// newHash returns what a file is verified with; nil if its hash is not known.
func newHash(want string, size int64) hash.Hash {
	switch len(want) {
	case 64:
		return sha256.New()
	case 40:
		h := sha1.New()
		fmt.Fprintf(h, "blob %d\x00", size)
		return h
	}
	return nil
}

// A segment is a range of a file and how much of it has come.
type segment struct {
	From, To int64
	Done     int64 // bytes from From on
}

func (s segment) missing() int64 { return s.To - s.From - s.Done }

// partState is what is kept of a part beside it.
type partState struct {
	Version  int       `json:"version"`
	Size     int64     `json:"size"`
	Host     string    `json:"host"` // that sent it
	ETag     string    `json:"etag"` // of that host
	Segments []segment `json:"segments"`
	Hashed   int64     `json:"hashed"`     // bytes from the start
	Hash     []byte    `json:"hash_state"` // after them
	Boot     string    `json:"boot"`       // of the system: after another one the disk may hold less
}

// A part is an unfinished file. Segments are written where they belong; the hash follows
// the bytes that are there from the start on, so that the whole need not be read again.
type part struct {
	file       *os.File
	path, note string // of the part and of its state
	want       string // the hash, "" if it is not known

	mu    sync.Mutex
	more  sync.Cond // something has come, or the part is given up
	state partState
	hash  hash.Hash
	dirty int64 // bytes since the last save
	saved time.Time
	ended bool

	step, most int64         // bytes of a segment, and that may come between two saves
	every      time.Duration // likewise
}

// openPart opens the part of a blob as it was left, or a new one.
func (c *Client) openPart(blob, want string, size int64) (*part, error) {
	p := &part{path: blob + ".mptgo.part", note: blob + ".mptgo.json", want: want, step: c.segmentBytes,
		most: c.saveBytes, every: c.Times.Save}
	p.more.L = &p.mu
	f, err := os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	p.file = f
	if p.load(size) {
		return p, nil
	}
	if err := p.reset(size, size >= c.manyFrom); err != nil {
		f.Close()
		return nil, err
	}
	return p, nil
}

// load reads the state of an earlier attempt; ok is false if it is of no use.
func (p *part) load(size int64) (ok bool) {
	b, err := os.ReadFile(p.note)
	var s partState
	if err != nil || json.Unmarshal(b, &s) != nil || s.Version != 1 || s.Size != size || !s.valid() ||
		!hasSize(p.path, size) {
		return false
	}
	p.hash = newHash(p.want, size)
	if m, ok := p.hash.(encoding.BinaryUnmarshaler); ok && s.Boot != "" && s.Boot == bootID() && m.UnmarshalBinary(s.Hash) == nil {
		p.state = s
		return true
	}
	if p.hash == nil && (s.Boot == "" || s.Boot != bootID()) {
		return false // nothing would tell that the disk holds less
	}
	p.hash, s.Hashed, s.Hash = newHash(p.want, size), 0, nil
	p.state = s
	return true
}

// valid reports whether the segments cover the file, and are not more than it.
func (s *partState) valid() bool {
	at := int64(0)
	for _, g := range s.Segments {
		if g.From != at || g.To <= g.From || g.Done < 0 || g.Done > g.To-g.From {
			return false
		}
		at = g.To
	}
	return at == s.Size && s.Hashed >= 0 && s.Hashed <= s.Size && (s.Hashed == 0 || s.prefix() >= s.Hashed)
}

// prefix returns how many bytes have come from the start on.
func (s *partState) prefix() (n int64) {
	for _, g := range s.Segments {
		n += g.Done
		if g.missing() > 0 {
			break
		}
	}
	return n
}

func (s *partState) done() (n int64) {
	for _, g := range s.Segments {
		n += g.Done
	}
	return n
}

// reset begins again, in many segments or one.
func (p *part) reset(size int64, many bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	step := size
	if many {
		step = p.step
	}
	p.state = partState{Version: 1, Size: size, Boot: bootID()}
	for at := int64(0); at < size; at += step {
		p.state.Segments = append(p.state.Segments, segment{From: at, To: min(at+step, size)})
	}
	p.hash = newHash(p.want, size)
	err := p.file.Truncate(0)
	if err == nil {
		err = p.file.Truncate(size)
	}
	if err != nil {
		return err
	}
	return p.save()
}

// save notes how far the part is. The lock is held.
func (p *part) save() error {
	b, err := json.Marshal(&p.state)
	if err == nil {
		err = replaceFile(p.note, p.note+".tmp", b)
	}
	if err != nil && overwrite(p.note, b) == nil {
		err = nil
	}
	p.dirty, p.saved = 0, time.Now()
	return err
}

// overwrite writes a file in the place of the one there: what is left to do on a full disk,
// which has no room for another. One that is only written in part is no JSON, and of no use.
func overwrite(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	return errors.Join(err, f.Truncate(int64(len(b))), f.Close())
}

// segment returns segment i as it is now.
func (p *part) segment(i int) segment {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Segments[i]
}

// add writes bytes that follow those of segment i.
func (p *part) add(i int, b []byte) error {
	s := p.segment(i)
	if _, err := p.file.WriteAt(b, s.From+s.Done); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Segments[i].Done += int64(len(b))
	p.dirty += int64(len(b))
	p.more.Broadcast()
	if p.dirty >= p.most || time.Since(p.saved) >= p.every {
		return p.save()
	}
	return nil
}

// come returns how many bytes have come.
func (p *part) come() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.done()
}

// source notes who sends the file; ok is false if it is not what was sent before.
func (p *part) source(host, etag string) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.Host == host && p.state.ETag != "" && etag != "" && p.state.ETag != etag {
		return false
	}
	p.state.Host, p.state.ETag = host, etag
	return true
}

// etagOf returns the mark of what a host sent before, for If-Range.
func (p *part) etagOf(host string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.Host != host || strings.HasPrefix(p.state.ETag, "W/") {
		return ""
	}
	return p.state.ETag
}

// follow hashes what has come from the start on, until all has or the part ends.
func (p *part) follow() error {
	b := make([]byte, 1<<20)
	for {
		at, n := p.await(int64(len(b)))
		if n == 0 {
			return nil
		}
		if _, err := p.file.ReadAt(b[:n], at); err != nil && err != io.EOF {
			return err
		}
		var state []byte
		if p.hash != nil {
			p.hash.Write(b[:n])
			state, _ = p.hash.(encoding.BinaryMarshaler).MarshalBinary() // those of sha1 and sha256 can
		}
		p.mu.Lock()
		p.state.Hashed, p.state.Hash = at+n, state
		p.mu.Unlock()
	}
}

// await waits for bytes that are not hashed yet: from byte at on, n of them, most at
// the most; 0 at the end. Unless the end is near it waits for as many as it may return.
func (p *part) await(most int64) (at, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		at = p.state.Hashed
		n = p.state.prefix() - at
		if n >= most || n > 0 && at+n == p.state.Size || at == p.state.Size || p.ended {
			return at, min(n, most)
		}
		p.more.Wait()
	}
}

// end lets follow return when it has hashed what there is.
func (p *part) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.more.Broadcast()
}

// begin lets follow run again.
func (p *part) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = false
}

// sum returns the hash of the whole file; "" if there is nothing to compare it with.
func (p *part) sum() string {
	if p.hash == nil {
		return ""
	}
	return hex.EncodeToString(p.hash.Sum(nil))
}

// close keeps the part for another time, if there is anything to keep.
func (p *part) close() {
	if p.come() == 0 {
		p.remove()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.save() // without it some is fetched twice
	p.file.Close()
}

// remove gives the part up.
func (p *part) remove() {
	p.file.Close()
	p.forget()
	os.Remove(p.path)
}

// forget removes the state, also one that was not written whole.
func (p *part) forget() {
	os.Remove(p.note)
	os.Remove(p.note + ".tmp")
}

// commit gives the whole part its name, once it is on the disk.
func (p *part) commit(blob string) error {
	err := p.file.Sync()
	if e := p.file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(p.path, blob)
	}
	if err == nil {
		p.forget()
	}
	return err
}

// bootID returns what differs after every start of the system; "" if nobody tells.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// partBytes returns how much of a blob has come in earlier attempts.
func partBytes(blob string) int64 {
	b, err := os.ReadFile(blob + ".mptgo.json")
	var s partState
	if err != nil || json.Unmarshal(b, &s) != nil || !s.valid() {
		return 0
	}
	return s.done()
}
