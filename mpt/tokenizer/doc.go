// Package tokenizer turns text into the token ids of an MPT model and back.
//
// The tokenizer is the byte-level BPE of GPT-NeoX-20B, whatever its vocabulary.
// A text takes the steps of HuggingFace's pipeline, so that the ids are equal:
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
// A vocabulary comes from a tokenizer.json ([ParseJSON]) or from the metadata
// of a GGUF file ([FromGGUF]); [Vocab] is what both have in common. A setting
// that would lead to other ids than the steps above is refused by name.
// Sentencepiece models are not supported yet and refused as well.
package tokenizer
