// Package errkind says of errors what kind they are, for [errors.Is], without a change of
// their texts.
package errkind

// As returns err as one that [errors.Is] finds to be of a kind, too, and nil for nil.
func As(err, kind error) error {
	if err == nil {
		return nil
	}
	return &kindError{err, kind}
}

type kindError struct{ err, kind error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.err, e.kind} }
