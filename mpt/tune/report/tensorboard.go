package report

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// TensorBoard's files are records with a protobuf message Event each. The fields that matter here:
//
//	Event   1: double wall_time, seconds; 2: int64 step; 3: string file_version, of the first; 5: Summary
//	Summary 1: repeated Value
//	Value   1: string tag; 2: float simple_value
const (
	eventsPrefix = "events.out.tfevents."
	eventVersion = "brain.Event:2"
)

// seconds is the time of events.
func seconds() float64 { return float64(time.Now().UnixNano()) / 1e9 }

// openEvents returns a file of events in a folder to append to: the newest there without what is behind a
// step, else a new one.
func openEvents(dir string, step int) (*tail, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	path, err := newestEvents(dir)
	if err != nil {
		return nil, err
	}
	var kept []byte
	if step >= 0 && path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		kept = upTo(text, step)
	}
	if len(kept) == 0 {
		if path, err = freshEvents(dir); err != nil {
			return nil, err
		}
		kept = frame(nil, event(seconds(), 0, protoBytes(nil, 3, []byte(eventVersion))))
	}
	return openTail(path, kept)
}

// newestEvents returns the last file of events of this host by its name, which begins with the time.
func newestEvents(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	newest := ""
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), eventsPrefix) && strings.HasSuffix(e.Name(), ".mpt") && e.Type().IsRegular() {
			newest = filepath.Join(dir, e.Name())
		}
	}
	return newest, nil
}

// freshEvents returns a name that no file has.
func freshEvents(dir string) (string, error) {
	host, err := os.Hostname()
	if err != nil || strings.ContainsAny(host, `/\`) {
		host = "localhost"
	}
	for at := time.Now().Unix(); ; at++ {
		path := filepath.Join(dir, fmt.Sprintf("%s%010d.%s.mpt", eventsPrefix, at, host))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", err
		}
	}
}

// upTo returns the records of a file before the first that is damaged or of a later step.
func upTo(text []byte, step int) []byte {
	for at := 0; ; {
		payload, n := record(text[at:])
		if n == 0 || stepOf(payload) > int64(step) {
			return text[:at]
		}
		at += n
	}
}

// events returns the records of an entry.
func (e *entry) events(now float64) []byte {
	var values []byte
	for _, v := range []struct {
		tag string
		x   *number
	}{
		{"train/loss", e.Loss}, {"train/grad_norm", e.GradNorm}, {"train/learning_rate", e.LearningRate},
		{"train/tokens_per_second", figure(e.TokensPerSecond)}, {"eval/loss", e.EvalLoss}, {"eval/perplexity", e.EvalPerplexity},
	} {
		if v.x == nil || !v.x.finite() || v.tag == "train/tokens_per_second" && *v.x == 0 {
			continue
		}
		value := protoBytes(nil, 1, []byte(v.tag))
		value = append(value, 2<<3|5)
		value = binary.LittleEndian.AppendUint32(value, math.Float32bits(float32(*v.x)))
		values = protoBytes(values, 1, value)
	}
	if values == nil {
		return nil
	}
	return frame(nil, event(now, *e.Step, protoBytes(nil, 5, values)))
}

// event returns a message with a time, a step and a further field.
func event(now float64, step int, field []byte) []byte {
	b := append([]byte{1<<3 | 1}, make([]byte, 8)...)
	binary.LittleEndian.PutUint64(b[1:], math.Float64bits(now))
	b = append(b, 2<<3)
	b = binary.AppendUvarint(b, uint64(step))
	return append(b, field...)
}

// protoBytes appends a field of a number with bytes.
func protoBytes(dst []byte, number int, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(number)<<3|2)
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum of records.
func masked(b []byte) uint32 {
	crc := crc32.Checksum(b, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// frame appends a record: u64 length, its checksum, the payload, its checksum.
func frame(dst, payload []byte) []byte {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(payload)))
	dst = append(dst, head...)
	dst = binary.LittleEndian.AppendUint32(dst, masked(head))
	dst = append(dst, payload...)
	return binary.LittleEndian.AppendUint32(dst, masked(payload))
}

// record returns the payload of the record at the beginning of b, and the bytes of both; 0 if it is not
// whole.
func record(b []byte) (payload []byte, size int) {
	const head, foot = 12, 4
	if len(b) < head+foot || masked(b[:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return nil, 0
	}
	n := binary.LittleEndian.Uint64(b)
	if n > uint64(len(b)-head-foot) {
		return nil, 0
	}
	payload = b[head : head+n]
	if masked(payload) != binary.LittleEndian.Uint32(b[head+n:]) {
		return nil, 0
	}
	return payload, int(head + n + foot)
}

// stepOf returns the step of an event that [event] made; of another, a step that is never reached.
func stepOf(payload []byte) int64 {
	const timeField = 9
	if len(payload) <= timeField || payload[0] != 1<<3|1 || payload[timeField] != 2<<3 {
		return math.MaxInt64
	}
	step, n := binary.Uvarint(payload[timeField+1:])
	if n <= 0 || step > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(step)
}
