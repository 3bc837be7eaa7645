package console

// Reading returns a function that shows how much of a long text is read: a large model
// takes minutes. The line goes away with the end of the text.
func (s *Status) Reading() func(done, total int) {
	return func(done, total int) {
		switch {
		case done >= total:
			s.Clear()
		case total > quickly:
			s.Show("reading: %d of %d tokens", done, total)
		}
	}
}

// quickly is the number of tokens that are not worth a line.
const quickly = 32
