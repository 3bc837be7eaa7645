package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"mptgo/internal/newfile"
)

// Options say what is to be answered, and how.
type Options struct {
	Input  string    // a file of requests; -: Stdin
	Stdin  io.Reader // what comes from a pipe
	Output string    // the answers
	Errors string    // what was not answered; "": see [ErrorsOf]

	Models   []string // names of the model; requests for others are refused. None: any
	Created  int64    // of answers, in seconds since 1970; negative: the time of the first start
	Parallel int      // requests at the same time
	Strict   bool     // a line with a flaw ends it before anything is answered
	Limit    int      // of lines; 0: all
	Shard    Shard    // answer these alone, for [Merge]
	AsDone   bool     // the outputs grow in the order in which answers come
	NoSync   bool     // a crash of the system may lose what is done
	Anew     bool     // what an earlier start has done does not count
	Dry      bool     // the job is for [Job.Plan] and [Job.Request] alone: nothing is written

	// Alone, if set, returns a process that calls [ServeAlone] with its standard input and
	// output. Requests that were under way twice when the process ended are answered there.
	Alone func() *exec.Cmd

	Progress func(Counts)         // is told of every result
	Note     func(string, ...any) // is told what somebody should know
}

// Counts say how far a job is.
type Counts struct {
	Total  int // lines of this job
	Done   int // of them, those with a result
	Failed int // of these, the errors
	Kept   int // of these, from an earlier start
}

// Job is the work on an input. Its journal is locked until [Job.Close].
type Job struct {
	opt     Options
	in      *input
	index   *index
	journal *journal

	mu     sync.Mutex
	counts Counts
	live   *outputs // nil: results go to the journal alone
	alone  alone
}

// ErrorsOf returns the name of the file of errors that goes with an output.
func ErrorsOf(output string) string { return strings.TrimSuffix(output, ".jsonl") + ".errors.jsonl" }

