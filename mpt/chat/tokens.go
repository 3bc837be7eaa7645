package chat

import (
	"fmt"
	"strings"
)

// tokenise cuts a Jinja expression or statement into tokens, each followed by
// sep. String literals are decoded and quoted with quote; .name becomes
// ['name'].
func tokenise(s string) ([]string, error) {
	var tokens []string
	for {
		s = strings.TrimLeft(s, white)
		if s == "" {
			return tokens, nil
		}
		if s[0] == '\'' || s[0] == '"' {
			text, n, err := literal(s)
			if err != nil {
				return nil, err
			}
			tokens, s = append(tokens, quote+text+quote+sep), s[n:]
			continue
		}
		n := tokenLen(s)
		token := s[:n]
		s = s[n:]
		if name := wordLen(s); token == "." && name > 0 && !strings.HasPrefix(strings.TrimLeft(s[name:], white), "(") {
			tokens = append(tokens, "["+sep, quote+s[:name]+quote+sep, "]"+sep)
			s = s[name:]
			continue
		}
		tokens = append(tokens, token+sep)
	}
}

// tokenLen returns the length of the token at the start of s.
func tokenLen(s string) int {
	if n := wordLen(s); n > 0 {
		return n
	}
	for _, op := range []string{"==", "!=", "<=", ">=", "//", "**"} {
		if strings.HasPrefix(s, op) {
			return 2
		}
	}
	return 1
}

// wordLen returns the length of the name or number at the start of s.
func wordLen(s string) int {
	for i := range len(s) {
		if c := s[i] | 0x20; !(c >= 'a' && c <= 'z' || s[i] >= '0' && s[i] <= '9' || s[i] == '_') {
			return i
		}
	}
	return len(s)
}

// literal decodes the string literal at the start of s and returns its length.
// It refuses the rarer escapes.
func literal(s string) (text string, n int, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == s[0]:
			return b.String(), i + 1, nil
		case c == '\\' && i+1 < len(s):
			i++
			at := strings.IndexByte(`nt\'"`, s[i])
			if at < 0 {
				return "", 0, fmt.Errorf("it uses the escape \\%c", s[i])
			}
			b.WriteByte("\n\t\\'\""[at])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, fmt.Errorf("a string in it is not closed")
}

// terms cuts the tokens of an output at the + and ~ that join its parts. What
// is not a plain sum of names, literals, subscripts and calls stays whole.
func terms(tokens []string) [][]string {
	var list [][]string
	start, depth := 0, 0
	for i, t := range tokens {
		switch t := strings.TrimSuffix(t, sep); {
		case t == "(" || t == "[":
			depth++
		case t == ")" || t == "]":
			depth--
		case depth > 0:
		case t == "+" || t == "~":
			list = append(list, tokens[start:i])
			start = i + 1
		case t == "." || t == "|": // bind closer than +
		case !operand(t) || i > start && operand(tokens[i-1]):
			return [][]string{tokens} // another operator, or one that is a word
		}
	}
	return append(list, tokens[start:])
}

// operand reports whether token t is a literal, a name, or a word such as "if".
func operand(t string) bool { return strings.HasPrefix(t, quote) || wordLen(t) > 0 }
