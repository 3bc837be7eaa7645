package data

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestKinds shows what every kind of row becomes, with its targets marked.
func TestKinds(t *testing.T) {
	for _, c := range []struct{ name, row, want string }{
		{"text", `{"text": "The duck.", "source": 1}`, "T⟦he duck.<|endoftext|>⟧"},
		{"prompt", `{"prompt": "Hi ", "response": "you"}`, "Hi ⟦you<|endoftext|>⟧"},
		{"completion", `{"prompt": "Hi ", "completion": "you"}`, "Hi ⟦you<|endoftext|>⟧"},
		{"ends already", `{"prompt": "Hi ", "response": "you<|endoftext|>"}`, "Hi ⟦you<|endoftext|>⟧"},
		{"chat", `{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}`,
			"<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n⟦A<|im_end|>\n<|endoftext|>⟧"},
		{"two answers", `{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "R"}, {"role": "assistant", "content": "B"}]}`,
			"<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\n⟦B<|im_end|>\n<|endoftext|>⟧"},
		{"sharegpt", `{"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]}`,
			"<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n⟦A<|im_end|>\n<|endoftext|>⟧"},
		{"alpaca", `{"instruction": "Do.", "input": "", "output": "Done."}`, fmt.Sprintf(alpacaPrompt, "Do.") + "⟦Done.<|endoftext|>⟧"},
		{"alpaca with input", `{"instruction": "Do.", "input": "This.", "output": "Done."}`, fmt.Sprintf(alpacaPrompt, "Do.\nThis.") + "⟦Done.<|endoftext|>⟧"},
		{"dolly", `{"instruction": "Do.", "context": "This.", "response": "Done."}`, fmt.Sprintf(alpacaPrompt, "Do.\nThis.") + "⟦Done.<|endoftext|>⟧"},
		{"conversational", `{"prompt": [{"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}]}`,
			"<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n⟦A<|im_end|>\n<|endoftext|>⟧"},
		{"tokens", `{"tokens": [66, 67, 68]}`, "a⟦bc⟧"},
		{"labels of transformers", `{"input_ids": [66, 67, 68], "labels": [-100, -100, 68]}`, "ab⟦c⟧"},
		{"labels of llm-foundry", `{"input_ids": [66, 67], "labels": [68, 69, 70]}`, "ab⟦cde<|endoftext|>⟧"},
		{"turns", `{"turns": [{"input_ids": [66], "labels": [67]}, {"input_ids": [68], "labels": [69, 0]}]}`, "abc⟦d<|endoftext|>⟧"},
	} {
		set := open(t, options(t), write(t, "a.jsonl", []byte(c.row)))
		if got := show(t, set, 0); got != c.want {
			t.Errorf("%s: %q\nwant %q", c.name, got, c.want)
		}
		if set.Summary.Sample != c.want {
			t.Errorf("%s: the sample is %q", c.name, set.Summary.Sample)
		}
	}
}

// TestSeparately: a prompt and its response have the tokens that each has by itself.
func TestSeparately(t *testing.T) {
	opt := options(t)
	set := open(t, opt, write(t, "a.jsonl", []byte(`{"prompt": "in th", "response": "e house"}`)))
	row, err := set.Row(0)
	if err != nil {
		t.Fatal(err)
	}
	var b builder
	b.opt = opt
	want := append(b.encode(b.encode(nil, "in th", false), "e house", true), opt.Tokenizer.EOS())
	if fmt.Sprint(row.Tokens) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", row.Tokens, want)
	}
	if together := b.encode(nil, "in the house", false); fmt.Sprint(together) == fmt.Sprint(want[:len(want)-1]) {
		t.Error("the example shows nothing: both together have the same tokens")
	}
}

func TestMasks(t *testing.T) {
	const row = `{"turns": [{"input_ids": [66, 66], "labels": [67]}, {"input_ids": [68, 68, 68], "labels": [69]}]}`
	for _, c := range []struct{ prompts, responses, want string }{
		{"", "", "aabccc⟦d<|endoftext|>⟧"},
		{"none", "all", "aa⟦b⟧ccc⟦d<|endoftext|>⟧"},
		{"all", "last", "a⟦a⟧b⟦cccd<|endoftext|>⟧"},
		{"all", "all", "a⟦abcccd<|endoftext|>⟧"},
		{"length>=3", "last", "aab⟦cccd<|endoftext|>⟧"},
		{"length>=2", "last", "a⟦a⟧b⟦cccd<|endoftext|>⟧"},
		{"length>=4", "last", "aabccc⟦d<|endoftext|>⟧"},
	} {
		opt := options(t)
		opt.TargetPrompts, opt.TargetResponses = c.prompts, c.responses
		if got := show(t, open(t, opt, write(t, "a.jsonl", []byte(row))), 0); got != c.want {
			t.Errorf("%q, %q: %s, want %s", c.prompts, c.responses, got, c.want)
		}
	}
}

