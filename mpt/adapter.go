package mpt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"mptgo/ggml"
	"mptgo/mpt/lora"
)

// Adapter is a LoRA adapter that fits a model and is ready to run beside it. The model's
// weights stay as they are. An Adapter is immutable, may be used by many sessions of its
// model at the same time, and takes the memory of its matrices: as float32, or as 16 bits where
// that leaves all values as they are, which is so for adapters in F16 and BF16.
type Adapter struct {
	m           *Model
	path        string
	base        string
	ranks       [2]int // the smallest and the largest
	notes       []string
	changes     map[string][]*ggml.LowRank // by the name of the matrix
	fingerprint [32]byte                   // identity of its weights
}

// AdapterUse is an adapter and the factor that its change is multiplied by.
type AdapterUse struct {
	Adapter *Adapter
	Scale   float32 // 0: the adapter is there and does nothing
}

// LoRA has every new session use the LoRA adapter at path, a file or a folder as for
// [Model.LoadAdapter], with the given scale. It may be given more than once: adapters add
// up.
func LoRA(path string, scale float32) Option {
	return func(o *options) { o.adapters = append(o.adapters, adapterFile{path, scale}) }
}

// adapterFile is an adapter that is to be loaded with the model.
type adapterFile struct {
	path  string
	scale float32
}

// Path returns the name that the adapter was loaded from.
func (a *Adapter) Path() string { return a.path }

// Fingerprint identifies what the adapter changes, wherever its file lies.
func (a *Adapter) Fingerprint() [32]byte { return a.fingerprint }

// Base returns the name of the model that the adapter was made for, as far as its file
// says.
func (a *Adapter) Base() string { return a.base }

// Ranks returns the smallest and the largest rank of its changes.
func (a *Adapter) Ranks() (smallest, largest int) { return a.ranks[0], a.ranks[1] }

// Notes returns what a user should know although it is no error.
func (a *Adapter) Notes() []string { return a.notes }

// Matrices returns the number of matrices that the adapter changes.
func (a *Adapter) Matrices() int { return len(a.changes) }

// Bytes returns how much memory the adapter takes.
func (a *Adapter) Bytes() (n int64) {
	for _, list := range a.changes {
		for _, l := range list {
			n += int64(l.Bytes())
		}
	}
	return n
}

// LoadAdapter reads the LoRA adapter at path for use with m: a folder that PEFT wrote or
// an adapter file, which is GGUF. It fails if the adapter does not fit the model in every
// part, and if it has parts that can only be merged.
func (m *Model) LoadAdapter(path string) (*Adapter, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	file, err := lora.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := file.Ignore(m.rows); err != nil {
		return nil, err
	}
	if err := file.MergeOnly(); err != nil {
		return nil, err
	}
	places, err := m.targets(file)
	if err != nil {
		return nil, err
	}
	a := &Adapter{m: m, path: path, base: file.Base, notes: file.Notes, changes: map[string][]*ggml.LowRank{}, ranks: [2]int{math.MaxInt, 0}}
	sum := sha256.New()
	for i := range file.Pairs {
		p, at := &file.Pairs[i], places[i]
		l, err := at.load(p)
		if err != nil {
			return nil, fmt.Errorf("lora: %s: %s: %w", path, p.Target, err)
		}
		a.changes[at.matrix] = append(a.changes[at.matrix], l)
		a.ranks = [2]int{min(a.ranks[0], p.Rank), max(a.ranks[1], p.Rank)}
		fmt.Fprintf(sum, "%q %d %d %d %v %v\n", p.Target, p.Rank, p.In, p.Out, p.Scale, l.Sample())
	}
	a.fingerprint = [32]byte(sum.Sum(nil))
	m.logAdapter(a)
	return a, nil
}

// place is where a pair belongs.
type place struct {
	matrix  string
	from    int     // the row that it begins with
	rows    int     // how many there are
	cols    int     // of a row; of the embedding, the number of tokens
	queries int     // rows from the first that are queries, which are scaled by
	factor  float32 // what the model's own were
}

