package eval

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"mptgo/mpt"
)

// journal is a file that keeps the samples of an evaluation as they come: a header, then
// one in each line. A line that was cut off is forgotten.
type journal struct {
	file   *os.File // nil: nothing is kept
	out    *bufio.Writer
	synced time.Time
	known  map[string]*Sample
}

// journalHeader is the first line.
type journalHeader struct {
	Version  int    `json:"mpt_eval_journal"`
	Identity string `json:"identity"`
}

const journalVersion = 1

// identity returns a hash of all that decides about samples.
func identity(runs []*run, opt Options) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %v %v %v\n", opt.Identity, opt.Context, opt.Limit, opt.Samples, opt.Chat)
	for _, r := range runs {
		fmt.Fprintf(h, "%q %q\n", r.Name, r.extra)
		for _, path := range sortedKeys(r.files) {
			fmt.Fprintf(h, "%s\n", r.files[path])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Identity returns a hash of the tasks and of all options that decide about results, of
// which names of journals can be made.
func Identity(m *mpt.Model, tasks []*Task, opt Options) (string, error) {
	lists, _, err := allRuns(m, tasks, opt)
	if err != nil {
		return "", err
	}
	return identity(slices.Concat(lists...), opt), nil
}

// openJournal opens the journal at path, or begins one.
func openJournal(path, identity string) (*journal, error) {
	j := &journal{known: map[string]*Sample{}}
	if path == "" {
		return j, nil
	}
	b, err := readFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	size, err := j.read(path, b, identity)
	if err != nil {
		return nil, err
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	err = j.file.Truncate(size)
	if err == nil {
		_, err = j.file.Seek(size, 0)
	}
	if err != nil {
		j.file.Close()
		return nil, err
	}
	j.out, j.synced = bufio.NewWriter(j.file), time.Now()
	if size > 0 {
		return j, nil
	}
	return j, j.write(journalHeader{journalVersion, identity})
}

// read takes the samples of a journal, and returns where what was written whole ends.
func (j *journal) read(path string, b []byte, identity string) (size int64, err error) {
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // torn: it is asked again
		}
		if n == 1 {
			var h journalHeader
			if json.Unmarshal(line, &h) != nil || h.Version != journalVersion {
				return 0, fmt.Errorf("%s: not a journal of this version: give another name", path)
			}
			if h.Identity != identity {
				return 0, fmt.Errorf("%s: the journal of another evaluation: the model, the tasks, their data or the options differ: "+
					"give another name, or remove it", path)
			}
		} else {
			s := &Sample{}
			if err := json.Unmarshal(line, s); err != nil {
				return 0, &RowError{path, n, fmt.Errorf("a damaged journal: %w: remove it to begin anew", err)}
			}
			if s.Fewshot == nil {
				s.Fewshot = []int{}
			}
			j.known[sampleKey(s.Run, s.I)] = s
		}
		size += int64(len(line))
	}
	if n == 1 && size == 0 && !bytes.HasPrefix(b, []byte(`{"mpt_eval_journal":`)) {
		return 0, fmt.Errorf("%s: not a journal: give another name", path)
	}
	return size, nil
}

func sampleKey(run string, i int) string { return fmt.Sprintf("%s %d", run, i) }

// find returns the sample of a row, or nil.
func (j *journal) find(run string, i int) *Sample { return j.known[sampleKey(run, i)] }

// syncEvery is how much work a crash of the system may cost.
const syncEvery = time.Second

// add keeps a sample.
func (j *journal) add(s *Sample) error {
	if j.file == nil {
		return nil
	}
	return j.write(s)
}

func (j *journal) write(v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = j.out.Write(append(b, '\n'))
	}
	if err == nil {
		err = j.out.Flush()
	}
	if err == nil && time.Since(j.synced) > syncEvery {
		err = j.file.Sync()
		j.synced = time.Now()
	}
	return err
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return errors.Join(j.out.Flush(), j.file.Sync(), j.file.Close())
}