// Open locks the journal of an output and reads the input. Close the job.
func Open(ctx context.Context, opt Options) (*Job, error) {
	opt.Errors = cmp.Or(opt.Errors, ErrorsOf(opt.Output))
	if opt.Created < 0 {
		opt.Created = unset
	}
	j := &Job{opt: opt, alone: alone{command: opt.Alone}}
	if opt.Dry {
		if err := j.read(ctx); err != nil {
			j.Close()
			return nil, err
		}
		return j, nil
	}
	if err := opt.check(); err != nil {
		return nil, err
	}
	var err error
	if j.journal, err = openJournal(opt.result()+".journal", opt.NoSync); err != nil {
		return nil, err
	}
	if err = j.read(ctx); err == nil && opt.Anew {
		err = j.journal.forget()
	}
	if err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// check refuses what does not go together, before any work.
func (o *Options) check() error {
	switch {
	case o.Parallel < 1:
		return fmt.Errorf("%d requests at the same time: want at least 1", o.Parallel)
	case o.Shard.N > 0 && o.AsDone:
		return errors.New("a shard has no order: the merge decides")
	case o.Shard.N > 0 && o.Created == unset:
		return errors.New("shards need a time that all have in common: give --created")
	}
	for _, path := range []string{o.Output, o.Errors} {
		if err := newfile.Writable(path); err != nil {
			return err
		}
		if newfile.Same(path, o.Input) {
			return fmt.Errorf("%s: it is the input", path)
		}
	}
	if o.Output == o.Errors || newfile.Same(o.Output, o.Errors) {
		return fmt.Errorf("%s: answers and errors need files of their own", o.Output)
	}
	return nil
}

// result is the file that the job ends with.
func (o *Options) result() string {
	if o.Shard.N == 0 {
		return o.Output
	}
	return partOf(o.Output, o.Shard)
}

// read reads the input.
func (j *Job) read(ctx context.Context) (err error) {
	if j.in, err = openInput(ctx, j.opt.Input, j.opt.Output, j.opt.Stdin); err != nil {
		return err
	}
	if j.index, err = read(ctx, j.in, rules{j.opt.Models}, j.opt.Limit); err != nil {
		return err
	}
	if j.opt.Strict && len(j.index.flawed) > 0 {
		return &FlawsError{len(j.index.flawed), j.index.first}
	}
	return nil
}

// FlawsError says that some lines cannot be answered.
type FlawsError struct {
	Lines int
	First []*Flaw
}

func (e *FlawsError) Error() string {
	return fmt.Sprintf("%d lines cannot be answered, and nothing was: %s", e.Lines, e.First[0].Message)
}

func (j *Job) note(format string, args ...any) {
	if j.opt.Note != nil {
		j.opt.Note(format, args...)
	}
}

// Flaws returns how many lines of each code cannot be answered, and the first of them.
func (j *Job) Flaws() (map[Code]int, []*Flaw) { return j.index.flaws, j.index.first }

// Close releases the input and the journal, which stays if there is anything in it.
func (j *Job) Close() error {
	if j.in != nil && j.in.f != nil {
		j.in.close()
	}
	j.alone.close()
	if j.live != nil {
		j.live.abort() // what it has is in the journal
	}
	if j.journal == nil {
		return nil
	}
	return j.journal.close()
}

// Run answers what has no result yet and writes the outputs. When it is interrupted, or cannot
// go on, the journal has what is done.
func (j *Job) Run(ctx context.Context, id Identity, w Worker) (Counts, error) {
	h := j.Header(id)
	if done, err := j.donePart(h); done || err != nil {
		return j.counts, err
	}
	h, err := j.resume(h)
	if err != nil {
		return j.counts, err
	}
	if err := j.answerAll(ctx, h, w); err != nil {
		return j.counts, err
	}
	return j.counts, j.finish()
}

// Header returns what the results of the job depend on.
func (j *Job) Header(id Identity) *Header {
	return &Header{
		Version: version, SHA256: j.in.sha, Size: j.in.size, Lines: len(j.index.entries), Shard: j.opt.Shard,
		Model: id.Model, Numerics: id.Numerics, Options: id.Options, Created: j.opt.Created,
	}
}

// resume takes over what an earlier start has done. It returns the header of the journal.
func (j *Job) resume(want *Header) (*Header, error) {
	h, cut, err := j.journal.load(want, j.take)
	if err != nil {
		return nil, err
	}
	j.counts.Total = len(j.opt.Shard.cut(j.index.order)) + len(j.opt.Shard.cut(j.index.flawed))
	j.counts.Kept = j.counts.Done
	if cut > 0 {
		j.note("%s: its last %d bytes were not written whole: what they told is done again", j.journal.path, cut)
	}
	if j.opt.AsDone {
		return h, j.replay()
	}
	return h, nil
}

// take takes over what a record of the journal tells.
func (j *Job) take(r *record) error {
	if r.kind == isEnd {
		return errNoJournal
	}
	e := j.index.find(int(r.line))
	if e == nil {
		return fmt.Errorf("it has something of line %d, which is not in the input", r.line)
	}
	switch r.kind {
	case isStart:
		e.starts = min(e.starts, 254) + 1
	case isDropped:
		e.starts = max(e.starts, 1) - 1
	case isResult:
		return j.takeResult(e, r)
	}
	return nil
}

func (j *Job) takeResult(e *entry, r *record) error {
	text, err := j.in.text(e)
	if err != nil {
		return err
	}
	if HashOf(text) != r.sum {
		return fmt.Errorf("it has a result of line %d that is not of this text", r.line)
	}
	if e.result != 0 {
		return fmt.Errorf("it has two results of line %d", r.line)
	}
	j.count(e, r.at, r.failed)
	return nil
}

// count counts a result.
func (j *Job) count(e *entry, at int64, failed bool) {
	e.result, e.failed = at, failed
	j.counts.Done++
	if failed {
		j.counts.Failed++
	}
}

// replay begins outputs that grow with what the journal has.
func (j *Job) replay() (err error) {
	if j.live, err = growOutputs(j.opt.Output, j.opt.Errors, j.opt.NoSync); err != nil {
		return err
	}
	_, err = readRecords(j.journal.f, j.journal.size, func(r *record) error {
		if r.kind != isResult {
			return nil
		}
		return j.live.add(Result{r.failed, r.text})
	})
	return errors.Join(err, j.live.flush())
}

// finish writes the outputs and removes the journal.
func (j *Job) finish() error {
	switch {
	case j.opt.Shard.N > 0:
		return j.endPart()
	case j.live != nil:
		if err := j.live.finish(); err != nil {
			return err
		}
	default:
		if err := j.writeOutputs(); err != nil {
			return err
		}
	}
	return j.journal.discard()
}

// writeOutputs writes all results in the order of the input.
func (j *Job) writeOutputs() error {
	o, err := createOutputs(j.opt.Output, j.opt.Errors, j.opt.NoSync)
	if err != nil {
		return err
	}
	for i := range j.index.entries {
		e := &j.index.entries[i]
		text, err := resultAt(j.journal.f, e.result)
		if err == nil {
			err = o.add(Result{e.failed, text})
		}
		if err != nil {
			o.abort()
			return fmt.Errorf("line %d: %w", e.line, err)
		}
	}
	return o.rename()
}

// donePart reports whether the shard was done before.
func (j *Job) donePart(want *Header) (bool, error) {
	if j.opt.Shard.N == 0 {
		return false, nil
	}
	p, err := openPart(j.opt.result())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer p.f.Close()
	if err := p.header.Differs(want); err != nil {
		return false, fmt.Errorf("%s: %w: remove it to begin anew", p.path, err)
	}
	n := len(p.places)
	j.counts = Counts{Total: n, Done: n, Failed: p.failed, Kept: n}
	return true, nil
}

// endPart marks the journal as complete and gives it the name of the part.
func (j *Job) endPart() error {
	if _, err := j.journal.add([]byte{isEnd}); err != nil {
		return err
	}
	return j.journal.become(j.opt.result())
}