// targets returns the place of every pair of an adapter, all of which must fit.
func (m *Model) targets(file *lora.Adapter) ([]place, error) {
	all := m.w.places(&m.config)
	places := make([]place, len(file.Pairs))
	for i := range file.Pairs {
		p := &file.Pairs[i]
		at, ok := all[p.Target]
		switch {
		case !ok:
			return nil, fmt.Errorf("lora: %s: it changes %s, which this model does not have%s", file.Path, p.Target, m.between(file))
		case at.rows != p.Out || at.cols != p.In:
			return nil, fmt.Errorf("lora: %s: its change of %s is for %d rows of %d, the model has %d rows of %d%s",
				file.Path, p.Target, p.Out, p.In, at.rows, at.cols, m.between(file))
		}
		places[i] = at
	}
	return places, nil
}

// between says, as far as the files do, which models an adapter is between.
func (m *Model) between(file *lora.Adapter) string {
	if file.Base == "" {
		return ""
	}
	return fmt.Sprintf(": it was made for %s, the model is %s", file.Base, m.config.Name)
}

// places lists what adapters can change, by the names that they have for it.
func (w *weights) places(c *Config) map[string]place {
	all := map[string]place{
		"token_embd.weight": {matrix: "token_embd.weight", rows: c.Embedding, cols: c.Vocab},
		"output.weight":     {matrix: "output.weight", rows: c.Vocab, cols: c.Embedding},
	}
	width, keys := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	for i := range w.layers {
		l := &w.layers[i]
		for _, x := range []*ggml.Matrix{l.qkv.w, l.out.w, l.up.w, l.gate.w, l.down.w} {
			if x != nil {
				all[x.Name] = place{matrix: x.Name, rows: x.Rows, cols: x.Cols}
			}
		}
		qkv := all[l.qkv.w.Name]
		qkv.queries, qkv.factor = width, c.QueryFactor
		all[qkv.matrix] = qkv
		if p, ok := strings.CutSuffix(qkv.matrix, "qkv.weight"); ok {
			all[p+"q.weight"] = place{qkv.matrix, 0, width, qkv.cols, width, c.QueryFactor}
			all[p+"k.weight"] = place{matrix: qkv.matrix, from: width, rows: keys, cols: qkv.cols}
			all[p+"v.weight"] = place{matrix: qkv.matrix, from: width + keys, rows: keys, cols: qkv.cols}
		}
	}
	return all
}

// rows returns a tensor of the model's file by the name that adapters have for it.
func (m *Model) rows(target string) (lora.Rows, bool) {
	t, ok := m.file.Tensor(target)
	if target == "output.weight" && !ok {
		t, ok = m.file.Tensor("token_embd.weight")
	}
	at := m.w.places(&m.config)[target]
	if !ok {
		t, ok = m.file.Tensor(at.matrix)
	}
	if !ok {
		return lora.Rows{}, false
	}
	r := lora.Rows{Type: t.Type, Rows: t.Rows(), Cols: t.Shape[0], Read: t.ReadRows}
	if at.from > 0 || at.rows > 0 && at.queries > 0 {
		r.Rows = at.rows
		r.Read = func(dst []byte, r0, r1 int) error { return t.ReadRows(dst, at.from+r0, at.from+r1) }
	}
	r.Factor = func(row int) float32 {
		if row < at.queries {
			return at.factor
		}
		return 1
	}
	return r, true
}

// load reads the change p for its place.
func (at place) load(p *lora.Pair) (*ggml.LowRank, error) {
	a, err := p.A.Floats()
	if err != nil {
		return nil, err
	}
	b, err := p.B.Floats()
	if err != nil {
		return nil, err
	}
	scale := float32(p.Scale)
	if scale-scale != 0 {
		return nil, fmt.Errorf("its scale is %v", p.Scale)
	}
	l, err := at.change(p, scale)
	if err != nil {
		return nil, err
	}
	for j := range p.A.Rows {
		l.SetA(j, a[j*p.A.Cols:(j+1)*p.A.Cols])
	}
	for j := range p.B.Rows {
		row := b[j*p.B.Cols : (j+1)*p.B.Cols]
		if j < at.queries && at.factor != 1 {
			for k := range row {
				row[k] *= at.factor // a power of two
			}
		}
		l.SetB(j, row)
	}
	l.Compact()
	return l, nil
}

// change returns the change that p makes, without its values.
func (at place) change(p *lora.Pair, scale float32) (*ggml.LowRank, error) {
	if p.IsTable() {
		return ggml.NewLowRankTable(p.Rank, p.In, p.Out, scale)
	}
	return ggml.NewLowRank(p.Rank, p.In, p.Out, at.from, scale)
}

