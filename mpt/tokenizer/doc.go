// Package tokenizer turns text into the token ids of an MPT model and back.
//
// Most models of the family have the byte-level BPE of GPT-NeoX-20B, whatever its
// vocabulary. A text takes the steps of HuggingFace's pipeline, so that the ids
// are equal:
//
//	text
//	 │ valid      broken UTF-8 becomes U+FFFD
//	 │ control    control tokens are cut out, if the caller asks for it
//	 │ nfc        Unicode normalisation form C
//	 │ user       user-defined tokens (runs of spaces) are cut out
//	 │ word       the GPT-2 pattern splits what is left into words
//	 ▼ merge      BPE over the bytes of each word
//	ids
//
// The others have a sentencepiece model. Its steps are those of that library:
//
//	text
//	 │ valid, control   as above; tokens that were added to the model are cut out as well
//	 │ normal           its table of replacements; spaces become ▁
//	 │ pieces           BPE by scores, or the best path (Unigram)
//	 ▼ unknown          what has no piece becomes its bytes, or one token
//	ids
//
// A vocabulary comes from a tokenizer.json ([ParseJSON]), a sentencepiece model
// ([ParseSentencepiece]) or the metadata of a GGUF file ([FromGGUF]); [Vocab] is
// what they have in common. A setting that would lead to other ids than the steps
// above is refused by name.
//
// Start with [FromGGUF], or mpt's Model.Tokenizer, and [Tokenizer.Encode]. This package is stable:
// what it exports changes only with a new major version.
package tokenizer
