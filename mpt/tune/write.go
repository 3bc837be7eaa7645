package tune

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
)

// The files of PEFT's folder.
const (
	adapterName = "adapter_model.safetensors"
	configName  = "adapter_config.json"
)

// Snapshot is the adapter as it was at a moment.
type Snapshot struct {
	config  adapterConfig
	tensors []tensor
	disk    disk
}

// snapshot returns the adapter, which changes with the next step. base is the name of the model as PEFT is
// to look for it, or "".
func (t *Trainer) snapshot(base string) *Snapshot {
	return &Snapshot{t.config(base), t.adapter(), t.disk}
}

// Snapshot returns a copy of the adapter as it is now, of [Trainer.AdapterBytes] bytes or less. base is the
// name of the model as PEFT is to look for it, or "".
func (t *Trainer) Snapshot(base string) *Snapshot {
	s := t.snapshot(base)
	copies := map[*float32][]float32{} // parts of a matrix share its values
	for i := range s.tensors {
		x := &s.tensors[i]
		first := &x.values[0]
		if copies[first] == nil {
			copies[first] = slices.Clone(x.values)
		}
		x.values = copies[first]
	}
	return s
}

// WriteAdapter writes the two files of PEFT's folder into dir, which exists and has none of them.
func (t *Trainer) WriteAdapter(dir, base string) error { return t.snapshot(base).write(dir) }

// PlaceAdapter writes the two files of PEFT's folder into dir, which exists. Either is whole at any time:
// what was there before, until the new one is on the disk.
func (t *Trainer) PlaceAdapter(dir, base string) error { return t.snapshot(base).Place(dir) }

// Place does for an adapter of earlier what [Trainer.PlaceAdapter] does for that of now.
func (s *Snapshot) Place(dir string) error {
	temporary, err := s.disk.temporary(dir, temporaryAdapter)
	if err != nil {
		return fmt.Errorf("tune: %w", err)
	}
	defer s.disk.remove(temporary)
	if err := s.write(temporary); err != nil {
		return fmt.Errorf("tune: an adapter: %w", err)
	}
	for _, name := range []string{adapterName, configName} {
		if err := s.disk.rename(filepath.Join(temporary, name), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("tune: %w", err)
		}
	}
	if err := s.disk.sync(dir); err != nil {
		return fmt.Errorf("tune: %w", err)
	}
	return nil
}

func (s *Snapshot) write(dir string) error {
	if err := writeJSON(s.disk, filepath.Join(dir, configName), s.config); err != nil {
		return err
	}
	return writeFile(s.disk, filepath.Join(dir, adapterName), func(w io.Writer) error { return writeTensors(w, s.tensors) })
}

// WriteGradients writes the gradients of the next step, which is not done, to a file, before clipping.
func (t *Trainer) WriteGradients(path string) error {
	return writeFile(t.disk, path, func(w io.Writer) error {
		return writeTensors(w, t.tensors((*module).grads, ".default"))
	})
}

func writeJSON(d disk, path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(d, path, func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err })
}
