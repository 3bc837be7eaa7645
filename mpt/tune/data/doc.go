// Package data reads the examples for fine-tuning and makes tokens of them.
//
// [Open] reads files of many formats (JSON lines, JSON, CSV, TSV, text, Parquet, folders of them and
// MosaicML's streaming shards, MDS), recognises what the rows are by their keys, writes the tokens to a
// temporary file once, and tells in a [Summary] what became of every row:
//
//	set, err := data.Open([]string{"train.jsonl"}, data.Options{Tokenizer: tok, Context: 2048})
//	set.Summary.Print(os.Stdout)
//	train, held, err := set.Split(0.05, seed)
//	for _, i := range data.Order(train.Len(), seed, epoch) {
//		row, err := train.Row(i)
//		...
//	}
//
// [*Set] and [*Part] are the [Rows] that package tune trains on.
//
// The rules follow MosaicML's llm-foundry: prompts and responses are encoded each by itself, an
// end-of-text token ends the last response, prompts are no targets unless asked for, and rows are cut at
// the context. What is dropped or cut is counted and named, never silent.
//
// This package is not stable yet: names may change from one minor version to the next.
package data
