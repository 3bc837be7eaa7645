package data

// Row is one example: tokens and which of them are targets.
type Row struct {
	Tokens []int32
	Labels []int32 // one for each token: the token itself, or -100 where there is no target
}

// Rows gives the examples of a data set by their number. It may be used by several goroutines at once.
type Rows interface {
	Len() int
	Row(i int) (Row, error)
}
