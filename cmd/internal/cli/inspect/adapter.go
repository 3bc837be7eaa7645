package inspect

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mptgo/cmd/internal/cli/console"
	"mptgo/cmd/internal/cli/flags"
	"mptgo/gguf"
	"mptgo/mpt/checkpoint"
	"mptgo/mpt/lora"
)

// adapterInventory reads what is in a folder that PEFT wrote. Its metadata is that of
// adapter_config.json.
func adapterInventory(dir string) (*inventory, error) {
	b, err := checkpoint.ReadFile(dir, "adapter_config.json")
	if err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	var config map[string]any
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber() // as it is written
	if err := dec.Decode(&config); err != nil {
		return nil, fmt.Errorf("inspect: %s: %w", filepath.Join(dir, "adapter_config.json"), err)
	}
	inv, err := containerInventory(checkpoint.OpenWeights(filepath.Join(dir, lora.WeightsFile(dir))))
	if err != nil {
		return nil, err
	}
	inv.File, inv.Format = dir, "PEFT adapter"
	inv.Meta = nil
	inv.addConfig("", config)
	inv.explainAdapter(dir)
	return inv, nil
}

// explainAdapter adds what the adapter at path does, or why it cannot be used.
func (inv *inventory) explainAdapter(path string) {
	a, err := lora.Open(path)
	if err != nil {
		inv.Unsupported = append(inv.Unsupported, strings.TrimPrefix(err.Error(), "lora: "+path+": "))
		return
	}
	defer a.Close()
	if a.Base != "" {
		inv.Notes = append(inv.Notes, "made for "+a.Base)
	}
	if len(a.Pairs) > 0 {
		inv.Notes = append(inv.Notes, "changes "+changes(a.Pairs))
	}
	var whole []string
	for _, w := range a.Whole {
		whole = append(whole, w.Target)
	}
	if len(whole) > 0 {
		inv.Notes = append(inv.Notes, "replaces "+strings.Join(whole, ", "))
	}
	if err := a.MergeOnly(); err != nil {
		inv.Notes = append(inv.Notes, "can only be merged, with mpt merge-lora, not used with --lora")
	}
	inv.Notes = append(inv.Notes, a.Notes...)
}

// changes says what pairs change, with ranks and scales.
func changes(pairs []lora.Pair) string {
	var kinds []string
	low, high := pairs[0], pairs[0]
	blocks := map[string]bool{}
	dora := ""
	for _, p := range pairs {
		kind := strings.TrimSuffix(p.Target, ".weight")
		if rest, ok := strings.CutPrefix(kind, "blk."); ok {
			var block string
			block, kind, _ = strings.Cut(rest, ".")
			blocks[block] = true
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
		low.Rank, high.Rank = min(low.Rank, p.Rank), max(high.Rank, p.Rank)
		low.Scale, high.Scale = min(low.Scale, p.Scale), max(high.Scale, p.Scale)
		if p.Magnitude != nil {
			dora = ", with DoRA"
		}
	}
	slices.Sort(kinds)
	scale := fmt.Sprintf("scale %.4g", low.Scale)
	if low.Scale != high.Scale {
		scale = fmt.Sprintf("scales %.4g to %.4g", low.Scale, high.Scale)
	}
	return fmt.Sprintf("%s in %s: %s; %s, %s%s", console.Plural(len(pairs), "matrix", "matrices"),
		console.Plural(len(blocks), "block", "blocks"),
		strings.Join(kinds, ", "), flags.RankText(low.Rank, high.Rank), scale, dora)
}

// isAdapterFile reports whether a GGUF file says that it is an adapter.
func isAdapterFile(f *gguf.File) bool {
	kind, err := gguf.GetOr(f, "general.type", "model")
	return err == nil && kind == "adapter"
}
