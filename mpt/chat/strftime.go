package chat

import (
	"fmt"
	"strings"
	"time"
)

// layouts are C's conversions of parts of a time, in English, as Go writes them.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02", 'D': "01/02/06", 'e': "_2", 'F': "2006-01-02",
	'H': "15", 'I': "03", 'j': "002", 'm': "01", 'M': "04", 'n': "\n", 'p': "PM", 'R': "15:04", 'S': "05", 't': "\t", 'T': "15:04:05", 'x': "01/02/06",
	'X': "15:04:05", 'y': "06", 'Y': "2006",
}

// unpadded removes zeros and spaces from the beginning of a number, but not its last
// digit. What is not a number stays.
func unpadded(conversion byte, s string) string {
	if strings.IndexByte("deHIjmMSyY", conversion) < 0 {
		return s
	}
	s = strings.TrimLeft(s, " ")
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	return s
}

// strftime writes a time as C's function of that name does, in English. A hyphen
// before a conversion removes zeros at its beginning, as in the GNU library.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		rest := format[i+1:]
		plain := strings.TrimPrefix(rest, "-")
		if plain == "" {
			return "", fmt.Errorf("strftime_now: the format %q ends within a conversion", format)
		}
		layout, ok := layouts[plain[0]]
		switch {
		case ok && plain != rest:
			b.WriteString(unpadded(plain[0], t.Format(layout)))
		case ok:
			b.WriteString(t.Format(layout))
		case plain[0] == '%':
			b.WriteByte('%')
		default:
			return "", fmt.Errorf("strftime_now: the conversion %%%c is not supported", plain[0])
		}
		i += len(rest) - len(plain) + 1
	}
	return b.String(), nil
}
