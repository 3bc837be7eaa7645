package mpt

// logOpened tells the log what has been opened.
func (m *Model) logOpened() {
	m.opt.log.Info("model opened", "file", m.file.Name(), "name", m.config.Name, "bytes", m.file.Size(), "parameters", m.file.Parameters(),
		"type", m.file.MainType().String(), "context", m.config.Context, "tier", m.Tier(), "threads", m.Threads(), "batch", m.opt.batch)
}

// logAdapter tells the log of an adapter.
func (m *Model) logAdapter(a *Adapter) {
	m.opt.log.Info("adapter loaded", "path", a.Path(), "matrices", a.Matrices(), "bytes", a.Bytes())
	for _, note := range a.Notes() {
		m.opt.log.Warn("adapter", "path", a.Path(), "note", note)
	}
}

// logRefused tells the log of a session that was refused, and returns err.
func (m *Model) logRefused(err error) error {
	if err != nil {
		m.opt.log.Warn("session refused", "err", err)
	}
	return err
}
