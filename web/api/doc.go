// Package api is what programs and people ask hooktape over HTTP, and the client that asks it.
//
// [Direct] answers every question from ClickHouse and [replay.Service], and checks roles; [New] serves those answers under /api/v1, described
// by an OpenAPI document; [Client] asks for them over the network. Direct and Client have the same methods, so that a
// command works alike with a server far away and with the database at hand.
//
// What the server promises: every answer but a body's bytes is JSON, every error an RFC 9457 problem whose detail is a
// sentence for a person. Nothing internal (no SQL, no address, no text of another program) is in it, but for ClickHouse's
// words about an expression that the caller wrote. Tokens are compared in constant time and stand in no log. What may
// hold a secret of a receiver, the query of a URL and the headers of a replay, is shown masked.
package api
