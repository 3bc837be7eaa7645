package serve

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"mptgo/mpt"
)

// A saved sequence is savedMagic followed by little-endian values:
//
//	the length of the head   u32
//	the head                 JSON, see savedHead
//	CRC-32C of the head      u32
//	the session              as [mpt.Session.Save] writes it, which has its own checksum
//
// The last byte of the magic is the version of the format.
const savedMagic = "MPTSLOT\x01"

// mostHead is how many bytes a head may have: it holds a salt.
const mostHead = 1 << 20

// savedHead says which requests may use a sequence.
type savedHead struct {
	Numerics int            `json:"numerics"` // [mpt.NumericsVersion]
	Tokens   int            `json:"tokens"`
	Salt     []byte         `json:"salt,omitempty"`
	Adapters []savedAdapter `json:"adapters,omitempty"`
}

// savedAdapter names an adapter by what it changes.
type savedAdapter struct {
	Fingerprint string  `json:"fingerprint"` // hexadecimal
	Scale       float32 `json:"scale"`
}

// Sequence names evaluated tokens, and what their keys and values depend on beside them.
type Sequence struct {
	Tokens   []int32
	Adapters []mpt.AdapterUse // nil means those of the model
	Salt     string           // see [Request]
}

// ErrNoCache says that there is no place for what is restored.
var ErrNoCache = errors.New("the prefix cache in memory is switched off, or too small for this sequence")

// Save writes a sequence, with its keys and values. What the cache does not hold of them is
// evaluated again. The errors are those of [Engine.Submit], of ctx and of w.
func (e *Engine) Save(ctx context.Context, x Sequence, w io.Writer) error {
	q, err := e.newRequest(ctx, Request{Prompt: x.Tokens, Adapters: x.Adapters, Salt: x.Salt, Logprobs: -1})
	if err != nil {
		return err
	}
	q.lent = make(chan *mpt.Session, 1)
	s, err := e.enqueue(q)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
	var f *mpt.Session
	select {
	case f = <-q.lent:
		defer e.sched.giveBack(f)
	default:
	}
	if s.Err() != nil {
		return s.Err()
	}
	if err := writeHead(w, q); err != nil {
		return err
	}
	return f.Save(&stopping{w: w, ctx: ctx, e: e})
}

func writeHead(w io.Writer, q *request) error {
	head := savedHead{Numerics: mpt.NumericsVersion, Tokens: len(q.Prompt), Salt: []byte(q.Salt)}
	for _, u := range q.Adapters {
		if u.Scale != 0 {
			print := u.Adapter.Fingerprint()
			head.Adapters = append(head.Adapters, savedAdapter{hex.EncodeToString(print[:]), u.Scale})
		}
	}
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if len(text) > mostHead {
		return fmt.Errorf("the salt has %d bytes, too many to be saved", len(q.Salt))
	}
	b := binary.LittleEndian.AppendUint32([]byte(savedMagic), uint32(len(text)))
	b = append(b, text...)
	_, err = w.Write(binary.LittleEndian.AppendUint32(b, crc32.Checksum(text, castagnoli)))
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readHead reads what comes before a saved session. Its errors are the fault of the file.
func readHead(r io.Reader) (head savedHead, err error) {
	fixed := make([]byte, len(savedMagic)+4)
	if _, err := io.ReadFull(r, fixed); err != nil || string(fixed[:len(savedMagic)]) != savedMagic {
		return head, errors.New("it does not begin like a saved sequence, or like one of another version")
	}
	n := binary.LittleEndian.Uint32(fixed[len(savedMagic):])
	if n > mostHead {
		return head, errors.New("its head is damaged")
	}
	text := make([]byte, n+4)
	if _, err := io.ReadFull(r, text); err != nil {
		return head, errors.New("it ends early")
	}
	if crc32.Checksum(text[:n], castagnoli) != binary.LittleEndian.Uint32(text[n:]) ||
		json.Unmarshal(text[:n], &head) != nil || head.Tokens < 1 {
		return head, errors.New("its head is damaged")
	}
	if head.Numerics != mpt.NumericsVersion {
		return head, errors.New("it was saved by a version of this program that computes other bits")
	}
	return head, nil
}

// adapters finds the adapters of a saved sequence among those of the model.
func (e *Engine) adapters(head savedHead) ([]mpt.AdapterUse, error) {
	uses := e.m.Adapters()
	for i := range uses {
		uses[i].Scale = 0
	}
	next := 0
	for _, a := range head.Adapters {
		at := slices.IndexFunc(uses[next:], func(u mpt.AdapterUse) bool {
			print := u.Adapter.Fingerprint()
			return hex.EncodeToString(print[:]) == a.Fingerprint
		})
		if at < 0 {
			return nil, errors.New("it was saved with an adapter that this server does not have, or has in another order")
		}
		uses[next+at].Scale = a.Scale
		next += at + 1
	}
	return uses, nil
}

// Restore puts a saved sequence into the prefix cache, and returns it. Errors that wrap
// [mpt.ErrSession] are the fault of the file, of another model's for example; others are
// [ErrNoCache], a [*mpt.MemoryError], [ErrDraining], [ErrClosed], those of ctx and of r.
func (e *Engine) Restore(ctx context.Context, r io.Reader) (x Sequence, err error) {
	bad := func(err error) (Sequence, error) { return x, fmt.Errorf("%w: %w", mpt.ErrSession, err) }
	file := &stopping{r: r, ctx: ctx, e: e}
	head, err := readHead(file)
	if gone := file.err(); gone != nil {
		return x, gone
	}
	if err != nil {
		return bad(err)
	}
	x.Salt = string(head.Salt)
	if x.Adapters, err = e.adapters(head); err != nil {
		return bad(err)
	}
	if head.Tokens > e.opt.ContextSize {
		return bad(&ContextError{head.Tokens, e.opt.ContextSize})
	}
	if int64(pagesOf(head.Tokens))*e.sched.cache.pageBytes() > e.opt.CacheBytes {
		return x, ErrNoCache
	}
	f, err := e.m.NewSession(mpt.ContextSize(e.opt.ContextSize), mpt.NoReserve())
	if err != nil {
		return x, err
	}
	if err := e.do(func(s *scheduler) { s.lent.Add(1); s.fits(head.Tokens) }); err != nil {
		f.Close()
		return x, err
	}
	defer e.sched.giveBack(f)
	if err := f.SetAdapters(x.Adapters...); err != nil {
		return x, err
	}
	if err := f.Restore(file); err != nil {
		return x, cmp.Or(file.err(), err)
	}
	return e.keep(x, f, head.Tokens)
}

// keep puts a restored session into the cache.
func (e *Engine) keep(x Sequence, f *mpt.Session, tokens int) (Sequence, error) {
	x.Tokens = slices.Clone(f.Tokens())
	if len(x.Tokens) != tokens {
		return x, fmt.Errorf("%w: it has %d tokens, not %d as its head says", mpt.ErrSession, len(x.Tokens), tokens)
	}
	group, kept, err := groupOf(x.Salt, x.Adapters), 0, error(nil)
	if off := e.do(func(s *scheduler) {
		err = s.cache.add(group, f, trail{})
		_, kept = s.cache.find(group, x.Tokens)
	}); off != nil {
		return x, off
	}
	if err == nil && kept < tokens {
		err = ErrNoCache
	}
	return x, err
}
