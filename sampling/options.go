package sampling

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Option is one parameter as text: a row of [Options].
type Option struct {
	Name  string   // llama.cpp's flag with underscores, such as "top_k"
	Also  []string // other names, such as those of llama.cpp's server
	Usage string   // one line, lower case

	set func(p *Params, value string) error
	get func(p *Params) string
}

// Options lists all parameters in the order in which help shows them.
func Options() []Option { return options[:] }

// Get returns the value in p, in a form that [Params.Set] reads.
func (o Option) Get(p *Params) string { return o.get(p) }

var options = [...]Option{
	{"seed", nil, "seed of the random generator",
		func(p *Params, v string) (err error) { p.Seed, err = parseSeed(v); return },
		func(p *Params) string { return strconv.FormatUint(p.Seed, 10) }},
	{"samplers", nil, "names of the samplers in the order they are applied, separated by ;",
		func(p *Params, v string) error { p.Samplers = splitList(v); return nil },
		func(p *Params) string { return strings.Join(p.Samplers, ";") }},
	number("temp", []string{"temperature"}, "temperature; 0: always the best token", func(p *Params) *float32 { return &p.Temp }),
	whole("top_k", nil, "keep the best k tokens; 0: off", func(p *Params) *int { return &p.TopK }),
	number("top_p", nil, "keep the best tokens that have this probability together; 1: off", func(p *Params) *float32 { return &p.TopP }),
	number("min_p", nil, "keep tokens this likely relative to the best; 0: off", func(p *Params) *float32 { return &p.MinP }),
	number("typical", []string{"typical_p", "typ_p", "typ"},
		"keep the most typical tokens that have this probability together; 1: off",
		func(p *Params) *float32 { return &p.Typical }),
	number("top_nsigma", []string{"top_n_sigma"}, "keep tokens within n standard deviations of the best; 0: off",
		func(p *Params) *float32 { return &p.TopNSigma }),
	whole("repeat_last_n", nil, "tokens the penalties look back at; 0: off, -1: all", func(p *Params) *int { return &p.RepeatLastN }),
	number("repeat_penalty", nil, "divides logits of tokens seen; 1: off", func(p *Params) *float32 { return &p.RepeatPenalty }),
	number("frequency_penalty", []string{"freq"}, "taken off for every time a token was seen; 0: off",
		func(p *Params) *float32 { return &p.FrequencyPenalty }),
	number("presence_penalty", []string{"presence"}, "taken off once if a token was seen; 0: off",
		func(p *Params) *float32 { return &p.PresencePenalty }),
	number("dry_multiplier", nil, "strength of the DRY penalty; 0: off", func(p *Params) *float32 { return &p.DRYMultiplier }),
	number("dry_base", nil, "growth of the DRY penalty with the length of the repetition", func(p *Params) *float32 { return &p.DRYBase }),
	whole("dry_allowed_length", nil, "DRY ignores shorter repetitions", func(p *Params) *int { return &p.DRYAllowedLength }),
	whole("dry_penalty_last_n", nil, "tokens DRY looks back at; 0: off, -1: all", func(p *Params) *int { return &p.DRYPenaltyLastN }),
	{"dry_sequence_breaker", []string{"dry_sequence_breakers"}, `texts that end a repetition: one (\n for a new line), a JSON list, or "none"`,
		func(p *Params, v string) (err error) { p.DRYBreakers, err = parseTexts(v); return },
		func(p *Params) string { return formatTexts(p.DRYBreakers) }},
	number("xtc_probability", nil, "how often XTC drops the top choices; 0: off", func(p *Params) *float32 { return &p.XTCProbability }),
	number("xtc_threshold", nil, "XTC drops tokens this likely, but for one; above 0.5: off", func(p *Params) *float32 { return &p.XTCThreshold }),
	whole("mirostat", nil, "2: Mirostat 2.0 in place of the samplers that drop tokens; 0: off", func(p *Params) *int { return &p.Mirostat }),
	number("mirostat_ent", []string{"mirostat_tau", "tau"}, "the surprise that Mirostat aims at, in bits", func(p *Params) *float32 { return &p.MirostatTau }),
	number("mirostat_lr", []string{"mirostat_eta", "eta"}, "how fast Mirostat adapts", func(p *Params) *float32 { return &p.MirostatEta }),
	{"logit_bias", nil, "added to logits: 15043+1;50277-inf",
		func(p *Params, v string) (err error) { p.LogitBias, err = parseBiases(v); return },
		func(p *Params) string { return formatBiases(p.LogitBias) }},
}

func number(name string, also []string, usage string, field func(p *Params) *float32) Option {
	return Option{name, also, usage,
		func(p *Params, v string) error {
			x, err := strconv.ParseFloat(v, 32)
			if err != nil {
				return fmt.Errorf("%q is not a number", v)
			}
			*field(p) = float32(x)
			return nil
		},
		func(p *Params) string { return strconv.FormatFloat(float64(*field(p)), 'g', -1, 32) },
	}
}