// checkUses refuses adapters that cannot be used together with m.
func (m *Model) checkUses(uses []AdapterUse) error {
	for _, u := range uses {
		switch {
		case u.Adapter == nil || u.Adapter.m != m:
			return errors.New("mpt: an adapter that was not loaded for this model")
		case u.Scale-u.Scale != 0:
			return fmt.Errorf("mpt: adapter %s: a scale of %v: want a finite number", u.Adapter.path, u.Scale)
		}
	}
	return nil
}

// Adapters returns the adapters that new sessions use.
func (m *Model) Adapters() []AdapterUse { return slices.Clone(m.adapters) }

// ownAdapters returns the adapters that came with the model, also those that are off. The graph
// always has them: one that is not used takes next to no time, and nobody waits for a new graph
// when it is.
func (m *Model) ownAdapters() (list []*Adapter) {
	for _, u := range m.adapters {
		list = append(list, u.Adapter)
	}
	return list
}

// loadAdapters loads the adapters of the options.
func (m *Model) loadAdapters() error {
	for _, f := range m.opt.adapters {
		if f.scale-f.scale != 0 {
			return fmt.Errorf("mpt: adapter %s: a scale of %v: want a finite number", f.path, f.scale)
		}
		a, err := m.LoadAdapter(f.path)
		if err != nil {
			return err
		}
		m.adapters = append(m.adapters, AdapterUse{a, f.scale})
	}
	return nil
}

// Adapters returns the adapters that the session uses, also those whose scale is 0.
func (s *Session) Adapters() []AdapterUse { return slices.Clone(s.adapters.uses) }

// SetAdapters has the session use the given adapters, which add up, and no others. Keys
// and values depend on them, so a change removes all tokens, as [Session.Reset] does; if
// nothing changes the session stays as it is.
func (s *Session) SetAdapters(uses ...AdapterUse) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.m.checkUses(uses); err != nil {
		return err
	}
	set := newAdapterSet(uses)
	if !set.same(&s.adapters) {
		if err := s.truncate(0); err != nil {
			return err
		}
	}
	s.setAdapters(set)
	return nil
}

// adapterSet is what a session uses. An adapter whose scale is 0 is not applied, so that
// its results are those of the model to the bit.
type adapterSet struct {
	uses    []AdapterUse
	active  []*Adapter
	factors []float32 // of the active ones

	runner *runner   // for which
	slots  []float32 // are the factors, by the adapters of its graph
}

func newAdapterSet(uses []AdapterUse) adapterSet {
	set := adapterSet{uses: slices.Clone(uses)}
	for _, u := range uses {
		if u.Scale != 0 {
			set.active = append(set.active, u.Adapter)
			set.factors = append(set.factors, u.Scale)
		}
	}
	return set
}

// fits reports whether the graph of r can apply the set, and sets the slots for it.
func (s *adapterSet) fits(r *runner) bool {
	if s.runner == r {
		return true
	}
	at, ok := places(r.adapters, s.active)
	if !ok {
		return false
	}
	s.runner, s.slots = r, make([]float32, len(r.adapters))
	for k, i := range at {
		s.slots[i] = s.factors[k]
	}
	return true
}

// setAdapters gives a session a set, which the next graph will hold.
func (s *Session) setAdapters(set adapterSet) {
	s.adapters = set
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.sessions[s] = set.active
}

// activeSets returns the adapters that open sessions use, by session.
func (m *Model) activeSets() (sets [][]*Adapter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, active := range m.sessions {
		sets = append(sets, active)
	}
	return sets
}

// same reports whether both compute the same.
func (s *adapterSet) same(t *adapterSet) bool {
	return slices.Equal(s.active, t.active) && slices.Equal(s.factors, t.factors)
}

// fingerprint identifies model and adapters of a session for saved ones.
func (s *Session) fingerprint() ([32]byte, error) {
	model, err := s.m.fingerprint()
	if err != nil || len(s.adapters.active) == 0 {
		return model, err
	}
	h := sha256.New()
	h.Write(model[:])
	for i, a := range s.adapters.active {
		h.Write(a.fingerprint[:])
		fmt.Fprintf(h, " %v\n", s.adapters.factors[i])
	}
	return [32]byte(h.Sum(nil)), nil
}
