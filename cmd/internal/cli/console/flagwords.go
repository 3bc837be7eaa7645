package console

import "strings"

// flagWords says which flags do what library packages advise in words of their own. A
// package does not know who uses it; whoever reads this program's notes has flags.
var flagWords = strings.NewReplacer(
	"a model, not an adapter", "a model, not an adapter: give it with -m",
	"not a model but what changes one", "not a model: give it with --lora, and its base model with -m",
	"or allow to quantise again", "or allow it with --allow-requantize",
	"or give no type to keep its types", "or leave --type out to keep its types",
	"measure an importance matrix of the model first", "measure one with mpt imatrix, and add --imatrix FILE, or add --self",
	"or quantise without self-calibration", "or leave calibrating out with --self=false",
	"that takes the better search", "that takes --search better",
	"or use the adapter beside the model", "or use the adapter with --lora",
	"the model keeps its own", "the model keeps its own, --chat-template uses another",
	"choose a format by its name (", "choose a format with --chat-template NAME (",
	"it was made by the other rule: as one text, or as documents", "it was made by the other rule: use --documents for both or for none",
	"or allow to replace it", "or replace it with --force",
	"or allow to write there", "or write there with --force",
)
