package batch

import (
	"fmt"
	"strings"
	"testing"

	"mptgo/mpt/serve"
)

// Requests whose prompts begin alike follow each other, wherever they stand in the input, and so
// do those among them that have more in common.
func TestOrder(t *testing.T) {
	body := func(i int) string {
		group, sub := i%5, i/5%3
		return fmt.Sprintf(`{"max_tokens":%d,"prompt":"%s%s%d"}`, i, strings.Repeat(fmt.Sprint("group ", group, " "), 100),
			strings.Repeat(fmt.Sprint("part ", sub, " "), 200), i)
	}
	var b strings.Builder
	const n = 150
	for i := range n {
		b.WriteString(lineOf(fmt.Sprint(i), body(i)))
	}
	opt := options(t, b.String())
	in, err := openInput(t.Context(), opt.Input, opt.Output, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	x, err := read(t.Context(), in, rules{}, 0)
	if err != nil || len(x.order) != n {
		t.Fatalf("%d of %d, %v", len(x.order), n, err)
	}
	for name, of := range map[string]func(i int32) int32{
		"groups": func(i int32) int32 { return i % 5 },
		"parts":  func(i int32) int32 { return i % 15 },
	} {
		ended := map[int32]bool{}
		for k := 1; k < n; k++ {
			was, is := of(x.order[k-1]), of(x.order[k])
			if was != is {
				ended[was] = true
			}
			if ended[is] {
				t.Errorf("%s: %d comes again at %d: %v", name, is, k, x.order)
				break
			}
		}
	}
}

// What keeps prompts from being shared comes first; what follows the prompt does not count.
func TestChain(t *testing.T) {
	long := strings.Repeat("word ", 5000)
	base := Request{URL: "/v1/completions", Body: []byte(`{"prompt":"` + long + `"}`)}
	want := chainOf(&base)
	for body, same := range map[string]int{
		`{"seed":7,"prompt":"` + long + `"}`:                         links,
		`{"prompt":"` + long + ` and more"}`:                         links,
		`{"prompt":"` + long[:2900] + `other"}`:                      5, // 128 to 2048
		`{"cache_salt":"x","prompt":"` + long + `"}`:                 0,
		`{"lora":[{"id":0}],"prompt":"` + long + `"}`:                0,
		`{"prompt":"` + strings.ToUpper(long) + `"}`:                 0,
		`{"prompt":"` + long[:len(long)/2] + long[5:]:                0, // not JSON
		`{"messages":[{"content":"` + long + `"}]}`:                  0,
		`{"prompt":"` + long[:100] + `"}`:                            0,
		`{"prompt":"` + long[:100] + strings.Repeat("x", 9e3) + `"}`: 0,
	} {
		got := chainOf(&Request{URL: base.URL, Body: []byte(body)})
		n := 0
		for n < links && got[n] == want[n] {
			n++
		}
		if n != same {
			t.Errorf("%.40s: %d hashes are the same, want %d", body, n, same)
		}
	}
}

// With memory for few beginnings, groups that lie scattered in the input are still evaluated
// once each, as they come one after the other.
func TestLittleCache(t *testing.T) {
	const groups, each, shared, own = 8, 12, 160, 6
	w, e := local(t, serve.Options{ContextSize: 256, CacheBytes: 1}) // for the size of a token
	perToken := e.Model().CacheBytes(32) / 32
	w, e = local(t, serve.Options{ContextSize: 256, CacheBytes: perToken * 640})
	var b strings.Builder
	for i := range groups * each {
		ids := make([]string, shared+own)
		for k := range ids {
			ids[k] = fmt.Sprint(100 + (i%groups*37+k)%900)
			if k >= shared {
				ids[k] = fmt.Sprint(1100 + i + (k-shared)*100)
			}
		}
		b.WriteString(lineOf(fmt.Sprint(i), `{"max_tokens":1,"prompt":[`+strings.Join(ids, ",")+`]}`))
	}
	opt := options(t, b.String())
	if c, err := run(t.Context(), opt, w); err != nil || c.Failed > 0 {
		t.Fatal(c, err)
	}
	distinct := int64(groups*shared + groups*each*own)
	if took := e.Stats().PromptTokens; float64(took) > 1.2*float64(distinct) {
		t.Errorf("%d tokens were evaluated, of %d distinct ones", took, distinct)
	} else {
		t.Logf("%d tokens were evaluated, of %d distinct ones", took, distinct)
	}
}