func whole(name string, also []string, usage string, field func(p *Params) *int) Option {
	return Option{name, also, usage,
		func(p *Params, v string) error {
			x, err := strconv.ParseInt(v, 10, 32)
			if err != nil {
				return fmt.Errorf("%q is not a whole number", v)
			}
			*field(p) = int(x)
			return nil
		},
		func(p *Params) string { return strconv.Itoa(*field(p)) },
	}
}

// Parse reads parameters such as "top_k=40,top_p=0.95,temp=0.8". What is not
// named has its default. A comma inside a JSON list does not separate.
func Parse(s string) (Params, error) {
	p := DefaultParams()
	for _, item := range splitItems(s) {
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return Params{}, fmt.Errorf("sampling: %q: want NAME=VALUE", item)
		}
		if err := p.Set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return Params{}, err
		}
	}
	if err := p.Validate(); err != nil {
		return Params{}, err
	}
	return p, nil
}

// Set changes one parameter, named as in [Options]; hyphens may stand for
// underscores. It checks the form of the value; [Params.Validate] checks the
// range.
func (p *Params) Set(name, value string) error {
	key := strings.ReplaceAll(name, "-", "_")
	for _, o := range options {
		if o.is(key) {
			if err := o.set(p, value); err != nil {
				return fmt.Errorf("sampling: %s: %w", o.Name, err)
			}
			return nil
		}
	}
	known := make([]string, len(options))
	for i, o := range options {
		known[i] = o.Name
	}
	return fmt.Errorf("sampling: unknown parameter %q: known are %s", name, strings.Join(known, ", "))
}

func (o Option) is(name string) bool {
	if o.Name == name {
		return true
	}
	for _, a := range o.Also {
		if a == name {
			return true
		}
	}
	return false
}

// String returns what differs from the defaults, in the form that [Parse]
// reads.
func (p Params) String() string {
	var items []string
	standard := DefaultParams()
	for _, o := range options {
		if v := o.get(&p); v != o.get(&standard) {
			items = append(items, o.Name+"="+v)
		}
	}
	return strings.Join(items, ",")
}

// splitItems splits s at commas that are not inside [] or "". Empty items are
// left out.
func splitItems(s string) []string {
	var items []string
	start, depth, quoted := 0, 0, false
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',' && depth == 0:
			if item := strings.TrimSpace(s[start:i]); item != "" {
				items = append(items, item)
			}
			start = i + 1
		case depth > 0 && quoted && s[i] == '\\':
			i = min(i+1, len(s)-1) // what follows is part of the text, even a quote
		case depth > 0 && s[i] == '"':
			quoted = !quoted
		case quoted:
		case s[i] == '[':
			depth++
		case s[i] == ']':
			depth--
		}
	}
	return items
}

// splitList splits s at semicolons, without spaces and empty items.
func splitList(s string) []string {
	list := []string{}
	for item := range strings.SplitSeq(s, ";") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func parseSeed(s string) (uint64, error) {
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number from 0 to 2^64-1", s)
	}
	return seed, nil
}

var unescape = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\"`, `"`, `\\`, `\`)

func parseTexts(s string) ([]string, error) {
	switch {
	case s == "none":
		return []string{}, nil
	case !strings.HasPrefix(s, "["):
		return []string{unescape.Replace(s)}, nil
	}
	var texts []string
	if err := json.Unmarshal([]byte(s), &texts); err != nil {
		return nil, fmt.Errorf("%s is not a JSON list of strings: %w", s, err)
	}
	return texts, nil
}

func formatTexts(texts []string) string {
	if len(texts) == 0 {
		return "none"
	}
	b, err := json.Marshal(texts)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return string(b)
}

// parseBiases reads 15043+1;50277-inf: token ids, each with a signed bias.
func parseBiases(s string) ([]Bias, error) {
	var biases []Bias
	for _, item := range splitList(s) {
		sign := strings.IndexAny(item, "+-")
		if sign < 0 {
			return nil, fmt.Errorf("%q is not of the form TOKEN+BIAS or TOKEN-BIAS", item)
		}
		id, err := strconv.ParseInt(item[:sign], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q does not start with the number of a token", item)
		}
		value, err := strconv.ParseFloat(item[sign:], 32)
		if err != nil {
			return nil, fmt.Errorf("%q does not end in a number", item)
		}
		biases = append(biases, Bias{int32(id), float32(value)})
	}
	return biases, nil
}

func formatBiases(biases []Bias) string {
	items := make([]string, len(biases))
	for i, b := range biases {
		v := strconv.FormatFloat(float64(b.Value), 'g', -1, 32)
		if v[0] != '-' && v[0] != '+' {
			v = "+" + v
		}
		items[i] = strconv.Itoa(int(b.ID)) + v
	}
	return strings.Join(items, ";")
}
