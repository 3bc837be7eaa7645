package report

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// scalar is a value that TensorBoard shows.
type scalar struct {
	step  uint64
	tag   string
	value float32
}

// scalars reads the events of a folder, from the documented format alone.
func scalars(t *testing.T, dir string) (list []scalar) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v", paths, err)
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	checksum := func(b []byte) uint32 {
		c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		return (c>>15 | c<<17) + 0xa282ead8
	}
	for n := 0; len(b) > 0; n++ {
		size := binary.LittleEndian.Uint64(b)
		if binary.LittleEndian.Uint32(b[8:]) != checksum(b[:8]) {
			t.Fatalf("record %d: checksum of the length", n)
		}
		payload := b[12 : 12+size]
		if binary.LittleEndian.Uint32(b[12+size:]) != checksum(payload) {
			t.Fatalf("record %d: checksum", n)
		}
		b = b[16+size:]
		event := message(t, payload)
		if now := math.Float64frombits(event[1][0].number); now < 1.7e9 || now > 1e11 {
			t.Errorf("record %d: the time is %v", n, now)
		}
		if version := event[3]; n == 0 && (len(version) != 1 || string(version[0].bytes) != "brain.Event:2") {
			t.Errorf("the first record has the version %v", version)
		}
		for _, summary := range event[5] {
			for _, v := range message(t, summary.bytes)[1] {
				value := message(t, v.bytes)
				list = append(list, scalar{event[2][0].number, string(value[1][0].bytes), math.Float32frombits(uint32(value[2][0].number))})
			}
		}
	}
	return list
}

type field struct {
	number uint64
	bytes  []byte
}

// message reads the fields of a protobuf message by their numbers.
func message(t *testing.T, b []byte) map[uint64][]field {
	t.Helper()
	fields := map[uint64][]field{}
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		b = b[n:]
		var f field
		switch key & 7 {
		case 0:
			f.number, n = binary.Uvarint(b)
		case 1:
			f.number, n = binary.LittleEndian.Uint64(b), 8
		case 2:
			var size uint64
			size, n = binary.Uvarint(b)
			f.bytes = b[n : n+int(size)]
			n += int(size)
		case 5:
			f.number, n = uint64(binary.LittleEndian.Uint32(b)), 4
		default:
			t.Fatalf("wire type %d", key&7)
		}
		b = b[n:]
		fields[key>>3] = append(fields[key>>3], f)
	}
	return fields
}

func TestTensorBoard(t *testing.T) {
	dir := t.TempDir()
	l := begin(t, dir, -1)
	if err := l.Train(Train{Step: 300, Loss: 1.5, GradNorm: 0.25, LearningRate: 1e-4, TokensPerSecond: 4.5}); err != nil {
		t.Fatal(err)
	}
	if err := l.Eval(Eval{Step: 300, Loss: 2}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	want := []scalar{{300, "train/loss", 1.5}, {300, "train/grad_norm", 0.25}, {300, "train/learning_rate", 1e-4},
		{300, "train/tokens_per_second", 4.5}, {300, "eval/loss", 2}, {300, "eval/perplexity", float32(math.Exp(2))}}
	got := scalars(t, filepath.Join(dir, "tb"))
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	// The checksum of the published test vector: 32 zero bytes.
	if c := crc32.Checksum(make([]byte, 32), castagnoli); c != 0x8a9136aa {
		t.Errorf("%x", c)
	}
}

func FuzzEvents(f *testing.F) {
	f.Add(frame(frame(nil, event(1, 2, nil)), event(1, 3, protoBytes(nil, 5, nil))), 2)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		if kept := upTo(b, step); len(kept) > len(b) {
			t.Error("more than there was")
		}
	})
}
