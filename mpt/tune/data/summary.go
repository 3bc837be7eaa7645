package data

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mptgo/mpt/tokenizer"
)

// Summary says what became of the rows.
type Summary struct {
	Files           []string // as they were read
	Read            int      // rows in the files
	Rows            int      // rows kept
	Tokens, Targets int      // of the rows that were kept
	Longest         int      // tokens
	LongestAt       string   // where that row is
	Template        string   // the chat format, "" if no row needs one
	LargestID       int32    // of rows that were tokens already, -1 if there are none
	Truncated       Count    // rows cut at the context
	LostTargets     int      // targets that were cut away
	Dropped         []Count  // rows left out, by reason
	Notes           []string // other things to know
	Sample          string   // the first row, decoded, with its targets between ⟦ and ⟧

	kinds     map[string]int
	tokenizer *tokenizer.Tokenizer
}

// Count is a number of rows with the same fate, and the places of the first three.
type Count struct {
	Reason string
	Rows   int
	First  []string
}

func (c *Count) add(at string) {
	if c.Rows++; len(c.First) < 3 {
		c.First = append(c.First, at)
	}
}

func (c Count) String() string {
	more := ""
	if c.Rows > len(c.First) {
		more = ", ..."
	}
	return fmt.Sprintf("%s: %s (%s%s)", c.Reason, rows(c.Rows), strings.Join(c.First, ", "), more)
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

const maxNotes = 20

func (s *Summary) note(line string) {
	if !slices.Contains(s.Notes, line) && len(s.Notes) < maxNotes {
		s.Notes = append(s.Notes, line)
	}
}

func (s *Summary) drop(reason, at string) {
	i := slices.IndexFunc(s.Dropped, func(c Count) bool { return c.Reason == reason })
	if i < 0 {
		i = len(s.Dropped)
		s.Dropped = append(s.Dropped, Count{Reason: reason})
	}
	s.Dropped[i].add(at)
}

func (s *Summary) truncate(at string, lost int) {
	s.Truncated.Reason = "cut at the context"
	s.Truncated.add(at)
	s.LostTargets += lost
}

func (s *Summary) keep(at place, row []int32, targets int) {
	if s.Rows == 0 {
		s.Sample = s.decode(row)
	}
	s.Rows++
	s.Tokens += len(row)
	s.Targets += targets
	if len(row) > s.Longest {
		s.Longest, s.LongestAt = len(row), at.String()
	}
}

// finish fills in what is known at the end.
func (s *Summary) finish(b *builder) {
	s.LargestID = -1
	if s.kinds[kindTokens] > 0 {
		s.LargestID = b.maxID
	}
	chats := s.kinds[kindChat] + s.kinds[kindShareGPT] + s.kinds[kindConversational]
	switch {
	case chats > 0 || s.kinds[kindAlpaca] > 0 && b.opt.Chosen && b.opt.Format != nil:
		s.Template = b.format.Name
	case s.kinds[kindAlpaca] > 0:
		s.Template = "llm-foundry's text for instructions"
	}
}

// decode returns the text of a row with its targets marked; a long one without its middle.
func (s *Summary) decode(row []int32) string {
	const most = 400 // tokens at either end
	if len(row) > 2*most {
		return s.decode(row[:most]) + " ... " + s.decode(row[len(row)-most:])
	}
	var text strings.Builder
	for i := 0; i < len(row); {
		target := row[i] >= 0
		var ids []int32
		begin := i
		for ; i < len(row) && row[i] >= 0 == target; i++ {
			id := row[i]
			if !target {
				id = ^id
			}
			ids = append(ids, id)
		}
		part := s.tokenizer.DecodeWith(ids, tokenizer.DecodeOptions{Start: begin == 0})
		if target {
			part = "⟦" + part + "⟧"
		}
		text.WriteString(part)
	}
	return text.String()
}

// Warning returns what has to be said loudly, or "": too many targets were cut away.
func (s *Summary) Warning() string {
	if s.LostTargets*10 <= s.LostTargets+s.Targets {
		return ""
	}
	return fmt.Sprintf("%d of %d targets (%.0f %%) were cut away, for their rows are longer than the context: use a longer -c, or --long split",
		s.LostTargets, s.LostTargets+s.Targets, 100*float64(s.LostTargets)/float64(s.LostTargets+s.Targets))
}

// Print writes the summary for a person.
func (s *Summary) Print(w io.Writer) error {
	var b strings.Builder
	var kinds []string
	for _, k := range slices.Sorted(maps.Keys(s.kinds)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", s.kinds[k], k))
	}
	of := "of"
	if s.Rows > s.Read { // long ones are cut into several
		of = "from"
	}
	fmt.Fprintf(&b, "rows:      %d %s %d (%s)\n", s.Rows, of, s.Read, strings.Join(kinds, ", "))
	fmt.Fprintf(&b, "tokens:    %d, of which targets %d (%.1f %%)\n", s.Tokens, s.Targets, 100*float64(s.Targets)/float64(max(1, s.Tokens)))
	fmt.Fprintf(&b, "longest:   %d tokens (%s)\n", s.Longest, s.LongestAt)
	if s.Template != "" {
		fmt.Fprintf(&b, "template:  %s\n", s.Template)
	}
	if s.LargestID >= 0 {
		fmt.Fprintf(&b, "ids:       up to %d\n", s.LargestID)
	}
	if s.Truncated.Rows > 0 {
		fmt.Fprintf(&b, "truncated: %s; %d targets are lost\n", s.Truncated, s.LostTargets)
	}
	for _, c := range s.Dropped {
		fmt.Fprintf(&b, "dropped:   %s\n", c)
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "note:      %s\n", n)
	}
	if warning := s.Warning(); warning != "" {
		fmt.Fprintf(&b, "WARNING:   %s\n", warning)
	}
	fmt.Fprintf(&b, "example, targets between ⟦ and ⟧:\n%s\n", s.Sample)
	_, err := io.WriteString(w, b.String())
	return err
}
