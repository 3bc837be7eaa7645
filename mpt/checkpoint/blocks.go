package checkpoint

import (
	"encoding/json"
	"slices"
)

// override returns b with the fields that f sets.
func (b BlockConfig) override(f *fields) BlockConfig {
	b.SlidingWindow = f.int("sliding_window_size", b.SlidingWindow)
	if b.SlidingWindow < -1 {
		f.fail("sliding_window_size", "%d is below -1, which stands for all keys", b.SlidingWindow)
	}
	b.NoPE = f.bool("nope", b.NoPE)
	t := f.object("attn_temperature_tuning")
	b.TemperatureScale = t.float("attn_scale", b.TemperatureScale)
	b.TemperatureFloor = t.float("floor_scale", b.TemperatureFloor)
	t.refuseUnknown("this field is not known")
	return b
}

// An orderItem is an element of the order in block_overrides: a name, or a list of
// such elements, taken once or repeat times.
type orderItem struct {
	Name   string
	Order  []orderItem
	Repeat *int
}

// readBlocks reads block_overrides, which give layers fields of their own. It
// follows resolve, since they change what is the default for all.
func (c *Config) readBlocks(f *fields) error {
	c.Blocks = make([]BlockConfig, c.NLayers)
	for i := range c.Blocks {
		c.Blocks[i] = c.Attn.All
		c.Blocks[i].KVSource = i
	}
	if !f.has("block_overrides") {
		return *f.err
	}
	o := f.object("block_overrides")
	names, err := c.order(o)
	if err != nil {
		return err
	}
	overrides := o.object("overrides")
	for i, name := range names {
		if name != "default" {
			c.overrideBlock(i, overrides, name)
		}
	}
	o.refuseUnknown("this field is not known")
	return *f.err
}

// order returns the names of the overrides of all layers.
func (c *Config) order(o *fields) ([]string, error) {
	var items []orderItem
	if !o.read("order", "a list of names and repetitions", &items) {
		o.fail("order", "it is missing")
		return nil, *o.err
	}
	repeat := o.int("repeat", 1)
	names, ok := expand(orderItem{Order: items, Repeat: &repeat}, c.NLayers)
	if !ok || len(names) != c.NLayers {
		return nil, malformed("block_overrides.order does not name %d layers, the number n_layers", c.NLayers)
	}
	return names, *o.err
}

// expand returns the names that an element of an order stands for; ok is false if
// there are more than most, or what is neither a name nor a list.
func expand(item orderItem, most int) (names []string, ok bool) {
	once := []string{item.Name}
	if (item.Name == "") == (item.Order == nil) {
		return nil, false
	}
	if item.Order != nil {
		once = nil
		for _, x := range item.Order {
			part, ok := expand(x, most)
			if once = append(once, part...); !ok || len(once) > most {
				return nil, false
			}
		}
	}
	repeat := 1
	if item.Repeat != nil {
		repeat = *item.Repeat
	}
	if repeat < 1 || repeat > most || repeat*len(once) > most {
		return nil, false
	}
	return slices.Repeat(once, repeat), true
}

// overrideBlock gives layer i the fields of the override of that name.
func (c *Config) overrideBlock(i int, overrides *fields, name string) {
	if !overrides.has(name) {
		overrides.fail(name, "block_overrides.order names it, but it is missing")
		return
	}
	o := overrides.object(name)
	attn := o.object("attn_config")
	c.Blocks[i] = c.Blocks[i].override(attn)
	c.Blocks[i].ReuseX = attn.has("reuse_kv_x_layer_idx")
	if attn.has("reuse_kv_layer_idx") {
		back := attn.int("reuse_kv_layer_idx", 0)
		if back >= 0 || i+back < 0 {
			attn.fail("reuse_kv_layer_idx", "%d in layer %d is not the distance to an earlier layer", back, i)
			return
		}
		c.Blocks[i].KVSource = c.Blocks[i+back].KVSource
	}
	o.refuseUnknown("this field cannot be overridden for a block")
	attn.refuseUnknown("this field cannot be overridden for a block")
}

// modernise gives the flat configuration of MosaicGPT, as MPT was called before May
// 2023, today's names and places.
func (f *fields) modernise() {
	attn := map[string]json.RawMessage{}
	for old, key := range map[string]string{
		"attn_clip_qkv": "clip_qkv", "attn_qk_ln": "qk_ln", "attn_impl": "attn_impl", "attn_pdrop": "attn_pdrop", "alibi": "alibi",
		"alibi_bias_max": "alibi_bias_max", "softmax_scale": "softmax_scale", "attn_uses_sequence_id": "attn_uses_sequence_id",
		"prefix_lm": "prefix_lm",
	} {
		if raw, ok := f.raw[old]; ok {
			attn[key] = raw
		}
	}
	if raw, ok := f.raw["mlp_ratio"]; ok {
		f.raw["expansion_ratio"] = raw
	}
	text, err := json.Marshal(attn)
	if err != nil {
		panic(err) // what was parsed can be written
	}
	f.raw["attn_config"] = text
}
