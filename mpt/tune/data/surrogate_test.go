package data

import (
	"strings"
	"testing"
)

func TestLoneSurrogate(t *testing.T) {
	for text, want := range map[string]bool{
		`{"text": "plain"}`: false, `"\ud83d\ude00"`: false, `"\uD83D\uDE00\n"`: false, `"\ufffd"`: false, `"\\ud83d"`: false, `"\\\\ud83d"`: false,
		`"\ud83d"`: true, `"\ude00"`: true, `"\ude00\ud83d"`: true, `"\ud83d\ud83d\ude00"`: true, `"\ud83dx\ude00"`: true,
		`"\ud83d\n"`: true, `"\\\ud83d"`: true, `"\ud83d\ude00\ud83d"`: true, `"\ud83`: false, `\`: false,
	} {
		if got := loneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestHalves: rows with half of a character are left out and counted, in either form of JSON; --strict
// refuses them.
func TestHalves(t *testing.T) {
	const good, bad = `{"text": "a face: \ud83d\ude00"}`, `{"text": "half of one: \ud83d"}`
	for name, text := range map[string]string{"a.jsonl": good + "\n" + bad, "a.json": "[" + good + "," + bad + "]"} {
		path := write(t, name, []byte(text))
		set := open(t, options(t), path)
		s := &set.Summary
		if s.Rows != 1 || len(s.Dropped) != 1 || !strings.Contains(s.Dropped[0].String(), "half of a character") || !strings.Contains(s.Sample, "\U0001F600") {
			t.Errorf("%s: %d rows, left out: %v; %s", name, s.Rows, s.Dropped, s.Sample)
		}
		strict := options(t)
		strict.Strict = true
		fails(t, strict, path, "half of a character", "\\ud83d")
	}
	fails(t, options(t), write(t, "a.json", []byte(`[{"text": "`+"\xff"+`"}]`)), "a.json: row 1", "not UTF-8")
}
