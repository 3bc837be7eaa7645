package convert

import "strings"

// card is what the README.md of a repository says about names.
type card struct {
	name  string   // of the model itself
	bases []string // what it was made of
}

// base returns the name of the model that it was made of, if that is one.
func (c *card) base() string {
	if len(c.bases) != 1 {
		return ""
	}
	return pathName(c.bases[0])
}

// card reads README.md. It is written for people: what cannot be read says nothing.
func (f files) card() (c card) {
	b, err := f.optional("README.md")
	if err != nil || b == nil {
		return c
	}
	head, text := splitCard(strings.ReplaceAll(string(b), "\r\n", "\n"))
	c.name, c.bases = readHead(head)
	for line := range strings.Lines(text) {
		// Titles are sentences as a rule; one that is the name of a model is a word.
		if heading, ok := strings.CutPrefix(line, "# "); ok && c.name == "" {
			if words := strings.Fields(heading); len(words) == 1 && family.MatchString(words[0]) {
				c.name = words[0]
			}
			break
		}
	}
	return c
}

// splitCard cuts the metadata off: YAML between two lines of dashes at the beginning.
func splitCard(text string) (head, rest string) {
	body, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return "", text
	}
	head, rest, ok = strings.Cut(body, "\n---")
	if !ok {
		return "", text
	}
	return head, rest
}

// readHead returns the names in the metadata. Of YAML that takes keys with a word, or
// with a list of words in brackets or in lines of their own.
func readHead(head string) (name string, bases []string) {
	key := ""
	for line := range strings.Lines(head) {
		word := strings.TrimSpace(line)
		item, isItem := strings.CutPrefix(word, "- ")
		if !isItem && line[0] != ' ' && line[0] != '\t' {
			key, item, _ = strings.Cut(word, ":")
		}
		switch {
		case key == "base_model":
			for _, s := range strings.Split(strings.Trim(strings.TrimSpace(item), "[]"), ",") {
				if s = scalar(s); s != "" {
					bases = append(bases, s)
				}
			}
		case name != "":
		case key == "model_name":
			name = scalar(item)
		case key == "model-index" && isItem:
			if s, ok := strings.CutPrefix(item, "name:"); ok {
				name = scalar(s)
			}
		}
	}
	return name, bases
}

// scalar returns a word without quotes and comment.
func scalar(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 1 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	s, _, _ = strings.Cut(s, " #")
	return strings.TrimSpace(s)
}
