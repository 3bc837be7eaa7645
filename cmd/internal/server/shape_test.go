package server

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mptgo/mpt/grammar"
	"mptgo/mpt/serve"
)

// Answers have the form of their grammar, streamed or not, alone or among others, and end
// where it ends; log-probabilities are the model's own.
func TestGrammar(t *testing.T) {
	_, h := start(t, serve.Options{Parallel: 8, MaxQueue: 100})
	var wg sync.WaitGroup
	for _, text := range []string{
		`root ::= "yes" | "no"`,
		`root ::= "{\"name\": \"" [A-Z] [a-z]{1,8} "\", \"age\": " [1-9] [0-9]? "}"`,
		`root ::= ([a-z]+ " "){2,4} "🐕" [日-語]`,
		"root ::= list\nlist ::= \"[\" (item (\", \" item){0,3})? \"]\"\nitem ::= [0-9]{1,3} | \"é\"",
	} {
		g, err := grammar.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		quoted, _ := json.Marshal(text)
		for _, path := range []string{"/v1/chat/completions", "/v1/completions", "/completion"} {
			for seed := range 3 {
				body := fmt.Sprintf(`{"prompt":"Once upon a time","messages":[{"role":"user","content":"Hello"}],"grammar":%s,"seed":%d`, quoted, seed)
				wg.Go(func() { checkGrammar(t, g, h.URL+path, body) })
			}
		}
	}
	wg.Wait()
}

func checkGrammar(t *testing.T, g *grammar.Grammar, url, body string) {
	status, b, _ := post(t, url, body+"}")
	whole := shaped(t, b)
	if ok, err := g.Matches(whole); status != 200 || !ok || err != nil {
		t.Errorf("%s: %d %s (%v)", body, status, b, err)
	}
	if !strings.Contains(string(b), `"finish_reason":"stop"`) && !strings.Contains(string(b), `"stop_type":"eos"`) {
		t.Errorf("%s: it did not end with the grammar: %s", body, b)
	}
	_, b, _ = post(t, url, body+`,"stream":true}`)
	streamed := ""
	for _, e := range events(t, b) {
		if e != "[DONE]" && !strings.Contains(e, `"stop":true`) {
			streamed += shaped(t, []byte(e))
		}
	}
	if streamed != whole {
		t.Errorf("%s: streamed %q, whole %q", body, streamed, whole)
	}
}

// shaped is the text of an answer or of a part of one.
func shaped(t *testing.T, b []byte) string {
	v := object(t, b)
	for _, path := range []string{"choices.0.message.content", "choices.0.delta.content", "choices.0.text", "content"} {
		if text, ok := at(v, path).(string); ok {
			return text
		}
	}
	return ""
}

// With json_object an answer is one, whatever the seed.
func TestJSONObject(t *testing.T) {
	_, h := start(t, serve.Options{})
	for seed := range 6 {
		_, b, _ := post(t, h.URL+"/v1/chat/completions", fmt.Sprintf(`{%s,"response_format":{"type":"json_object"},
			"temperature":1.5,"seed":%d,"max_tokens":150}`, question, seed))
		text := shaped(t, b)
		var value map[string]any
		if err := json.Unmarshal([]byte(text), &value); err != nil && !strings.Contains(string(b), `"finish_reason":"length"`) {
			t.Errorf("seed %d: %v: %s", seed, err, text)
		}
	}
}

