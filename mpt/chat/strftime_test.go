package chat

import (
	"testing"
	"time"
)

func TestStrftime(t *testing.T) {
	now := time.Date(2024, 7, 9, 5, 4, 3, 0, time.UTC)
	for format, want := range map[string]string{
		"%d %b %Y": "09 Jul 2024", "%-d %B, %-H:%M": "9 July, 5:04", "%e|%-e|%j|%-j": " 9|9|191|191", "100%%": "100%",
		"%A %a %p %I %y %F %T": "Tuesday Tue AM 05 24 2024-07-09 05:04:03", "Jan 2 2006": "Jan 2 2006", "%c": "Tue Jul  9 05:04:03 2024",
	} {
		if got, err := strftime(now, format); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", format, got, err, want)
		}
	}
	// At least one digit stays of what is all zeros.
	midnight := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for format, want := range map[string]string{
		"%-H:%-M:%-S": "0:0:0", "%-y": "0", "%-I": "12", "%-d.%-m.%-Y": "1.1.2000", "%-j": "1", "%-e|%e": "1| 1", "%-B": "January", "%-p": "AM",
	} {
		if got, err := strftime(midnight, format); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", format, got, err, want)
		}
	}
	for format, want := range map[string]string{
		"%Q": "strftime_now: the conversion %Q is not supported", "%": `strftime_now: the format "%" ends within a conversion`,
	} {
		if got, err := strftime(now, format); err == nil || err.Error() != want {
			t.Errorf("%q: %q, error %v, want %q", format, got, err, want)
		}
	}
}

// A template may call a macro for each message of a long conversation, and look at all
// messages for each.
func TestLongConversations(t *testing.T) {
	f, err := llamaLike().Jinja("{% macro one(m) %}{{ m.content }}{% endmacro %}{% for m in messages %}{% for x in messages[:loop.index] if x.role == m.role %}{% endfor %}{{ one(m) }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	msgs := make([]Message, 601)
	for i := range msgs {
		msgs[i] = Message{[]string{User, Assistant}[i%2], "x"}
	}
	got, err := f.Render(msgs, true)
	if err != nil || len(join(got)) != 601 {
		t.Errorf("%d characters, error %v", len(join(got)), err)
	}
}
