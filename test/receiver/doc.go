// Package receiver is an endpoint for tests and benchmarks: it takes what hooktape delivers and keeps a ledger of every request, whatever it
// answered. How it answers can be changed at any moment: it says yes or no, hangs, breaks the connection, asks to be left
// alone, or is not there at all.
//
// It shares the machine with what it tests, so it is a server of its own that does nothing but this: one goroutine and
// one buffer a connection.
package receiver
