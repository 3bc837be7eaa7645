// Package grammar says which tokens may follow, so that a text has the form of a grammar.
//
// [Parse] reads GBNF, llama.cpp's notation for grammars. [Grammar.Matcher] follows a text
// token by token: [Matcher.Allow] tells which tokens of a [Vocabulary] may come next, and
// [Matcher.Accept] goes on behind one. What cannot be kept is refused when the grammar is
// read: nothing is ever ignored.
//
// A grammar is compiled to rules over bytes, because a token may end in the middle of a
// character. States are sets of stacks, one for each way to read the text so far, as in
// llama.cpp; here they have numbers, and what follows a state is remembered, so that most
// steps find their mask ready.
//
// Start with [ParseSchema] or [Parse]; [VocabularyOf] gives the tokens of a model. This package is
// not stable yet: names may change from one minor version to the next.
package grammar
