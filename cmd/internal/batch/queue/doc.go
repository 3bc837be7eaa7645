// Package queue spreads batches over machines by NATS JetStream.
//
// [Queue.Submit] publishes the lines of an input as requests, [Queue.Work] answers them on any
// number of machines, [Queue.Collect] writes what package batch would have written on one.
//
// A request lies in a work queue under its own subject, mpt.req.FINGERPRINT.BATCH.LINE, and
// leaves it when it is acknowledged. Its result is stored before that, under mpt.res.BATCH.LINE,
// of which the server takes one message and no more. The input is the truth: what the server
// loses is submitted again, and what is answered twice has the same bytes.
package queue