// TestContainers: the same rows have the same digest whatever file they are in.
func TestContainers(t *testing.T) {
	lines := jsonLines()
	var array, commas, tabs bytes.Buffer
	array.WriteString(" [\n" + strings.Join(strings.Split(strings.TrimSpace(string(lines)), "\n"), ",\n") + "]\n")
	commas.WriteString(byteOrderMark + "id,prompt,response\r\n")
	tabs.WriteString("prompt\tresponse\n")
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	for _, p := range pairs {
		fmt.Fprintf(&commas, "3,%s,%s\r\n", quote(p[0]), quote(p[1]))
		fmt.Fprintf(&tabs, "%s\t%s\n", quote(p[0]), quote(p[1]))
	}
	want := open(t, options(t), write(t, "a.jsonl", lines)).Digest()
	folder := t.TempDir()
	for name, content := range map[string][]byte{
		"a.json": array.Bytes(), "b.json": lines, "a.csv": commas.Bytes(), "a.tsv": tabs.Bytes(), "a.ndjson": lines,
		"a.jsonl.gz": gzipped(t, lines), "a.jsonl.zst": zstandard(t, lines), "a.csv.gz": gzipped(t, commas.Bytes()),
		"c.jsonl": []byte(strings.ReplaceAll(string(lines), "\n", "\r\n\n")),
	} {
		if got := open(t, options(t), write(t, name, content)).Digest(); got != want {
			t.Errorf("%s: other rows than the JSON lines", name)
		}
	}
	for i, line := range bytes.SplitAfter(bytes.TrimSpace(lines), []byte("\n")) {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("part-%d.jsonl", i)), line, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "README.md"), []byte("# data"), 0o666); err != nil {
		t.Fatal(err)
	}
	set := open(t, options(t), folder)
	if set.Digest() != want {
		t.Error("a folder: other rows than the JSON lines")
	}
	if len(set.Summary.Notes) != 1 || !strings.Contains(set.Summary.Notes[0], "1 other") {
		t.Errorf("notes: %q", set.Summary.Notes)
	}
	for _, input := range [][]byte{lines, array.Bytes(), gzipped(t, lines), zstandard(t, array.Bytes())} {
		opt := options(t)
		opt.Stdin = bytes.NewReader(input)
		if open(t, opt, "-").Digest() != want {
			t.Errorf("standard input %.20q: other rows than the JSON lines", input)
		}
	}
}

// TestDigest: it is that of tokens and targets, and not of how rows are cut into files. It may never change.
func TestDigest(t *testing.T) {
	digest := func(content string) string { return open(t, options(t), write(t, "a.jsonl", []byte(content))).Digest() }
	// printf '\003\000\000\000\275\377\377\377\103\000\000\000\104\000\000\000' | sha256sum
	const want = "828fb6cd929b1fb306fae9026fd06d11580bfb684cb218555b29e4f6977d570a"
	if got := digest(`{"tokens": [66, 67, 68]}`); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, other := range []string{
		`{"tokens": [66, 67, 69]}`, `{"input_ids": [66, 67, 68], "labels": [66, -100, 68]}`, `{"tokens": [66, 67, 68]}` + "\n" + `{"tokens": [66, 67]}`,
	} {
		if digest(other) == want {
			t.Errorf("%s has the digest of other rows", other)
		}
	}
}

