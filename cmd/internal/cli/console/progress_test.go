package console

import (
	"bytes"
	"testing"
)

func TestProgressLines(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, "work")
	p.Set(0, 0)
	for done := int64(0); done <= 4096; done += 1024 {
		p.Set(done, 4096)
	}
	p.Logf("note %d", 1)
	p.Clear()
	want := "mpt: work: 20% of 4.0 KiB\nmpt: work: 50% of 4.0 KiB\nmpt: work: 70% of 4.0 KiB\nmpt: work: 100% of 4.0 KiB\nmpt: work: note 1\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 17 << 30: "17.0 GiB", 1 << 62: "4.0 EiB",
	} {
		if got := ByteSize(n); got != want {
			t.Errorf("byteSize(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 K", 131_392: "131 K", 6_649_286_656: "6.65 G"} {
		if got := Count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}