// Answers obey a schema in whatever field it stands, in the order of its properties, whole and
// in a stream, one or several.
func TestJSONSchema(t *testing.T) {
	_, h := start(t, serve.Options{Parallel: 8, MaxQueue: 100})
	const schema = `{"type":"object","properties":{"zeta":{"enum":["x","y"]},"alpha":{"type":"integer","minimum":1,"maximum":99},` +
		`"list":{"type":"array","items":{"type":"string","pattern":"^[a-z]{1,3}$"},"maxItems":2}},"required":["zeta","alpha","list"]}`
	whole := regexp.MustCompile(`^\{"zeta": ?"[xy]", ?"alpha": ?[1-9][0-9]?, ?"list": ?\[("[a-z]{1,3}"(, ?"[a-z]{1,3}")?)?\]\}$`)
	quoted, _ := json.Marshal(schema)
	for _, field := range []string{
		`"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":` + schema + `}}`,
		`"response_format":{"type":"json_schema","json_schema":{"schema":` + schema + `}}`,
		`"response_format":{"type":"json_schema","schema":` + schema + `}`,
		`"response_format":{"type":"json_object","schema":` + schema + `}`,
		`"json_schema":` + schema, `"structured_outputs":{"json":` + schema + `}`, `"guided_json":` + schema, `"guided_json":` + string(quoted),
	} {
		for _, path := range []string{"/v1/chat/completions", "/v1/completions"} {
			body := `{"prompt":"Once","messages":[{"role":"user","content":"Hello"}],"temperature":1,"seed":3,"n":3,` + field
			status, b, _ := post(t, h.URL+path, body+"}")
			choices, _ := at(object(t, b), "choices").([]any)
			if status != 200 || len(choices) != 3 {
				t.Fatalf("%s: %d %s", field, status, b)
			}
			for i := range choices {
				one, _ := json.Marshal(map[string]any{"choices": choices[i : i+1]})
				if text := shaped(t, one); !whole.MatchString(text) {
					t.Errorf("%s: %s", field, text)
				}
			}
			_, b, _ = post(t, h.URL+path, strings.Replace(body, `"n":3`, `"stream":true`, 1)+"}")
			streamed := ""
			for _, e := range events(t, b) {
				if e != "[DONE]" {
					streamed += shaped(t, []byte(e))
				}
			}
			one, _ := json.Marshal(map[string]any{"choices": choices[:1]})
			if streamed != shaped(t, one) {
				t.Errorf("%s: streamed %s, whole %s", field, streamed, shaped(t, one))
			}
		}
	}
}

// A limit in the middle of a value ends the text there; half a character is told as U+FFFD, as
// in any text.
func TestJSONSchemaCutOff(t *testing.T) {
	_, h := start(t, serve.Options{})
	body := `{"prompt":"Once","json_schema":{"type":"string","pattern":"^[日本語🐕]{40}$"},"max_tokens":`
	for n := 1; n < 24; n++ {
		_, b, _ := post(t, h.URL+"/v1/completions", body+fmt.Sprint(n)+"}")
		v := object(t, b)
		text, _ := at(v, "choices.0.text").(string)
		text = strings.TrimSuffix(text, "\ufffd")
		if at(v, "choices.0.finish_reason") != "length" || strings.Trim(text, "\"日本語🐕") != "" {
			t.Errorf("%d tokens: %s", n, b)
		}
	}
}

// Regular expressions and choices are texts without quotes.
func TestGuided(t *testing.T) {
	_, h := start(t, serve.Options{})
	for field, pattern := range map[string]string{
		`"guided_regex":"[a-c]{3}-\\d"`: `^[a-c]{3}-\d$`, `"guided_choice":["red","green","reddish"]`: `^(red|green|reddish)$`,
		`"structured_outputs":{"regex":"[a-c]{3}"}`: `^[a-c]{3}$`, `"regex":"x|yy"`: `^(x|yy)$`,
	} {
		for seed := range 4 {
			_, b, _ := post(t, h.URL+"/v1/completions", fmt.Sprintf(`{"prompt":"Once","temperature":1.5,"seed":%d,%s}`, seed, field))
			if text := shaped(t, b); !regexp.MustCompile(pattern).MatchString(text) {
				t.Errorf("%s: %s", field, b)
			}
		}
	}
}