// TestText: documents between lines with the end of text, long ones in rows of the context.
func TestText(t *testing.T) {
	const text = "One duck.\nTwo ducks.\n<|endoftext|>\n\n<|endoftext|>\nThree."
	set := open(t, options(t), write(t, "a.txt", []byte(text)))
	if a, b := show(t, set, 0), show(t, set, 1); a != "O⟦ne duck.\nTwo ducks.<|endoftext|>⟧" || b != "T⟦hree.<|endoftext|>⟧" {
		t.Errorf("%q, %q", a, b)
	}
	if set.Len() != 2 {
		t.Errorf("%d rows, want 2", set.Len())
	}

	long := strings.Repeat("A duck swims.\nIt is wet.\n\n  And so on.\n", 60000) // more than two parts
	opt := options(t)
	opt.Context = 100
	set = open(t, opt, write(t, "b.txt", []byte(long)))
	var all []int32
	for i := range set.Len() {
		row, err := set.Row(i)
		if err != nil {
			t.Fatal(err)
		}
		if i < set.Len()-1 && len(row.Tokens) != 100 {
			t.Fatalf("row %d has %d tokens", i, len(row.Tokens))
		}
		all = append(all, row.Tokens...)
	}
	b := builder{opt: opt}
	if want := append(b.encode(nil, strings.TrimSuffix(long, "\n"), false), opt.Tokenizer.EOS()); !slices.Equal(all, want) {
		t.Error("the parts of a long document have other tokens than the whole")
	}
	opt.Long = longTruncate
	if set = open(t, opt, write(t, "b.txt", []byte(long))); set.Len() != 1 || set.Length(0) != 100 || set.Summary.LostTargets != len(all)-100 {
		t.Errorf("truncated: %d rows of %d tokens, %d targets lost of %d tokens", set.Len(), set.Length(0), set.Summary.LostTargets, len(all))
	}
}

func TestLong(t *testing.T) {
	row := `{"prompt": "` + strings.Repeat("a b ", 20) + `", "response": "` + strings.Repeat("c d ", 20) + `"}` + "\n" + `{"prompt": "a", "response": "b"}`
	for _, c := range []struct {
		long       string
		context    int
		rows, lost int
		dropped    string
	}{
		{"", 60, 2, 23, ""}, {longTruncate, 30, 1, 42, "no target"}, {longDrop, 60, 1, 0, "longer"}, {longSplit, 40, 3, 0, "no target"}, {longSplit, 60, 3, 0, ""},
	} {
		opt := options(t)
		opt.Long, opt.Context = c.long, c.context
		set := open(t, opt, write(t, "a.jsonl", []byte(row)))
		dropped := fmt.Sprint(set.Summary.Dropped)
		if set.Len() != c.rows || set.Summary.LostTargets != c.lost || (c.dropped == "") != (len(set.Summary.Dropped) == 0) || !strings.Contains(dropped, c.dropped) {
			t.Errorf("%q at %d: %d rows, %d targets lost, dropped %s; want %d, %d, %q", c.long, c.context, set.Len(), set.Summary.LostTargets, dropped, c.rows, c.lost, c.dropped)
		}
		if (set.Summary.Warning() != "") != (c.lost > 0) {
			t.Errorf("%q at %d: warning %q", c.long, c.context, set.Summary.Warning())
		}
	}
	opt := options(t)
	opt.Long, opt.Context = longError, 30
	fails(t, opt, write(t, "a.jsonl", []byte(row)), "a.jsonl:1:", "tokens, and the context 30")
}

func TestDropped(t *testing.T) {
	rows := strings.Join([]string{
		`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}`,
		`{"messages": [{"role": "user", "content": "Q"}]}`,
		`{"messages": [{"role": "user", "content": "Q"}, {"role": "user", "content": "A"}, {"role": "assistant", "content": "A"}]}`,
		`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "Q"}]}`,
		`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": ""}]}`,
		`{"messages": [{"role": "user", "content": "Q"}, {"role": "robot", "content": "A"}]}`,
		`{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": null}]}`,
		`{"messages": [{"role": "user", "content": "Q"}]}`,
	}, "\n")
	path := write(t, "a.jsonl", []byte(rows))
	set := open(t, options(t), path)
	if set.Len() != 1 || set.Summary.Read != 8 || len(set.Summary.Dropped) != 6 {
		t.Errorf("%d of %d rows, dropped %v", set.Len(), set.Summary.Read, set.Summary.Dropped)
	}
	if d := set.Summary.Dropped[0]; d.Rows != 2 || len(d.First) != 2 || !strings.HasSuffix(d.First[1], "a.jsonl:8") {
		t.Errorf("dropped %v", d)
	}
	var out bytes.Buffer
	if err := set.Summary.Print(&out); err != nil || !strings.Contains(out.String(), "1 of 8 (1 chat)") || !strings.Contains(out.String(), "template:  chatml") {
		t.Errorf("%v, %s", err, out.String())
	}
	opt := options(t)
	opt.Strict = true
	fails(t, opt, path, "a.jsonl:2:", noConversation)
	fails(t, options(t), write(t, "b.jsonl", []byte(`{"prompt": "", "response": "a"}`+"\n"+`{"prompt": "b", "response": ""}`)),
		"all 2 rows", "empty prompt", "empty response")
	opt = options(t)
	opt.Context = 2
	fails(t, opt, write(t, "b.jsonl", []byte(`{"prompt": "abc", "response": "a"}`)), "no target", "One of them")
}
