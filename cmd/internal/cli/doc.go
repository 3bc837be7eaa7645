// Package cli holds the subcommands of mpt: flags, reading and printing. The
// work itself is done in the packages that they call.
//
// A subcommand is one file and one row in the table of root.go, or a folder if it is
// a program of its own: chat is in repl, pull and cache in pull. What they share is in
// flags (which model, which session, how to sample), cmdline (arguments), console
// (what is said to people), fileio and interrupt. Start with [Mpt] and [Main]. All of
// them keep the same rules:
//
//   - results go to standard output and nothing else does; progress, notes and
//     messages go to standard error;
//   - a message reads "mpt: what: where: why";
//   - the exit status is 0 if everything went well and 1 otherwise;
//   - flags have llama.cpp's names where it has them;
//   - SIGINT and SIGTERM end the work in an orderly way, a second one at once.
package cli
