// Package api is hooktape's HTTP API, and a client of it.
//
// [Direct] answers from ClickHouse and [replay.Service], and checks roles. [New] serves its answers under /api/v1, with
// an OpenAPI document. [Client] calls that API over the network. The methods that Direct and Client share have the same
// signatures, so a command works with a remote server as with the local database.
//
// The server promises: every answer is JSON, except the bytes of a body. Every error is a problem document (RFC 9457)
// whose detail is a sentence for people. No answer contains internals such as SQL, addresses or messages of other
// programs; the one exception is ClickHouse's message about an expression that the caller wrote. Tokens are compared in
// constant time and are never logged. The query of a URL and the headers of a replay may be a receiver's secrets and
// are masked.
package api
