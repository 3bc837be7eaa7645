// Package batch answers files of requests, a line each, in the form of OpenAI's batches.
//
// [Open] reads the input and finds the journal of an earlier start. [Job.Run] has a [Worker]
// answer the lines that are left, keeps each answer in the journal, and writes the outputs when
// all are there. Nothing in them depends on threads, on what runs beside what, or on how often
// the process was killed. [Merge] puts together what several machines have done.
package batch
