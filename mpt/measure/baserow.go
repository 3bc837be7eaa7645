package measure

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"mptgo/mpt"
)

// baseRow is a scored token of the base, as it stands in a file of logits.
type baseRow struct {
	full, empty chan struct{} // say whose turn it is: the user's or the reader's

	raw  []byte
	err  error // of reading
	top  int   // the most likely token
	nll  float64
	gaps []uint16
	norm float64 // ln of the sum of the exponentials

	kld  float64 // of the model
	same bool    // both have the same most likely token
}

// baseRows reads a file of logits ahead of its use, which is in the order of an evaluation:
// rows of a block at the same time, blocks one after another.
type baseRows struct {
	rows [mpt.ScoreBlock]baseRow
	exp  []float64 // of -gap, by gap in units
	stop chan struct{}
	done chan struct{}
}

func newBaseRows(r io.Reader, vocab int) *baseRows {
	b := &baseRows{exp: make([]float64, maxGap+1), stop: make(chan struct{}), done: make(chan struct{})}
	for i := range b.exp {
		b.exp[i] = math.Exp(-logitUnit * float64(i))
	}
	for i := range b.rows {
		row := &b.rows[i]
		row.raw, row.gaps = make([]byte, 12+2*vocab), make([]uint16, vocab)
		row.full, row.empty = make(chan struct{}, 1), make(chan struct{}, 1)
		row.empty <- struct{}{}
	}
	go b.read(r)
	return b
}

// read fills rows until close. After an error it hands that to all who wait for a row.
func (b *baseRows) read(r io.Reader) {
	defer close(b.done)
	var err error
	for k := 0; ; k++ {
		row := &b.rows[k%len(b.rows)]
		select {
		case <-row.empty:
		case <-b.stop:
			return
		}
		if err == nil {
			if _, err = io.ReadFull(r, row.raw); err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
		}
		row.err = err
		row.full <- struct{}{}
	}
}

// close ends reading.
func (b *baseRows) close() {
	close(b.stop)
	<-b.done
}

// row waits for row k and reads what it says.
func (b *baseRows) row(k int) (*baseRow, error) {
	row := &b.rows[k%len(b.rows)]
	<-row.full
	if row.err != nil {
		return nil, row.err
	}
	return row, row.parse(b.exp)
}

// used gives row k back to be read anew.
func (b *baseRows) used(k int) { b.rows[k%len(b.rows)].empty <- struct{}{} }

func (b *baseRow) parse(exp []float64) error {
	b.top = int(binary.LittleEndian.Uint32(b.raw))
	b.nll = math.Float64frombits(binary.LittleEndian.Uint64(b.raw[4:]))
	n, sum := len(b.gaps), 0.
	low, high := b.raw[12:12+n], b.raw[12+n:]
	for i := range b.gaps {
		b.gaps[i] = uint16(low[i]) | uint16(high[i])<<8
		sum += exp[b.gaps[i]]
	}
	if b.top >= n || b.gaps[b.top] != 0 || !(b.nll > -1e-6 && b.nll < math.MaxFloat32) {
		return fmt.Errorf("a token of -ln p %v, the most likely one %d: it is damaged", b.nll, b.top)
	}
	b.norm = math.Log(sum)
	return nil
}

// logProb returns ln p of a token.
func (b *baseRow) logProb(id int) float64 { return -logitUnit*float64(b.gaps[id]) - b.norm }

// compare computes how far the prediction x is from that of the base.
func (b *baseRow) compare(exp []float64, x scored) {
	kld := 0.
	for i, v := range x.logits {
		if p := exp[b.gaps[i]]; p > 0 {
			kld += p * (b.logProb(i) - (float64(v) - x.lse))
		}
	}
	b.kld = max(kld/math.Exp(b.norm), 0)
	b.same = b.top == argmax(x.logits)
}
