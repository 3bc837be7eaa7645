package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"

	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
)

// checkpointInventory reads what is in a checkpoint folder. Its metadata is that
// of config.json.
func checkpointInventory(dir string) (*inventory, error) {
	c, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	b, err := c.File("config.json")
	if err != nil {
		return nil, err
	}
	var config map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // as it is written
	if err := dec.Decode(&config); err != nil {
		return nil, fmt.Errorf("inspect: %s/config.json: %w", dir, err)
	}
	inv := &inventory{File: dir, Format: "checkpoint", Unsupported: c.Config.Unsupported(), Notes: c.Notes()}
	inv.addConfig("", config)
	for _, t := range c.Tensors() {
		inv.add(t.Name, t.DType, t.Shape, int64(t.Bytes()))
		inv.Bytes += int64(t.Bytes())
	}
	return inv, nil
}

// addConfig adds the fields of a JSON object, those of objects in it under
// their path.
func (inv *inventory) addConfig(prefix string, fields map[string]any) {
	for _, key := range sortedKeys(fields) {
		switch v := fields[key].(type) {
		case map[string]any:
			inv.addConfig(prefix+key+".", v)
		default:
			inv.Meta = append(inv.Meta, gguf.KV{Key: prefix + key, Value: v})
		}
	}
}