// Tokens that an answer goes on with are part of its form; texts that end answers of a chat
// format are not looked for in it; what nothing can follow is the request's fault.
func TestGrammarEdges(t *testing.T) {
	_, h := start(t, serve.Options{})
	_, b, _ := post(t, h.URL+"/tokenize", `{"content":"ye"}`)
	ids, _ := json.Marshal(at(object(t, b), "tokens"))
	body := `{"prompt":"Once","max_tokens":9,"grammar":"root ::= \"yes\" | \"no\"","continue_tokens":` + string(ids)
	if _, b, _ = post(t, h.URL+"/v1/completions", body+"}"); at(object(t, b), "choices.0.text") != "s" {
		t.Errorf("behind ye: %s", b)
	}
	body = strings.Replace(body, "yes", "maybe", 1)
	if status, b, _ := post(t, h.URL+"/v1/completions", body+"}"); status != 400 || at(object(t, b), "error.param") != "continue_tokens[0]" {
		t.Errorf("tokens that do not fit: %d %s", status, b)
	}
	_, b, _ = post(t, h.URL+"/tokenize", `{"content":"a"}`)
	id, _ := json.Marshal(at(object(t, b), "tokens.0"))
	status, b, _ := post(t, h.URL+"/v1/completions", `{"prompt":"a","grammar":"root ::= \"a\"","logit_bias":{"`+string(id)+`":-100}}`)
	if status != 400 || !strings.Contains(string(b), "every token is ruled out") {
		t.Errorf("a banned token that has to follow: %d %s", status, b)
	}
}

// The log-probability of a token is what it is without a grammar.
func TestGrammarLogprobs(t *testing.T) {
	_, h := start(t, serve.Options{})
	body := `{"prompt":"Once upon a time","max_tokens":1,"temperature":0,"logprobs":1`
	_, b, _ := post(t, h.URL+"/v1/completions", body+`,"grammar":"root ::= \" zebra\""}`)
	v := object(t, b)
	first, _ := at(v, "choices.0.text").(string)
	_, b, _ = post(t, h.URL+"/v1/completions", `{"prompt":"Once upon a time`+first+`","max_tokens":0,"echo":true,"logprobs":0}`)
	list, _ := at(object(t, b), "choices.0.logprobs.token_logprobs").([]any)
	if got := at(v, "choices.0.logprobs.token_logprobs.0"); len(list) == 0 || got != list[len(list)-1] || first == "" {
		t.Errorf("%q has %v with a grammar, %v without", first, got, list)
	}
}

// A grammar that turns out to have too many states is the request's fault.
func TestGrammarTooLarge(t *testing.T) {
	e := errorOf(fmt.Errorf("mpt: token 5: %w", grammar.ErrTooManyStates))
	if e.Status != 400 || e.Code != "invalid_grammar" || e.Param != "grammar" {
		t.Errorf("%+v", e)
	}
}

// What is compiled is kept, what cannot be too, and what grows beyond the limit goes.
func TestShapes(t *testing.T) {
	s := newShapes(nil)
	first, err := s.grammar(t.Context(), source{gbnf, `root ::= "a"`})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := s.grammar(t.Context(), source{gbnf, `root ::= "a"`}); again != first {
		t.Error("the same grammar was compiled again")
	}
	if other, err := s.grammar(t.Context(), source{regex, `root ::= "a"`}); err != nil || other == first {
		t.Errorf("the same text in another language: %v", err)
	}
	_, err = s.grammar(t.Context(), source{jsonSchema, `{"not":{}}`})
	_, again := s.grammar(t.Context(), source{jsonSchema, `{"not":{}}`})
	if err == nil || err != again {
		t.Errorf("%v, then %v", err, again)
	}
	for i := range keptGrammars + 10 {
		if _, err := s.grammar(t.Context(), source{choice, fmt.Sprintf(`["%d"]`, i)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.recent) != keptGrammars {
		t.Errorf("%d are kept", len(s.recent))
	}
	for range compileAtOnce {
		s.compiling <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.grammar(ctx, source{gbnf, `root ::= "b"`}); err != context.Canceled {
		t.Errorf("who waits and leaves: %v", err)
	}
}
