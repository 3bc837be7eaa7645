// Package chat turns conversations into prompts.
//
// A [Format] is how a model was taught to see a conversation. [Named] finds one
// by name and [Model.Detect] the one that fits a model:
//
//	f, err := model.Detect()
//	prompt, err := f.Render(conversation, true)
//	... the model answers ...
//	more, err := f.Next(conversation, answer, chat.Message{Role: chat.User, Content: "And now?"})
//
// Prompts are made of pieces, and only the marked ones may be read as special
// tokens: what a user types can never end a turn or open another, even if it
// spells <|im_end|>. Formats whose marks are ordinary text (the instruct
// formats) cannot give this protection.
//
// Start with [Model.Detect] and [Format.Render]. This package is stable: what it exports changes
// only with a new major version.
package chat
