// Package line reads lines from a terminal, with editing, history, search and completion.
//
// It is a guard around github.com/chzyer/readline. From that package come the raw mode of
// the terminal and readline.RuneBuffer, which holds the line and draws it. What stands before
// the buffer is here: keys are taken out of what the terminal sends, and only operations
// that the buffer can bear, on a line and a screen that it can bear, reach it. All of it
// happens in the goroutine that calls [Editor.ReadLine], so that a fault can be caught there
// and the terminal never stays in raw mode.
package line
